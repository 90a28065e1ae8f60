//! What a format tells those who use its client: how to set it up, what is wrong with it, what it asks for.
//!
//! ```text
//! SetupTarget ─▶ setup ─▶ [SetupText]     ready to paste, with the real address
//! report + DoctorTarget ─▶ doctor ─▶ [Finding]    a setting at fault, and the commands that mend it
//! package, version ─▶ requests ─▶ [path]  what a client asks for, so that an answer can be explained
//! ```
//!
//! All of it is pure. The platform knows the address, the rights of the caller and the certificate; the format
//! knows its client.

use crate::artifact::PackageName;
use crate::repository::{RepositoryKind, Settings};

/// A repository as one caller reaches it.
#[derive(Debug, Clone, Copy)]
pub struct SetupTarget<'a> {
    /// The address of the server: `https://host`. Of these and of [`repository_url`](Self::repository_url) the
    /// platform promises that they hold nothing but what a plain URL holds: no quotes, blanks, `$` or `;`.
    pub server_url: &'a str,
    /// The address of the repository: `https://host/go/local`.
    pub repository_url: &'a str,
    /// Its name within the format.
    pub repository: &'a str,
    /// Where its content comes from.
    pub kind: RepositoryKind,
    /// Whether a credential is needed to read.
    pub private: bool,
    /// Whether the caller may publish here.
    pub may_publish: bool,
    /// Whether the server's certificate is signed by an authority of its own, which clients do not know.
    pub own_authority: bool,
    /// The format's own part of the repository's settings.
    pub settings: &'a Settings,
    /// Patterns of the packages that are private to the one who asks, which the format accepted
    /// ([`check_pattern`](super::FormatHandler::check_pattern)) and of which the platform promises what it promises of the
    /// addresses; empty: those that the settings know.
    pub private_packages: &'a [String],
}

impl<'a> SetupTarget<'a> {
    /// The host with its port, as clients write it beside a credential.
    #[must_use]
    pub fn host(&self) -> &'a str {
        host_of(self.server_url)
    }

    /// Whether requests travel encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.server_url.starts_with("https://")
    }
}

/// The host of an address with its port, as clients type it: a `.netrc` line without the port does not match.
#[must_use]
pub fn host_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// What somebody wants to do with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Get packages.
    Read,
    /// Publish them.
    Publish,
}

impl Purpose {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
        }
    }
}

/// A text that sets up a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupText {
    /// Names it within the format (`netrc`); stable.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is written in: `sh` for a POSIX shell, `powershell`, else `yaml`, `groovy`, `dockerfile`, …
    pub language: &'static str,
    /// The file that it is the content of; `None` for what is pasted into a shell.
    pub path: Option<&'static str>,
    /// Ready to use. A secret is never in it: texts read it from a variable that a note names.
    pub text: String,
    /// What to know, in the order of importance.
    pub notes: Vec<String>,
}

/// Against what a client's report is held.
#[derive(Debug, Clone, Copy)]
pub struct DoctorTarget<'a> {
    /// The repository that the client shall use.
    pub repository: SetupTarget<'a>,
    /// The addresses of all repositories of the format that the caller may read.
    pub readable: &'a [String],
    /// The package that makes trouble, if one was named.
    pub package: Option<&'a PackageName>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not work, or not with this server.
    Error,
    /// It works, with a consequence that is easily overlooked.
    Warning,
    /// It could be better.
    Advice,
}

impl Severity {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// Something about a client's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable name, unique within the format.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The setting at fault.
    pub setting: &'static str,
    /// What is wrong and what follows from it. Holds no secret of the report.
    pub explanation: String,
    /// Commands for the user's shell that mend it, one a line; may be empty.
    pub commands: Vec<String>,
}

/// What a format can do beyond serving what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Takes uploads through `POST /api/artifacts`.
    Publish,
    /// Branch and tag names lead to versions.
    Labels,
    /// Passes on what an authority of the ecosystem says, such as a checksum database.
    Authority,
    /// Judges the settings of a client.
    Doctor,
}

impl Capability {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Labels => "labels",
            Self::Authority => "authority",
            Self::Doctor => "doctor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_login_is_for_the_host_with_its_port() {
        assert_eq!(host_of("https://h.example:8443"), "h.example:8443");
        assert_eq!(host_of("https://h.example/below"), "h.example");
        assert_eq!(host_of(""), "");
    }
}
