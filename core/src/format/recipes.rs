//! Set-up texts that work for every format, for it is the platform that they speak to: curl in place of a client.
//!
//! ```text
//! trust       where the certificate is of the server's own authority
//! curl        what the repository holds, and its newest file
//! netrc       where reading needs a credential
//! publish     an upload through POST /api/artifacts, for those who may
//! ```
//!
//! A format whose ecosystem has a client of its own replaces them; one whose client is curl adds to them. Secrets come
//! from [`TOKEN`]; the words that only the user knows from variables that the text asks for.

use super::template::{fill, shell_word};
use super::{Purpose, SetupTarget, SetupText};

/// The variable that texts read a token from.
pub const TOKEN: &str = "ARTIFACT_KEEPER_TOKEN";

/// Texts for a repository of a format that has none of its own.
#[must_use]
pub fn plain(format: &str, target: &SetupTarget<'_>) -> Vec<SetupText> {
    let mut texts = reading(format, target);
    texts.extend(target.may_publish.then(|| publish(format, target)));
    texts
}

/// Those for reading.
#[must_use]
pub fn reading(format: &str, target: &SetupTarget<'_>) -> Vec<SetupText> {
    let mut texts: Vec<_> = target.own_authority.then(|| trust(target)).into_iter().collect();
    texts.push(curl(format, target));
    texts.extend(target.private.then(|| netrc(target)));
    texts
}

/// How curl sends the token, where there must be one. `-n` reads `.netrc`; a token as an argument could be read by
/// every user of the machine.
#[must_use]
pub fn curl_credential(target: &SetupTarget<'_>) -> &'static str {
    if target.private { "-n " } else { "" }
}

fn trust(target: &SetupTarget<'_>) -> SetupText {
    SetupText {
        id: "trust",
        title: "Trust this server",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: "export CURL_CA_BUNDLE=\"$HOME/artifact-keeper-ca.pem\"\n".to_owned(),
        notes: vec![format!(
            "The certificate of {} is signed by an authority of its own. First copy tls/ca.pem from the server's data \
             folder to ~/artifact-keeper-ca.pem, on a way you trust.",
            target.host()
        )],
    }
}

fn curl(format: &str, target: &SetupTarget<'_>) -> SetupText {
    let values = [
        ("credential", curl_credential(target)),
        ("server", target.server_url),
        ("format", format),
        ("repository", target.repository),
    ];
    let mut notes =
        vec!["Each file has its address in the list, as \"url\"; it can be fetched with ranges.".to_owned()];
    notes.extend(target.private.then(|| "The token comes from ~/.netrc.".to_owned()));
    SetupText {
        id: "curl",
        title: "List and fetch with curl",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: fill(include_str!("recipes/curl.sh"), &values),
        notes,
    }
}

fn netrc(target: &SetupTarget<'_>) -> SetupText {
    let name = target.host().rsplit_once(':').map_or(target.host(), |(name, _)| name);
    SetupText {
        id: "netrc",
        title: "Keep a token in .netrc",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: fill(include_str!("recipes/netrc.sh"), &[("host", &shell_word(name)), ("token", TOKEN)]),
        notes: vec![
            format!("{TOKEN} is a token that may read the repository {} of {}.", target.repository, target.server_url),
            "Any login will do. curl looks for the name without the port. Of two lines for one machine the first wins."
                .to_owned(),
        ],
    }
}

fn publish(format: &str, target: &SetupTarget<'_>) -> SetupText {
    let server = shell_word(target.server_url);
    let values = [("token", TOKEN), ("server", &*server), ("format", format), ("repository", target.repository)];
    SetupText {
        id: "publish",
        title: "Publish with curl",
        purpose: Purpose::Publish,
        language: "sh",
        path: None,
        text: fill(include_str!("recipes/publish.sh"), &values),
        notes: vec![
            token_note(target),
            "FILE is the file, NAME and VERSION are what it is of. GET /api/formats names further fields.".to_owned(),
            "The same content again is no error; other content for a version that exists is.".to_owned(),
        ],
    }
}

/// What to know of the token that a text publishes with.
#[must_use]
pub fn token_note(target: &SetupTarget<'_>) -> String {
    format!("{TOKEN} is a token that may publish to the repository {} and nothing else.", target.repository)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{RepositoryKind, Settings};

    #[test]
    fn everybody_gets_what_applies_to_him() {
        let settings = Settings::default();
        let target = SetupTarget {
            server_url: "https://h.example:8443",
            repository_url: "https://h.example:8443/x/r",
            repository: "r",
            kind: RepositoryKind::Hosted,
            private: false,
            may_publish: false,
            own_authority: false,
            settings: &settings,
            private_packages: &[],
        };
        let ids = |target: &SetupTarget<'_>| plain("x", target).iter().map(|text| text.id).collect::<Vec<_>>();
        assert_eq!(ids(&target), ["curl"]);
        let all = SetupTarget { private: true, may_publish: true, own_authority: true, ..target };
        assert_eq!(ids(&all), ["trust", "curl", "netrc", "publish"]);
        let texts = plain("x", &all);
        assert!(texts[1].text.contains("--fail-with-body -n ") && texts[2].text.contains(" h.example "), "{texts:?}");
        assert!(texts.iter().all(|text| !text.text.contains("@{")), "{texts:?}");
    }
}
