//! The part of a repository's settings that belongs to Go.
//!
//! ```json
//! { "checksum_database": "sum.golang.org", "nosumdb": ["github.com/yourcompany"], "unique_ignoring_case": false,
//!   "verify": "require" }
//! ```
//!
//! `checksum_database` is the one database whose answers are passed on to clients, and which vouches for copies: `off`,
//! a name, or a name and the address of a mirror, as in the client's `GOSUMDB`: `sum.golang.org
//! https://mirror.example`. Another database than the public one is named by its key: `name+hash+key`.
//! `nosumdb` are patterns of modules that no database is ever asked about. `unique_ignoring_case` refuses a
//! module whose path differs from another's only in case.
//!
//! `verify` says what a remote repository keeps: with `require` only what the database vouches for, with `record` also
//! what it does not know, with `off` anything sound. It is `off` unless said where there is no database.
//!
//! Units and bounds: [`NOSUMDB_PATTERNS`] patterns; a name has [`NAME_BYTES`], an address [`URL_BYTES`].
//! Errors: `unknown_field`, `invalid_field`, one problem for each bad setting.

use keeper_core::error::{Failure, Problem, codes};
use keeper_core::repository::Settings;
use keeper_core::upstream::AuthoritySpec;
use serde_json::{Map, Value, json};

use crate::absent::shown;
use crate::confirm::UNIQUE_IGNORING_CASE;
use crate::pattern::{Pattern, PatternFault};
use crate::sumdb::note::VerifierKey;

/// The checksum database whose answers are passed on.
pub const CHECKSUM_DATABASE: &str = "checksum_database";
/// Modules that no checksum database is asked about.
pub const NOSUMDB: &str = "nosumdb";

/// Patterns of `nosumdb`: each lookup tries them all.
pub const NOSUMDB_PATTERNS: usize = 100;
/// Bytes of a checksum database's name.
pub const NAME_BYTES: usize = 200;
/// Bytes of a checksum database's address.
pub const URL_BYTES: usize = 500;

/// The key of the public database. Source: `cmd/go/internal/modfetch/key.go`.
pub const PUBLIC_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
/// What a remote repository keeps.
pub const VERIFY: &str = "verify";

const DEFAULT_DATABASE: &str = "sum.golang.org";
const OFF: &str = "off";

/// What a remote repository keeps of what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Only what the checksum database vouches for.
    Require,
    /// Also what it does not know.
    Record,
    /// All that is sound.
    Off,
}

impl Verify {
    const ALL: [(&'static str, Self); 3] = [("require", Self::Require), ("record", Self::Record), (OFF, Self::Off)];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, verify)| verify)
    }
}

/// The JSON schema of these settings.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "checksum_database": {
      "title": "Checksum database",
      "type": "string",
      "default": "sum.golang.org",
      "description": "The checksum database whose answers are passed on to clients, and which vouches for copies: a name, or name+hash+key for another one than the public one; then the address, if it is not https:// and the name; or off."
    },
    "nosumdb": {
      "title": "Modules it is never asked about",
      "type": "array",
      "items": { "type": "string", "maxLength": 200 },
      "maxItems": 100,
      "default": [],
      "description": "Patterns of module paths that no checksum database is ever asked about, such as github.com/yourcompany."
    },
    "unique_ignoring_case": {
      "title": "Refuse paths that differ only in case",
      "type": "boolean",
      "default": false,
      "description": "Refuse a module whose path differs from that of another one only in case."
    },
    "verify": {
      "title": "What is kept of an upstream",
      "type": "string",
      "enum": ["require", "record", "off"],
      "default": "require",
      "description": "What a remote repository keeps: require, only what the checksum database vouches for; record, also what it does not know; off, anything sound. Without a database it is off."
    }
  }
}"#;

/// Checks the settings and fills in the defaults.
///
/// # Errors
/// One problem for each bad setting.
pub fn check(given: Settings) -> Result<Settings, Failure> {
    let mut kept = Map::new();
    kept.insert(CHECKSUM_DATABASE.to_owned(), json!(DEFAULT_DATABASE));
    kept.insert(NOSUMDB.to_owned(), json!([]));
    kept.insert(UNIQUE_IGNORING_CASE.to_owned(), json!(false));
    let mut problems = Vec::new();
    for (key, value) in given.0 {
        let checked = match key.as_str() {
            CHECKSUM_DATABASE => checksum_database(value),
            NOSUMDB => nosumdb_patterns(value),
            VERIFY => match value.as_str().and_then(Verify::parse) {
                Some(_) => Ok(value),
                None => Err(vec![invalid("it is require, record or off".to_owned())]),
            },
            UNIQUE_IGNORING_CASE => match value {
                Value::Bool(_) => Ok(value),
                _ => Err(vec![invalid("it is true or false".to_owned())]),
            },
            _ => Err(vec![unknown(&key)]),
        };
        let name = format!("settings.{}", shown(&key));
        match checked {
            Ok(value) => {
                kept.insert(key, value);
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| problem.field(name.clone()))),
        }
    }
    let has_database = kept.get(CHECKSUM_DATABASE).and_then(Value::as_str) != Some(OFF);
    match kept.get(VERIFY).and_then(Value::as_str) {
        Some(word) if word != OFF && !has_database => {
            let detail = format!("\"{word}\" needs a checksum database, and that is off");
            problems.push(invalid(detail).field(format!("settings.{VERIFY}")));
        }
        Some(_) => {}
        None => drop(kept.insert(VERIFY.to_owned(), json!(if has_database { "require" } else { OFF }))),
    }
    Failure::from_problems(problems).map_or(Ok(Settings(kept)), Err)
}

/// What a remote repository keeps; the strictest, when the record does not say.
#[must_use]
pub fn verify(settings: &Settings) -> Verify {
    settings.text(VERIFY).and_then(Verify::parse).unwrap_or(Verify::Require)
}

/// The key by which the answers of the checksum database are checked; `None` when no key is known.
#[must_use]
pub fn database_key(settings: &Settings) -> Option<VerifierKey> {
    let text = settings.text(CHECKSUM_DATABASE).unwrap_or(DEFAULT_DATABASE);
    let word = text.split(' ').next().unwrap_or_default();
    VerifierKey::parse(if word == DEFAULT_DATABASE { PUBLIC_KEY } else { word }).ok()
}

/// The checksum database that these settings name; `None` for `off`.
#[must_use]
pub fn database(settings: &Settings) -> Option<AuthoritySpec> {
    let text = settings.text(CHECKSUM_DATABASE).unwrap_or(DEFAULT_DATABASE);
    let (word, url) = text.split_once(' ').map_or((text, None), |(word, url)| (word, Some(url)));
    let name = word.split('+').next().unwrap_or_default();
    let url = url.map_or_else(|| format!("https://{name}"), |url| url.trim_end_matches('/').to_owned());
    (name != OFF).then(|| AuthoritySpec { name: name.to_owned(), url })
}

/// The patterns of modules that no database may be asked about.
///
/// # Errors
/// When a stored one cannot be read: to pass over it would send private names out.
pub fn nosumdb(settings: &Settings) -> Result<Vec<Pattern>, PatternFault> {
    settings.texts(NOSUMDB).into_iter().map(Pattern::parse).collect()
}

fn checksum_database(value: Value) -> Result<Value, Vec<Problem>> {
    let refused = |reason: String| Err(vec![invalid(reason)]);
    let Some(text) = value.as_str() else { return refused("it is a text".to_owned()) };
    let mut words = text.split_ascii_whitespace();
    let (word, url) = match (words.next(), words.next(), words.next()) {
        (Some(word), url, None) => (word, url),
        _ => return refused(format!("\"{}\" is not a name, or a name and an address", shown(text))),
    };
    let name = match word.split_once('+').map(|(name, _)| (name, VerifierKey::parse(word))) {
        None => word,
        Some((name, Ok(_))) => name,
        Some((_, Err(fault))) => return refused(format!("\"{}\" is not accepted: {fault}", shown(word))),
    };
    match (database_name(name), url) {
        (Err(reason), _) => refused(format!("\"{}\" is not a checksum database's name: {reason}", shown(name))),
        (Ok(()), None) if name != OFF && !name.contains('.') => refused(format!(
            "\"{}\" is not a checksum database's name: without an address it begins with a host name",
            shown(name)
        )),
        (Ok(()), None) => Ok(json!(word)),
        (Ok(()), Some(_)) if name == OFF => refused("\"off\" has no address".to_owned()),
        (Ok(()), Some(url)) => match database_url(url) {
            Ok(()) => Ok(json!(format!("{word} {}", url.trim_end_matches('/')))),
            Err(reason) => refused(format!("\"{}\" is not accepted as an address: {reason}", shown(url))),
        },
    }
}

/// A name stands in request paths: `/sumdb/{name}/supported`.
fn database_name(name: &str) -> Result<(), &'static str> {
    if name.len() > NAME_BYTES {
        return Err("it is too long");
    }
    let accepted = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    let sound = |element: &str| !element.trim_matches('.').is_empty() && element.bytes().all(accepted);
    if name.split('/').all(sound) { Ok(()) } else { Err("a name looks like sum.golang.org") }
}

/// Over plain http the names of modules could be read on the way, so it is for a database on the same
/// machine only. Which addresses may be reached at all, the platform's client decides.
fn database_url(url: &str) -> Result<(), &'static str> {
    if url.len() > URL_BYTES {
        return Err("it is too long");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['?', '#', '@', '\\']) {
        return Err("no credentials, query, fragment or characters outside ASCII");
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    let bare = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(bare, _)| bare);
    match scheme {
        _ if bare.is_empty() => Err("it has no host"),
        "https" => Ok(()),
        "http" if matches!(bare, "localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        _ => Err("it begins with https://"),
    }
}

fn nosumdb_patterns(value: Value) -> Result<Value, Vec<Problem>> {
    let Value::Array(entries) = value else {
        return Err(vec![invalid("it is a list of patterns".to_owned())]);
    };
    if entries.len() > NOSUMDB_PATTERNS {
        return Err(vec![invalid(format!("it has {} patterns; {NOSUMDB_PATTERNS} are accepted", entries.len()))]);
    }
    let mut patterns = Vec::with_capacity(entries.len());
    let mut problems = Vec::new();
    for entry in entries {
        match entry.as_str().map(|text| (text, Pattern::parse(text))) {
            Some((_, Ok(pattern))) => patterns.push(json!(pattern.as_str())),
            Some((text, Err(fault))) => {
                problems.push(invalid(format!("\"{}\" is not a pattern: {fault}", shown(text))));
            }
            None => problems.push(invalid("a pattern is a text".to_owned())),
        }
    }
    if problems.is_empty() { Ok(Value::Array(patterns)) } else { Err(problems) }
}

fn invalid(detail: String) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail)
        .hint(r#"Example: {"checksum_database": "sum.golang.org", "nosumdb": ["github.com/yourcompany"], "unique_ignoring_case": false}"#)
}

fn unknown(key: &str) -> Problem {
    Problem::new(&codes::UNKNOWN_FIELD, format!("a Go repository has no setting \"{}\"", shown(key)))
        .hint(format!("Accepted: {CHECKSUM_DATABASE}, {NOSUMDB}, {UNIQUE_IGNORING_CASE}, {VERIFY}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(value: Value) -> Settings {
        match value {
            Value::Object(map) => Settings(map),
            other => panic!("{other} is not an object"),
        }
    }

    #[test]
    fn what_is_not_given_has_a_default() {
        let defaults = json!({
            "checksum_database": "sum.golang.org", "nosumdb": [], "unique_ignoring_case": false, "verify": "require",
        });
        assert_eq!(check(Settings::default()).expect("defaults"), settings(defaults.clone()));
        assert_eq!(check(settings(defaults.clone())).expect("the same again"), settings(defaults));
    }

    #[test]
    fn the_schema_names_what_is_accepted() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let properties = schema["properties"].as_object().expect("properties");
        let defaults = check(Settings::default()).expect("defaults").0;
        assert_eq!(properties.keys().collect::<Vec<_>>(), defaults.keys().collect::<Vec<_>>());
        for (key, value) in &defaults {
            assert_eq!(&properties[key]["default"], value, "{key}");
            assert!(properties[key]["title"].is_string(), "{key} has a label for forms");
        }
    }

    #[test]
    fn a_checksum_database_is_a_name_with_or_without_an_address() {
        let rows = [
            ("sum.golang.org", Some(("sum.golang.org", "https://sum.golang.org"))),
            (" sum.golang.org  https://m.example/sum/ ", Some(("sum.golang.org", "https://m.example/sum"))),
            ("keys https://m.example:8443", Some(("keys", "https://m.example:8443"))),
            ("keys http://127.0.0.1:9", Some(("keys", "http://127.0.0.1:9"))),
            ("keys http://[::1]:9/x", Some(("keys", "http://[::1]:9/x"))),
            ("h.example/go/r/sumdb/log", Some(("h.example/go/r/sumdb/log", "https://h.example/go/r/sumdb/log"))),
            ("off", None),
        ];
        for (text, wanted) in rows {
            let checked = check(settings(json!({ "checksum_database": text }))).expect(text);
            let found = database(&checked);
            assert_eq!(found.as_ref().map(|spec| (spec.name.as_str(), spec.url.as_str())), wanted, "{text}");
        }
        assert_eq!(database(&Settings::default()).expect("the default").name, "sum.golang.org");
    }

    #[test]
    fn a_bad_setting_is_named() {
        let rows = [
            (json!({"checksum_database": ""}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": 1}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "sum"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b c d"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "off https://a.b"}), "invalid_field", "settings.checksum_database"),
            (
                json!({"checksum_database": "sum.golang.org+033de0ae+Ac4z"}),
                "invalid_field",
                "settings.checksum_database",
            ),
            (json!({"checksum_database": "a.b/../c"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b/"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b http://a.b"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b http://localhost.evil"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b https://u:p@a.b"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b https://"}), "invalid_field", "settings.checksum_database"),
            (json!({"checksum_database": "a.b file:///etc"}), "invalid_field", "settings.checksum_database"),
            (json!({"nosumdb": "a.b"}), "invalid_field", "settings.nosumdb"),
            (json!({"nosumdb": ["a.b", 1]}), "invalid_field", "settings.nosumdb"),
            (json!({"nosumdb": ["a.b,c.d"]}), "invalid_field", "settings.nosumdb"),
            (json!({"nosumdb": vec!["a.b"; NOSUMDB_PATTERNS + 1]}), "invalid_field", "settings.nosumdb"),
            (json!({"unique_ignoring_case": "true"}), "invalid_field", "settings.unique_ignoring_case"),
            (json!({"verify": "yes"}), "invalid_field", "settings.verify"),
            (json!({"verify": true}), "invalid_field", "settings.verify"),
            (json!({"verify": "require", "checksum_database": "off"}), "invalid_field", "settings.verify"),
            (json!({"verified": "require"}), "unknown_field", "settings.verified"),
        ];
        for (given, code, field) in rows {
            let failure = check(settings(given.clone())).expect_err("refused");
            assert_eq!((failure.code().name, failure.first().field.as_deref()), (code, Some(field)), "{given}");
        }
        assert!(check(settings(json!({"nosumdb": vec!["a.b"; NOSUMDB_PATTERNS]}))).is_ok());
    }

    #[test]
    fn all_bad_settings_are_named_at_once() {
        let given = json!({"nosumdb": ["", "[", "a.b"], "unique_ignoring_case": 1, "x": 1});
        let failure = check(settings(given)).expect_err("refused");
        assert_eq!(failure.problems().count(), 4);
    }
}
