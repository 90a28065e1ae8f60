//! What a setting is. Parsing, `config`, `--help` and the documentation are made of the [table](all) of them.

mod table;

use super::draft::Draft;

pub use table::all;

/// What a setting looks like in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is never shown, and has no flag: other users see the flags of a process.
    Secret,
    /// `true` or `false`.
    Switch,
    /// A whole number; a text of digits will do.
    Number,
    /// A number of bytes, or a text with its unit.
    Size,
    /// An array of texts, or one text with commas.
    List,
}

/// Where `--help` and the documentation put a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What most servers set.
    Common,
    /// Matters at first start only.
    FirstStart,
    /// Bounds that are seldom changed.
    Limits,
}

/// One setting.
pub struct Setting {
    /// Its key in the file; the other spellings follow from it.
    pub name: &'static str,
    /// What it looks like.
    pub kind: Kind,
    /// Where it is shown.
    pub group: Group,
    /// Its value when nobody says otherwise, as one would write it; `None` is not set.
    pub default: Option<&'static str>,
    /// What it means not to be set.
    pub unset: &'static str,
    /// A good value.
    pub example: &'static str,
    /// What it is, one sentence.
    pub help: &'static str,
    /// Checks a value and takes it.
    pub(super) read: fn(&mut Draft, &str) -> Result<(), String>,
}

impl Setting {
    /// `KEEPER_DATA_DIR`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("KEEPER_{}", self.name.to_ascii_uppercase())
    }

    /// `data-dir`, the flag without its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// A value as the file writes it.
    #[must_use]
    pub fn in_file(&self, text: &str) -> String {
        let quoted = |text: &str| toml_edit::Value::from(text).to_string();
        match self.kind {
            Kind::Switch => text.to_owned(),
            Kind::Number | Kind::Size if text.parse::<i128>().is_ok() => text.to_owned(),
            Kind::List => {
                let parts: Vec<_> = text.split(',').map(|part| quoted(part.trim())).collect();
                if text.is_empty() { "[]".to_owned() } else { format!("[{}]", parts.join(", ")) }
            }
            Kind::Secret => quoted("***"),
            Kind::Text | Kind::Number | Kind::Size => quoted(text),
        }
    }

    /// The setting of that key.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        all().find(|setting| setting.name == name)
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_and_example_is_a_good_value() {
        for setting in all() {
            let texts = setting.default.into_iter().chain((setting.kind != Kind::Secret).then_some(setting.example));
            for text in texts {
                assert_eq!((setting.read)(&mut Draft::blank(), text), Ok(()), "{setting:?} {text}");
            }
            assert!(!setting.help.is_empty() && !setting.help.ends_with('.'), "{setting:?}");
            assert_eq!(setting.default.is_none(), !setting.unset.is_empty(), "{setting:?}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(|setting| setting.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }
}
