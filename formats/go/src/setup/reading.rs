//! Texts for people who get modules: a shell, its environment, credentials, an image.

use keeper_core::format::template::{fill, shell_word};
use keeper_core::format::{Purpose, SetupTarget, SetupText};

use super::{HTTPS_ONLY, TOKEN, kind_note, private_line, proxies, write_line};

/// What to know of a text that keeps settings with `go env -w`.
const STRONGER: &str = "A variable of the same name in the environment is stronger than what go env -w keeps.";

pub(super) fn texts(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let has_credential = target.private && target.is_https();
    let mut texts = Vec::new();
    texts.extend(target.own_authority.then(|| trust(target)));
    texts.extend([shell(target), environment(target), powershell(target)]);
    if has_credential {
        texts.extend([netrc(target), goauth(target)]);
    }
    texts.push(dockerfile(target));
    texts
}

/// Everything that reading needs: the lines of `shell`, which pipelines run as well.
pub(super) fn all_lines(target: &SetupTarget<'_>) -> String {
    let mut text = format!(
        "{}\n{}",
        write_line("GOPROXY", &proxies(target)),
        private_line(target, |patterns| write_line("GONOSUMDB", patterns))
    );
    match (target.private, target.is_https()) {
        (false, _) => {}
        (true, true) => text.push_str(&netrc_lines(target)),
        (true, false) => {
            text.push_str(&format!("# {HTTPS_ONLY} This repository is private, so it needs an https address.\n"));
        }
    }
    text
}

/// What to know of everything that reads a private repository, or one with a certificate of our own.
pub(super) fn credential_notes(target: &SetupTarget<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if target.private && target.is_https() {
        let (name, url) = (target.repository, target.server_url);
        notes.push(format!("{TOKEN} is a token that may read the repository {name} of {url}."));
    } else if target.private {
        notes.push(format!("{HTTPS_ONLY} Ask the administrator for an https address."));
    }
    notes
}

fn trust(target: &SetupTarget<'_>) -> SetupText {
    let text =
        "export SSL_CERT_FILE=\"$HOME/artifact-keeper-ca.pem\" CURL_CA_BUNDLE=\"$HOME/artifact-keeper-ca.pem\"\n";
    SetupText {
        id: "trust",
        title: "Trust this server",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: text.to_owned(),
        notes: vec![
            format!(
                "The certificate of {} is signed by an authority of its own. First copy tls/ca.pem from the \
                 server's data folder to ~/artifact-keeper-ca.pem, on a way you trust.",
                target.host()
            ),
            "On macOS and Windows the go command asks the system instead: add the authority there.".to_owned(),
        ],
    }
}

fn shell(target: &SetupTarget<'_>) -> SetupText {
    let mut notes = credential_notes(target);
    notes.extend(kind_note(target));
    notes.push(STRONGER.to_owned());
    SetupText {
        id: "shell",
        title: "Set up the go command",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: all_lines(target),
        notes,
    }
}

fn environment(target: &SetupTarget<'_>) -> SetupText {
    let export = |name: &str, value: &str| format!("export {name}={}", shell_word(value));
    SetupText {
        id: "environment",
        title: "Set up one shell",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: format!(
            "{}\n{}",
            export("GOPROXY", &proxies(target)),
            private_line(target, |patterns| export("GONOSUMDB", patterns))
        ),
        notes: credential_notes(target).into_iter().filter(|note| note.contains(HTTPS_ONLY)).collect(),
    }
}

/// PowerShell takes a comma within a word for the end of an argument, so each is quoted. In the home of a user of Windows
/// nobody else reads, and the `go` command looks for `_netrc` there.
fn powershell(target: &SetupTarget<'_>) -> SetupText {
    let keep = |name: &str, value: &str| format!("go env -w '{name}={value}'");
    let mut text = format!(
        "{}\n{}",
        keep("GOPROXY", &proxies(target)),
        private_line(target, |patterns| keep("GONOSUMDB", patterns))
    );
    if target.private && target.is_https() {
        text.push_str(&fill(include_str!("netrc.ps1"), &[("host", target.host())]));
    }
    SetupText {
        id: "powershell",
        title: "Set up the go command",
        purpose: Purpose::Read,
        language: "powershell",
        path: None,
        text,
        notes: credential_notes(target).into_iter().chain(kind_note(target)).collect(),
    }
}

/// The file is closed for others before the secret is in it.
fn netrc_lines(target: &SetupTarget<'_>) -> String {
    format!(
        "touch ~/.netrc && chmod 600 ~/.netrc && printf 'machine %s login any password %s\\n' \\\n  \
         {} \"${{{TOKEN}:?set it to a token that may read}}\" >> ~/.netrc\n",
        shell_word(target.host())
    )
}

fn netrc(target: &SetupTarget<'_>) -> SetupText {
    let mut notes = credential_notes(target);
    notes.push("Any login will do. Of two lines for one machine the first wins: remove an older one.".to_owned());
    SetupText {
        id: "netrc",
        title: "Keep a token in .netrc",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: netrc_lines(target),
        notes,
    }
}

fn goauth(target: &SetupTarget<'_>) -> SetupText {
    let mut notes = credential_notes(target);
    notes.push("Go 1.24 or newer. It replaces .netrc; GOAUTH=\"netrc; PROGRAM\" uses both.".to_owned());
    SetupText {
        id: "goauth",
        title: "Let a program supply the token",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: fill(include_str!("goauth.sh"), &[("server", target.server_url)]),
        notes,
    }
}

fn dockerfile(target: &SetupTarget<'_>) -> SetupText {
    let mut notes = Vec::new();
    let mount = if target.private && target.is_https() {
        notes.push("docker build --secret id=netrc,src=$HOME/.netrc -t myapp .".to_owned());
        "--mount=type=secret,id=netrc,target=/root/.netrc "
    } else {
        notes.extend(credential_notes(target));
        ""
    };
    if target.own_authority {
        notes.push(
            "To trust this server, give the build its tls/ca.pem: COPY ca.pem /etc/ and ENV SSL_CERT_FILE=/etc/ca.pem."
                .to_owned(),
        );
    }
    let unknown = private_line(target, |patterns| format!("ENV GONOSUMDB={patterns}"));
    let values = [("proxies", &*proxies(target)), ("unknown", &unknown), ("mount", mount)];
    SetupText {
        id: "dockerfile",
        title: "Build an image",
        purpose: Purpose::Read,
        language: "dockerfile",
        path: Some("Dockerfile"),
        text: fill(include_str!("Dockerfile"), &values),
        notes,
    }
}
