//! The configuration file.
//!
//! Shape: `listen = "0.0.0.0:8443"`, one key a line, no sections. At most [`FILE_BYTES`].
//! Errors: unreadable (J1), syntax with line, column and a caret (J2), unknown key with the nearest one (J3),
//! wrong type (J5). A line that sets a secret is never shown.

use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, TomlError, Value};

use super::settings::{self, Kind, Setting};
use super::source::{Given, Source, without_password};
use super::{DEFAULT_FILE, FILE_BYTES, Fault};
use crate::nearest::nearest;

/// The values of the named file, or of the default one if it is there.
pub(super) fn read(named: Option<&Path>, faults: &mut Vec<Fault>) -> Vec<Given> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match text(path) {
        Ok(text) => parse(&path.display().to_string(), &text, faults),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let hint = if named.is_some() { "; --config names the file" } else { "" };
            faults.push(Fault::new(format!("cannot read configuration file {}: {error}{hint}", path.display())));
            Vec::new()
        }
    }
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

fn parse(path: &str, text: &str, faults: &mut Vec<Fault>) -> Vec<Given> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            faults.push(syntax(path, text, &error));
            return Vec::new();
        }
    };
    let mut given = Vec::new();
    let table = document.as_table();
    for (name, item) in table {
        let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        let line = span.map_or(1, |span| position(text, span.start).0);
        let Some(setting) = Setting::named(name) else {
            faults.push(unknown(path, line, name, item));
            continue;
        };
        match as_text(setting.kind, item) {
            Ok(text) => given.push(Given { setting, text, source: Source::File { path: path.to_owned(), line } }),
            Err(expected) => faults.push(wrong_type(path, line, setting, item, expected)),
        }
    }
    given
}

fn wrong_type(path: &str, line: usize, setting: &Setting, item: &Item, expected: &str) -> Fault {
    let (name, variable, shown) = (setting.name, setting.variable(), shown(setting.kind, item));
    let example = if setting.kind == Kind::Secret { "\"…\"".to_owned() } else { setting.in_file(setting.example) };
    Fault::new(format!(
        "{path}:{line}: {name} = {shown}: expected {expected}; for example {name} = {example} (or {variable})"
    ))
}

/// The value as one would write it in the environment; the error says what was expected.
fn as_text(kind: Kind, item: &Item) -> Result<String, &'static str> {
    let found = item.as_value();
    match (kind, found) {
        (Kind::Text | Kind::Secret, Some(Value::String(text))) => Ok(text.value().clone()),
        (Kind::Text | Kind::Secret, _) => Err("a text in quotes"),
        (Kind::Switch, Some(Value::Boolean(on))) => Ok(on.value().to_string()),
        (Kind::Switch, _) => Err("true or false"),
        (Kind::Number | Kind::Size, Some(Value::Integer(number))) => Ok(number.value().to_string()),
        (Kind::Number | Kind::Size, Some(Value::String(text))) => Ok(text.value().clone()),
        (Kind::Number, _) => Err("a whole number"),
        (Kind::Size, _) => Err("a number of bytes or a text with its unit"),
        (Kind::List, Some(Value::String(text))) => Ok(text.value().clone()),
        (Kind::List, Some(Value::Array(list))) => {
            let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(",")).ok_or("a list of texts")
        }
        (Kind::List, _) => Err("a list of texts"),
    }
}

fn shown(kind: Kind, item: &Item) -> String {
    if kind == Kind::Secret {
        return "***".to_owned();
    }
    match item.as_value() {
        Some(value) => value.to_string().trim().to_owned(),
        None => format!("({})", item.type_name()),
    }
}

fn unknown(path: &str, line: usize, name: &str, item: &Item) -> Fault {
    if item.is_table_like() && item.as_value().is_none() || item.is_array_of_tables() {
        return Fault::new(format!(
            "{path}:{line}: unknown section [{name}]: there are no sections; write the keys at the top of the file"
        ));
    }
    let known = settings::all().map(|setting| setting.name);
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "'artifact-keeper config' lists all keys".to_owned(),
    };
    Fault::new(format!("{path}:{line}: unknown key {name:?}; {hint}"))
}

fn syntax(path: &str, text: &str, error: &TomlError) -> Fault {
    let Range { start, .. } = error.span().unwrap_or(0..0);
    let (line_number, column) = position(text, start);
    let line = text.lines().nth(line_number - 1).unwrap_or_default();
    let secret = settings::all().any(|setting| setting.kind == Kind::Secret && line.contains(setting.name));
    let line = if secret { "(a line with a secret, not shown)".to_owned() } else { without_password(line) };
    // The message may quote what it found.
    let message = if secret { "this is not TOML".to_owned() } else { error.message().trim().replace('\n', ", ") };
    let caret = if secret { String::new() } else { format!("\n  {}^", " ".repeat(column - 1)) };
    Fault::new(format!("{path}:{line_number}:{column}: {message}\n  {line}{caret}"))
}

/// Line and column, both counted from 1; columns are characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        parse("k.toml", text, &mut faults);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_fault_names_its_line_and_what_was_expected() {
        let rows = [
            ("\nlisen = \"x\"\n", "k.toml:2: unknown key \"lisen\"; did you mean listen?"),
            ("sqlite = 1", "k.toml:1: unknown key \"sqlite\"; 'artifact-keeper config' lists all keys"),
            (
                "[server]\nlisten = \"x\"",
                "k.toml:1: unknown section [server]: there are no sections; write the keys at the top of the file",
            ),
            (
                "listen = 8080",
                "k.toml:1: listen = 8080: expected a text in quotes; for example listen = \"0.0.0.0:8080\" (or KEEPER_LISTEN)",
            ),
            (
                "admin_password = 123456789012",
                "k.toml:1: admin_password = ***: expected a text in quotes; for example admin_password = \"…\" (or KEEPER_ADMIN_PASSWORD)",
            ),
            (
                "tls_self_signed = \"yes\"",
                "k.toml:1: tls_self_signed = \"yes\": expected true or false; for example tls_self_signed = true (or KEEPER_TLS_SELF_SIGNED)",
            ),
            (
                "max_uploads = 1.5",
                "k.toml:1: max_uploads = 1.5: expected a whole number; for example max_uploads = 32 (or KEEPER_MAX_UPLOADS)",
            ),
            (
                "trusted_proxies = [1]",
                "k.toml:1: trusted_proxies = [1]: expected a list of texts; for example trusted_proxies = [\"10.0.0.0/24\"] (or KEEPER_TRUSTED_PROXIES)",
            ),
        ];
        for (text, fault) in rows {
            assert_eq!(faults(text), [fault], "{text}");
        }
    }

    #[test]
    fn a_syntax_error_shows_line_and_caret_but_never_a_secret() {
        let fault = faults("log = \"info\"\nlisten = \n").remove(0);
        assert!(fault.starts_with("k.toml:2:"), "{fault}");
        assert!(fault.contains("\n  listen = \n  ") && fault.ends_with('^'), "{fault}");
        let fault = faults("admin_password = \"hunter2\n").remove(0);
        assert!(!fault.contains("hunter2"), "{fault}");
        assert_eq!(faults("log = \"a\"\nlog = \"b\"").len(), 1);
    }
}
