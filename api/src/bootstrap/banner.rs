//! What is said when the server is ready.
//!
//! Shape: the address and the data folder; at first start also how to sign in, how to make a token, and the
//! lines to paste for each first repository. No secret is in it, so it may go to a log; the generated password
//! is a text of its own, for the terminal alone.

use std::fmt::Write;
use std::path::Path;

use keeper_core::format::SetupTarget;
use keeper_core::format::template::shell_word;
use keeper_core::plugin::Registry;
use keeper_core::repository::RepositoryKind;

use super::first_start::{Administrator, FirstStart, MadeRepository};
use crate::config::Secret;
use crate::config::first_start::ADMINISTRATOR;

/// What the texts are made of.
#[derive(Clone, Copy)]
pub struct Welcome<'a> {
    /// The server's address as people type it, without a slash at its end.
    pub address: &'a str,
    /// The data folder, absolute.
    pub data_dir: &'a Path,
    /// The formats of this build.
    pub registry: &'a Registry,
    /// What first start did.
    pub first: &'a FirstStart,
}

/// The text.
#[must_use]
pub fn text(welcome: &Welcome<'_>) -> String {
    let mut text = format!(
        "Artifact Keeper {} is ready at {}\n  data folder: {}\n",
        env!("CARGO_PKG_VERSION"),
        welcome.address,
        welcome.data_dir.display()
    );
    let sign_in = match &welcome.first.administrator {
        Administrator::Existed => return text,
        Administrator::Given => "with the password you gave".to_owned(),
        Administrator::Generated(_) => "with the password shown below, once".to_owned(),
        Administrator::InFile(path) => format!("with the password in {}", path.display()),
    };
    push(&mut text, format_args!("  user: {ADMINISTRATOR}, {sign_in}\n"));
    push(&mut text, format_args!("  a token for publishing, made on this machine:\n    {}\n", token_line(welcome)));
    for made in &welcome.first.repositories {
        repository(&mut text, made);
    }
    for made in shown(&welcome.first.repositories) {
        client(&mut text, welcome, made);
    }
    text
}

/// The generated password, for the terminal.
#[must_use]
pub fn password(password: &Secret) -> String {
    format!("\n  The password of {ADMINISTRATOR} (shown this once, kept nowhere in clear): {}\n\n", password.reveal())
}

/// Those that clients are pointed to: the virtual ones, and those of a format that has none.
fn shown(made: &[MadeRepository]) -> impl Iterator<Item = &MadeRepository> {
    let is_virtual = |one: &&MadeRepository| one.kind == RepositoryKind::Virtual;
    made.iter().filter(move |one| {
        let mut siblings = made.iter().filter(|other| other.address.format == one.address.format);
        is_virtual(one) || (one.kind == RepositoryKind::Hosted && !siblings.any(|other| is_virtual(&other)))
    })
}

fn repository(text: &mut String, made: &MadeRepository) {
    let rule = if made.open { "anybody who reaches this server may read it" } else { "private: reading needs a token" };
    let what = match made.kind {
        RepositoryKind::Hosted => "takes uploads",
        RepositoryKind::Remote => "copies of what its upstream has",
        RepositoryKind::Virtual => "all of them as one",
    };
    push(text, format_args!("  repository {}: {what} ({rule})\n", made.address));
}

fn client(text: &mut String, welcome: &Welcome<'_>, made: &MadeRepository) {
    let url = format!("{}/{}", welcome.address, made.address);
    let Some(handler) = welcome.registry.get(&made.address.format) else { return };
    let target = SetupTarget {
        server_url: welcome.address,
        repository_url: &url,
        repository: made.address.name.as_str(),
        kind: made.kind,
        private: !made.open,
        may_publish: false,
        // What to trust is said once, after this text.
        own_authority: false,
        settings: &made.settings,
        private_packages: &[],
    };
    for setup in handler.setup(&target).iter().take(1) {
        push(text, format_args!("  to use {}:\n", made.address));
        for line in setup.text.lines() {
            push(text, format_args!("    {line}\n"));
        }
    }
}

fn token_line(welcome: &Welcome<'_>) -> String {
    let repositories = match welcome.first.repositories.first() {
        Some(made) => format!("{}/*", made.address.format),
        None => "*".to_owned(),
    };
    let folder = shell_word(&welcome.data_dir.display().to_string());
    format!(
        "artifact-keeper token create --data-dir {folder} --name laptop --actions read,publish --repositories '{repositories}'"
    )
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _infallible = text.write_fmt(line);
}

#[cfg(test)]
mod tests {
    use keeper_core::repository::{FormatKey, RepositoryAddress, RepositoryName, Settings};

    use super::*;
    use crate::config::first_start::REPOSITORIES;

    #[test]
    fn a_later_start_is_short_and_the_first_tells_how_to_go_on() {
        let registry = crate::bootstrap::first_start::handler::registry();
        let format = FormatKey::try_from(REPOSITORIES[0].format).expect("a key");
        let made = |name: &str, kind| MadeRepository {
            address: RepositoryAddress {
                format: format.clone(),
                name: RepositoryName::try_from(name).expect("a name"),
            },
            kind,
            open: true,
            settings: Settings::default(),
        };
        let mut first = FirstStart {
            administrator: Administrator::Existed,
            repositories: vec![made("local", RepositoryKind::Hosted)],
            token: false,
            warnings: vec![],
        };
        let show = |first: &FirstStart| {
            let data_dir = Path::new("/srv/keeper data");
            text(&Welcome { address: "http://localhost:8080", data_dir, registry: &registry, first })
        };
        assert_eq!(show(&first).lines().count(), 2);
        first.administrator = Administrator::Generated(Secret::new("hunter2hunter2"));
        let shown = show(&first);
        assert!(shown.contains("--data-dir '/srv/keeper data'") && !shown.contains("hunter2"), "{shown}");
        let line = |name: &str| format!("export PROXY=http://localhost:8080/{format}/{name}\n");
        assert!(shown.contains(&line("local")), "{shown}");
        first.repositories.push(made("main", RepositoryKind::Virtual));
        let shown = show(&first);
        assert!(shown.contains(&line("main")) && !shown.contains(&line("local")), "one address is enough: {shown}");
        first.administrator = Administrator::InFile("/srv/first-password".into());
        assert!(show(&first).contains("/srv/first-password"));
    }
}
