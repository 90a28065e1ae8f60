//! Templates of texts for users, and words of a shell.
//!
//! ```text
//!         run: |
//!           @{use}          alone on a line: each line of the value, indented as the mark is
//! ENV GOPROXY=@{proxies}    within a line: the value
//! ```
//!
//! A mark is a value's name in `@{…}`, which none of the languages uses. Values are not looked into for marks.

/// The template with its marks replaced. A mark without a value is left out; a debug build stops there.
#[must_use]
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    for line in template.lines() {
        match block(line, values) {
            Some((indent, value)) => {
                for inner in value.lines() {
                    push_line(&mut filled, if inner.is_empty() { "" } else { indent }, inner);
                }
            }
            None => push_line(&mut filled, "", &within(line, values)),
        }
    }
    filled
}

fn push_line(text: &mut String, indent: &str, line: &str) {
    text.push_str(indent);
    text.push_str(line);
    text.push('\n');
}

/// The indentation and the value of a line that is one mark.
fn block<'a>(line: &'a str, values: &[(&str, &'a str)]) -> Option<(&'a str, &'a str)> {
    let mark = line.trim_start();
    let name = mark.strip_prefix("@{")?.strip_suffix('}')?;
    let (_, value) = values.iter().find(|(known, _)| *known == name)?;
    Some((&line[..line.len() - mark.len()], value))
}

fn within(line: &str, values: &[(&str, &str)]) -> String {
    let mut rest = line;
    let mut filled = String::new();
    while let Some((before, after)) = rest.split_once("@{") {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        let value = values.iter().find(|(known, _)| *known == name);
        debug_assert!(value.is_some(), "a mark without a value: {name}");
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    filled + rest
}

/// The text as one word of a POSIX shell, quoted only where that is needed.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_is_indented_as_its_mark() {
        let template = "run: |\n  @{use}\nto: @{a}/@{b}!\n";
        let values = [("use", "one\n\n  two\n"), ("a", "x"), ("b", "@{a}")];
        assert_eq!(fill(template, &values), "run: |\n  one\n\n    two\nto: x/@{a}!\n");
        assert_eq!(fill("$(x) ${y} ${{ z }}\n", &values), "$(x) ${y} ${{ z }}\n");
    }

    #[test]
    fn no_text_runs_a_command_when_it_is_pasted() {
        let rows = [
            ("a/b@1", "a/b@1"),
            ("", "''"),
            ("a$(b)'c", "'a$(b)'\\''c'"),
            ("[::1]", "'[::1]'"),
            ("a*", "'a*'"),
            ("~/a", "'~/a'"),
        ];
        for (text, word) in rows {
            assert_eq!(shell_word(text), word);
        }
    }
}
