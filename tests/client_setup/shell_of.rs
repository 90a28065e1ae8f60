//! What a shell gets of a text that is not shell as a whole.
//!
//! ```text
//! yaml        run: |, - |     the block below, without its indentation;  run: TEXT, - TEXT below script:
//! groovy      sh '''…''', sh '…'    with the escapes of Groovy undone
//! dockerfile  ENV A=b         export A=b;  RUN [--mount=…] TEXT
//! ```
//!
//! Only what such texts of ours hold; no parser of these languages.

/// The pieces, in order.
pub(crate) fn text(language: &str, text: &str) -> Vec<String> {
    match language {
        "yaml" => yaml(text),
        "groovy" => groovy(text),
        "dockerfile" => dockerfile(text),
        _ => panic!("{language} is not known"),
    }
}

fn yaml(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut pieces = Vec::new();
    let mut in_script = false;
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim();
        in_script = bare == "script:" || (in_script && (bare.is_empty() || indent(line) > 2));
        if bare == "run: |" || bare == "- |" {
            let own = indent(line);
            let block = lines[at + 1..].iter().take_while(|line| line.is_empty() || indent(line) > own);
            let left = block.clone().filter(|line| !line.is_empty()).map(|line| indent(line)).min().unwrap_or(0);
            let block: Vec<_> = block.map(|line| line.get(left..).unwrap_or("")).collect();
            pieces.push(block.join("\n"));
        } else if let Some(one) = bare.strip_prefix("run: ").or(bare.strip_prefix("- ").filter(|_| in_script)) {
            pieces.push(one.to_owned());
        }
    }
    pieces
}

fn groovy(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("sh '") {
        let (body, behind) = match after.strip_prefix("''") {
            Some(long) => long.split_once("'''").expect("an end"),
            None => after.split_once('\'').expect("an end"),
        };
        pieces.push(body.replace("\\\\", "\\"));
        rest = behind;
    }
    pieces
}

fn dockerfile(text: &str) -> Vec<String> {
    let piece = |line: &str| {
        if let Some(variable) = line.strip_prefix("ENV ") {
            return Some(format!("export {variable}"));
        }
        let run = line.strip_prefix("RUN ")?;
        let words: Vec<_> = run.split(' ').filter(|word| !word.starts_with("--mount=")).collect();
        Some(words.join(" "))
    };
    text.lines().filter_map(piece).collect()
}
