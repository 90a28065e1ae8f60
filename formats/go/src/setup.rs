//! Texts that set up the `go` command and publish modules, ready to use.
//!
//! ```text
//! trust                                    where the certificate is of the server's own authority
//! shell, environment, powershell, netrc, goauth        for people: reading
//! dockerfile, github-actions, gitlab-ci, jenkins
//! publish, github-actions-publish, …       for those who may publish
//! ```
//!
//! The longer ones are templates beside this file, in the language that they are written in (see [`keeper_core::format::template`]).
//! Every text works as it is: secrets come from `ARTIFACT_KEEPER_TOKEN`, and what cannot be known stands in a
//! comment, because pasting an example would replace a good value.
//!
//! A hosted repository holds what was published to it and nothing else, so the modules of others come from where
//! they are: `direct` stands behind it. A remote or virtual one has the modules of the world, checksums and toolchains
//! too, so it stands alone: what stood behind it would be asked for each name that it does not know, private ones that
//! are mistyped among them. Never GOPRIVATE: it would make the client go around the repository.
//!
//! Sources: <https://go.dev/ref/mod#private-modules>, `go help goauth`, curl's manual for `--fail-with-body`.

mod pipelines;
mod publishing;
mod reading;

use keeper_core::format::template::shell_word;
use keeper_core::format::{SetupTarget, SetupText};
use keeper_core::repository::RepositoryKind;

use crate::settings;

/// What users replace by the beginning of their own module paths.
pub const EXAMPLE_PATTERN: &str = "github.com/yourcompany";

/// The variable that texts read a token from.
const TOKEN: &str = "ARTIFACT_KEEPER_TOKEN";

const HTTPS_ONLY: &str = "The go command sends .netrc passwords only over https.";

/// How the `go` command sends a credential to a host; one line.
#[must_use]
pub fn login_hint(host: &str, https: bool) -> String {
    if https {
        format!("For the go command, in ~/.netrc: machine {host} login any password <token>")
    } else {
        HTTPS_ONLY.to_owned()
    }
}

/// The set-up texts for a repository: for reading, and for publishing if the caller may.
#[must_use]
pub fn texts(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let mut texts = reading::texts(target);
    texts.extend(pipelines::reading(target));
    if target.may_publish {
        texts.push(publishing::recipe(target));
        texts.extend(pipelines::publishing(target));
    }
    texts
}

/// The line that makes a repository the client's proxy.
#[must_use]
pub fn proxy_line(repository_url: &str, kind: RepositoryKind) -> String {
    write_line("GOPROXY", &with_the_rest(repository_url, kind))
}

/// The value of GOPROXY for a repository.
pub(crate) fn proxies(target: &SetupTarget<'_>) -> String {
    with_the_rest(target.repository_url, target.kind)
}

/// The value of GONOSUMDB, if the caller or the repository's settings know the modules that are private.
pub(crate) fn private_patterns(target: &SetupTarget<'_>) -> Option<String> {
    if !target.private_packages.is_empty() {
        return Some(target.private_packages.join(","));
    }
    // Stored patterns were checked; one that cannot be read is no advice.
    let patterns = settings::nosumdb(target.settings).unwrap_or_default();
    let patterns: Vec<_> = patterns.iter().map(crate::pattern::Pattern::as_str).collect();
    Some(patterns.join(",")).filter(|joined| !joined.is_empty())
}

/// The command that keeps a setting for this user.
pub(crate) fn write_line(name: &str, value: &str) -> String {
    format!("go env -w {}", shell_word(&format!("{name}={value}")))
}

fn with_the_rest(repository_url: &str, kind: RepositoryKind) -> String {
    match kind {
        RepositoryKind::Hosted => format!("{repository_url},direct"),
        RepositoryKind::Remote | RepositoryKind::Virtual => repository_url.to_owned(),
    }
}

/// A line about the private modules: as it is where they are known, else an example in a comment; nothing where there
/// are none.
fn private_line(target: &SetupTarget<'_>, line: impl Fn(&str) -> String) -> String {
    match (private_patterns(target), target.kind) {
        (Some(patterns), _) => line(&patterns) + "\n",
        // What an upstream has is the world's.
        (None, RepositoryKind::Remote) => String::new(),
        (None, RepositoryKind::Hosted | RepositoryKind::Virtual) => format!(
            "# So that the public checksum database is not asked about your modules:\n# {}\n",
            line(EXAMPLE_PATTERN)
        ),
    }
}

/// What to know of a repository that has more than what was published to it.
fn kind_note(target: &SetupTarget<'_>) -> Option<String> {
    let text = "This address is all that GOPROXY needs: public modules, newer toolchains and the checksum database \
                come through it as well. Put nothing behind it, or private names are asked for there.";
    (target.kind != RepositoryKind::Hosted).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
