//! The table of settings as texts: what is in effect, and the help of the command line.

use std::fmt::Write;

use super::Loaded;
use super::settings::{self, Kind};

/// The configuration in effect, as a file that could be used: each line says where its value comes from,
/// settings that are not set are comments, secrets are `***`.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let lines: Vec<_> = loaded
        .effective
        .iter()
        .map(|effective| {
            let name = effective.setting.name;
            match &effective.text {
                Some(text) => (format!("{name} = {}", effective.setting.in_file(text)), effective.place()),
                None => (format!("# {name} is not set"), effective.setting.unset.to_owned()),
            }
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    lines.iter().fold(String::new(), |mut text, (line, place)| {
        let _infallible = writeln!(text, "{line:width$}  # {place}");
        text
    })
}

/// The help of a setting's flag: what it is, its variable, its default.
#[must_use]
pub fn flag_help(setting: &super::settings::Setting) -> String {
    let default = setting.default.unwrap_or(setting.unset);
    format!("{} [{}] [default: {default}]", setting.help, setting.variable())
}

/// Settings that have no flag, for the end of `--help`.
#[must_use]
pub fn without_flag() -> String {
    let secrets = settings::all().filter(|setting| setting.kind == Kind::Secret);
    secrets.fold(String::new(), |mut text, setting| {
        let _infallible = writeln!(text, "  {:<24}{}", setting.variable(), setting.help);
        text
    })
}
