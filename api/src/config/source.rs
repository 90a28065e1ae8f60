//! Where values come from, and which one is in effect.

use std::fmt;

use super::Fault;
use super::settings::{self, Kind, Setting};
use crate::nearest::nearest;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of the file.
    File {
        /// The file as it was named.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

/// A value that somebody gave.
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    pub(super) source: Source,
}

/// A setting in effect.
#[derive(Clone)]
pub struct Effective {
    /// Which.
    pub setting: &'static Setting,
    /// Its value as a text, `***` for a secret; `None` is not set.
    pub text: Option<String>,
    /// Where it comes from.
    pub source: Source,
}

impl Effective {
    /// The place of a value: `artifact-keeper.toml:3`, `KEEPER_LISTEN`, `--listen`, `default`.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            Source::Default => "default".to_owned(),
            Source::File { path, line } => format!("{path}:{line}"),
            Source::Environment => self.setting.variable(),
            Source::Flag => format!("--{}", self.setting.flag()),
        }
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} = {:?} ({})", self.setting, self.text, self.place())
    }
}

impl Given {
    /// The fault of a value that breaks a rule.
    pub(super) fn fault(&self, rule: &str) -> Fault {
        let Setting { name, example, .. } = self.setting;
        let variable = self.setting.variable();
        let text = match self.setting.kind {
            Kind::Secret => "***".to_owned(),
            _ => without_password(&self.text),
        };
        Fault::new(match &self.source {
            Source::Default => format!("{name} = {text}: {rule}"),
            Source::File { path, line } => {
                let (value, example) = (self.setting.in_file(&text), self.example_in_file());
                format!("{path}:{line}: {name} = {value}: {rule}; for example {name} = {example} (or {variable})")
            }
            Source::Environment => format!("{variable}={text}: {rule}; for example {variable}={}", quoted(example)),
            Source::Flag => {
                let flag = self.setting.flag();
                format!("--{flag} {text}: {rule}; for example --{flag} {}", quoted(example))
            }
        })
    }

    fn example_in_file(&self) -> String {
        let Setting { kind, example, .. } = self.setting;
        if *kind == Kind::Secret { format!("\"…\", {example}") } else { self.setting.in_file(example) }
    }
}

fn quoted(example: &str) -> String {
    if example.contains(' ') { format!("… ({example})") } else { example.to_owned() }
}

/// A URL without the password in it.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}{}", &rest[authority.len()..])
        }
        None => text.to_owned(),
    }
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<(&'static str, String)>);

impl Overrides {
    /// Sets a setting by its key, as a flag does. Keys that are not in the table are ignored: clap has
    /// refused them before.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.0.push((name, text.into()));
        self
    }

    /// These, and then those of a verb.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }

    pub(super) fn given(&self) -> impl Iterator<Item = Given> {
        self.0.iter().filter_map(|(name, text)| {
            Some(Given { setting: Setting::named(name)?, text: text.clone(), source: Source::Flag })
        })
    }
}

/// The environment as texts. What is not UTF-8 becomes U+FFFD, which no rule takes.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.to_string_lossy().into_owned())))
}

pub(super) fn defaults() -> Vec<Given> {
    let given =
        |setting: &'static Setting| Some(Given { setting, text: setting.default?.to_owned(), source: Source::Default });
    settings::all().filter_map(given).collect()
}

/// The `KEEPER_…` variables; unknown ones are only warned of, for container platforms inject such names.
pub(super) fn from_environment(
    environment: impl Iterator<Item = (String, String)>,
    warnings: &mut Vec<String>,
) -> Vec<Given> {
    let mut variables: Vec<_> = environment.filter(|(variable, _)| variable.starts_with("KEEPER_")).collect();
    variables.sort();
    let mut given = Vec::new();
    for (variable, text) in variables {
        match settings::all().find(|setting| setting.variable() == variable) {
            Some(_) if text.is_empty() => warnings.push(format!("{variable} is empty and counts as not set")),
            Some(setting) => given.push(Given { setting, text, source: Source::Environment }),
            None => warnings.push(unknown_variable(&variable)),
        }
    }
    given
}

fn unknown_variable(variable: &str) -> String {
    let known: Vec<_> = settings::all().map(Setting::variable).collect();
    match nearest(variable, known.iter().map(String::as_str)) {
        Some(name) => format!("unknown variable {variable} is ignored; did you mean {name}?"),
        None => format!("unknown variable {variable} is ignored"),
    }
}

/// The last value of each setting.
pub(super) fn effective(given: Vec<Given>) -> Vec<Effective> {
    let mut effective: Vec<_> =
        settings::all().map(|setting| Effective { setting, text: None, source: Source::Default }).collect();
    for value in given {
        let place = effective.iter_mut().find(|effective| std::ptr::eq(effective.setting, value.setting));
        if let Some(effective) = place {
            let secret = value.setting.kind == Kind::Secret;
            effective.text = Some(if secret { "***".to_owned() } else { without_password(&value.text) });
            effective.source = value.source;
        }
    }
    effective
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let rows = [
            ("postgres://u:p@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:p@ss@h/d", "postgres://u:***@h/d"),
            ("postgres://h/d@x", "postgres://h/d@x"),
            ("/plain", "/plain"),
        ];
        for (text, shown) in rows {
            assert_eq!(without_password(text), shown);
        }
    }
}
