//! Texts that set up the `go` command, ready to paste.
//!
//! ```text
//! go env -w GOPROXY=https://host/go/local
//! # So that the public checksum database is not asked about your modules:
//! # go env -w GONOSUMDB=github.com/yourcompany
//! printf '%s\n' 'machine host login any password <token>' >> ~/.netrc
//! ```
//!
//! No `direct` behind the proxy and no GOPRIVATE: both would ask the public host for private names. The
//! example pattern stands in a comment, because pasting it would replace a good one.

use keeper_core::format::{SetupTarget, SetupText};

/// What users replace by the beginning of their own module paths.
pub const EXAMPLE_PATTERN: &str = "github.com/yourcompany";

const HTTPS_ONLY: &str = "The go command sends .netrc passwords only over https.";

/// How the `go` command sends a credential to a host; one line.
#[must_use]
pub fn login_hint(host: &str, https: bool) -> String {
    if https { format!("For the go command, in ~/.netrc: {}", netrc_line(host)) } else { HTTPS_ONLY.to_owned() }
}

/// The set-up texts for a repository.
#[must_use]
pub fn texts(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let mut text = format!(
        "{}\n\
         # So that the public checksum database is not asked about your modules:\n\
         # go env -w GONOSUMDB={EXAMPLE_PATTERN}\n",
        proxy_line(target.repository_url)
    );
    if target.private {
        let (scheme, rest) = target.repository_url.split_once("://").unwrap_or(("https", target.repository_url));
        let host = rest.split('/').next().unwrap_or_default();
        text.push_str(&match scheme {
            "https" => format!("printf '%s\\n' {} >> ~/.netrc\n", shell_word(&netrc_line(host))),
            _ => format!("# {HTTPS_ONLY} This repository is private, so it needs an https address.\n"),
        });
    }
    vec![SetupText { title: "shell", text }]
}

/// The line that makes a repository the client's proxy. A hosted repository holds what was published to it and
/// nothing else, so the modules of others come from where they are: `direct`.
#[must_use]
pub fn proxy_line(repository_url: &str) -> String {
    format!("go env -w {}", shell_word(&format!("GOPROXY={repository_url},direct")))
}

fn netrc_line(host: &str) -> String {
    format!("machine {host} login any password <token>")
}

/// The text as one word of a POSIX shell, quoted only where that is needed.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(repository_url: &str, private: bool) -> String {
        let texts = texts(&SetupTarget { repository_url, private });
        let [SetupText { title: "shell", text }] = texts.as_slice() else { panic!("{texts:?}") };
        text.clone()
    }

    #[test]
    fn the_setup_text_depends_on_who_may_read_and_how() {
        let public = shell("http://localhost:8080/go/local", false);
        assert!(public.starts_with("go env -w GOPROXY=http://localhost:8080/go/local,direct\n# "), "{public}");
        assert!(public.contains("GONOSUMDB=github.com/yourcompany\n") && !public.contains("netrc"), "{public}");
        let private = shell("https://h.example:8443/go/p", true);
        let line = "printf '%s\\n' 'machine h.example:8443 login any password <token>' >> ~/.netrc\n";
        assert!(private.ends_with(line), "{private}");
        let plain = shell("http://h.example/go/p", true);
        assert!(plain.contains("only over https") && !plain.contains("machine"), "{plain}");
    }

    #[test]
    fn the_login_hint_is_one_line() {
        let hint = login_hint("h.example:8443", true);
        assert_eq!(hint, "For the go command, in ~/.netrc: machine h.example:8443 login any password <token>");
        assert!(login_hint("h.example", false).contains("only over https"));
    }

    #[test]
    fn no_address_runs_a_command_when_it_is_pasted() {
        assert_eq!(shell_word("a$(b)'c"), "'a$(b)'\\''c'");
        assert!(shell("https://h$(x)/go/p", true).contains("'GOPROXY=https://h$(x)/go/p,direct'"));
    }
}
