//! Strings as Go writes them: the `"…"` literal in a go.mod line, `%q` in a message, and the text of a file
//! that may not be UTF-8.
//!
//! ```text
//! "ex.com/m"      ex.com/m                the only literal a path or a version may be
//! "ex.com/\x6d"   ex.com/m                escapes: \a \b \f \n \r \t \v \\ \" \ooo \xhh \uhhhh \Uhhhhhhhh
//! `ex.com/m`      refused                 the lexer knows it, no directive takes it
//! ex'com          refused                 "unquoted string cannot contain quote"
//! ```
//!
//! Units and bounds: linear in the text; nothing is allocated beyond the result. Errors are Go's own words,
//! as text.
//! Sources: Go's `strconv.Quote`, `strconv.Unquote`, `unicode.IsPrint` and `utf8.DecodeRune`; `parseString`
//! and `AutoQuote` of `golang.org/x/mod/modfile`.

use unicode_general_category::{GeneralCategory, get_general_category};

/// What Go sees in bytes that are not UTF-8: **each** wrong byte becomes one U+FFFD (which it prints, so it
/// may stand in a token).
///
/// `String::from_utf8_lossy` makes one U+FFFD of a whole cut-off sequence, which would give other columns and
/// other text than Go.
pub(super) fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The value of one token used as a path, a version or a name.
pub(super) fn parse_string(token: &str) -> Result<String, String> {
    if token.starts_with('"') {
        unquote(token).ok_or_else(|| "invalid syntax".to_owned())
    } else if token.contains(['"', '\'', '`']) {
        Err("unquoted string cannot contain quote".to_owned())
    } else {
        Ok(token.to_owned())
    }
}

/// The text, quoted only if it would not be one token as it is.
pub(super) fn auto_quote(text: &str) -> String {
    let special = |c: char| match c {
        ' ' | '"' | '\'' | '`' => true,
        '(' | ')' | '[' | ']' | '{' | '}' | ',' => text.len() > 1,
        c => !is_print(c),
    };
    if text.is_empty() || text.contains("//") || text.contains("/*") || text.chars().any(special) {
        quote(text)
    } else {
        text.to_owned()
    }
}

/// Go's `%q` of a text.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    text.chars().for_each(|c| push_escaped(&mut quoted, c, '"'));
    quoted.push('"');
    quoted
}

/// Go's `%q` of one character.
pub(super) fn quote_char(c: char) -> String {
    let mut quoted = String::from("'");
    push_escaped(&mut quoted, c, '\'');
    quoted.push('\'');
    quoted
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
///
/// The table is Unicode 16's (the crate's); go 1.26 has 15 and go 1.27 has 17. They differ only in newly
/// given characters, none of which a module path may hold; in a comment every character is fine anyway.
pub(super) fn is_print(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    !matches!(
        get_general_category(c),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
            | G::SpaceSeparator
    )
}

fn push_escaped(out: &mut String, c: char, quote: char) {
    match c {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => out.extend(['\\', c]),
        c if is_print(c) => out.push(c),
        c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

/// The value of a `"…"` literal, `None` for one that Go refuses.
fn unquote(literal: &str) -> Option<String> {
    let body = literal.strip_prefix('"')?;
    let mut value = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\n' => return None,
            '\\' => unescape(&mut rest, &mut value)?,
            c => value.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    // Escapes may build bytes that are not UTF-8; Go keeps them, we store text: such a path is refused by
    // name in any case.
    rest.as_str().is_empty().then(|| decode(&value))
}

/// Reads what follows a backslash and appends the bytes it stands for.
fn unescape(rest: &mut std::str::Chars<'_>, value: &mut Vec<u8>) -> Option<()> {
    let plain = match rest.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(digits(rest, 2, 16, 0)?).ok()?,
        c @ '0'..='7' => u8::try_from(digits(rest, 2, 8, c.to_digit(8)?)?).ok()?,
        'u' => return push_char(value, digits(rest, 4, 16, 0)?),
        'U' => return push_char(value, digits(rest, 8, 16, 0)?),
        _ => return None,
    };
    value.push(plain);
    Some(())
}

fn push_char(value: &mut Vec<u8>, code: u32) -> Option<()> {
    value.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).bytes());
    Some(())
}

/// `count` digits of the given base after the value read so far; eight hexadecimal digits just fill 32 bits.
fn digits(rest: &mut std::str::Chars<'_>, count: usize, base: u32, so_far: u32) -> Option<u32> {
    (0..count).try_fold(so_far, |value, _| Some((value * base) | rest.next()?.to_digit(base)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_has_the_value_go_gives_it() {
        let cases = [
            (r#""ex.com/m""#, Ok("ex.com/m")),
            (r#""""#, Ok("")),
            (r#""a\x62\143\u0064\U00000065""#, Ok("abcde")),
            (r#""\xc3\xa9""#, Ok("é")),
            (r#""\xff""#, Ok("\u{fffd}")),
            (r#""\a\b\f\n\r\t\v\\\"""#, Ok("\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"")),
            // A single quote has no escape inside double quotes.
            (r#""\'""#, Err("invalid syntax")),
            (r#""\400""#, Err("invalid syntax")),
            (r#""\ud800""#, Err("invalid syntax")),
            (r#""\UFFFFFFFF""#, Err("invalid syntax")),
            (r#""\xg0""#, Err("invalid syntax")),
            (r#""\z""#, Err("invalid syntax")),
            ("\"a\\\nb\"", Err("invalid syntax")),
            ("`a`", Err("unquoted string cannot contain quote")),
            ("'a'", Err("unquoted string cannot contain quote")),
            ("a\"b", Err("unquoted string cannot contain quote")),
            ("a", Ok("a")),
        ];
        for (token, expected) in cases {
            assert_eq!(parse_string(token), expected.map(str::to_owned).map_err(str::to_owned), "{token}");
        }
    }

    #[test]
    fn text_is_quoted_only_where_it_would_not_be_one_token() {
        let cases = [
            ("ex.com/m", "ex.com/m"),
            ("(", "("),
            ("(a", "\"(a\""),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a//b", "\"a//b\""),
            ("a/*b", "\"a/*b\""),
            ("é", "é"),
            ("a\u{a0}", "\"a\\u00a0\""),
            ("\u{1}", "\"\\x01\""),
            ("\u{e0001}", "\"\\U000e0001\""),
        ];
        for (text, expected) in cases {
            assert_eq!(auto_quote(text), expected, "{text:?}");
        }
        assert_eq!(quote_char('\u{feff}'), r"'\ufeff'");
        assert_eq!(quote_char('\''), r"'\''");
    }

    #[test]
    fn each_wrong_byte_is_one_replacement_character() {
        assert_eq!(decode(b"a\xe2\x82b"), "a\u{fffd}\u{fffd}b");
        assert_eq!(decode("é".as_bytes()), "é");
    }
}
