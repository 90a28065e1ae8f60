//! Flags and help texts from the table of settings.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::settings::{self, Group, Kind, Setting};
use crate::config::{Overrides, report};

/// The settings that were given as flags.
#[derive(Debug, Default)]
pub(super) struct Flags(pub(super) Overrides);

/// The settings that have a flag, with its name; clap wants names that live for ever.
fn with_flag() -> impl Iterator<Item = &'static (&'static Setting, String)> {
    static FLAGS: LazyLock<Vec<(&Setting, String)>> = LazyLock::new(|| {
        let open = settings::all().filter(|setting| setting.kind != Kind::Secret);
        open.map(|setting| (setting, setting.flag())).collect()
    });
    FLAGS.iter()
}

fn argument((setting, flag): &'static (&'static Setting, String)) -> Arg {
    let argument = Arg::new(setting.name).long(flag.as_str()).help(report::flag_help(setting));
    let argument = argument.hide_short_help(setting.group == Group::Limits).help_heading(heading(setting.group));
    match setting.kind {
        Kind::Switch => argument
            .value_name("true|false")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Set),
        Kind::List => argument.value_name("LIST").action(ArgAction::Append),
        Kind::Text | Kind::Number | Kind::Size | Kind::Secret => argument
            .value_name(value_name(setting))
            .allow_hyphen_values(setting.kind != Kind::Text)
            .action(ArgAction::Set),
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Common => "Settings",
        Group::FirstStart => "Settings of the first start",
        Group::Limits => "Limits",
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Number => "NUMBER",
        Kind::Size => "SIZE",
        _ if setting.name.ends_with("_url") => "URL",
        _ => "VALUE",
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(with_flag().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = with_flag().filter_map(|(setting, _)| {
            let values: Vec<_> = matches.get_many::<String>(setting.name)?.map(String::as_str).collect();
            Some((setting.name, values.join(",")))
        });
        Ok(Self(given.fold(Overrides::default(), |flags, (name, text)| flags.with(name, text))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The end of `-h`.
pub(super) fn first_help() -> String {
    "Example:\n  artifact-keeper            # http://localhost:8080, everything in ./keeper-data\n\n\
     More settings: artifact-keeper --help"
        .to_owned()
}

/// The end of `--help`.
pub(super) fn long_help() -> String {
    format!(
        "Secrets have no flag, for other users see the flags of a process. They come from the environment or the file:\n{}\n\
         Settings come from, later wins: defaults, artifact-keeper.toml, KEEPER_… variables, flags.\n\
         A key in the file is a flag with '_' for '-': --data-dir is data_dir.\n\n\
         Examples:\n  artifact-keeper\n  artifact-keeper --listen 0.0.0.0:8080 --data-dir /var/lib/artifact-keeper\n  \
         artifact-keeper config --check --config /etc/artifact-keeper.toml\n\n\
         Exit codes: 0 fine; 1 failed while running; 2 bad usage or configuration;\n\
         3 another process holds the data folder; 4 the database is newer than the program;\n\
         5 a verification found faults",
        report::without_flag()
    )
}
