//! Texts that send and fetch files with curl, for people, images and continuous integration.
//!
//! ```text
//! trust, curl, netrc                       the platform's own, which work here as they are
//! fetch, dockerfile                        one file by its address
//! publish, github-actions-publish, …       for those who may publish
//! ```
//!
//! The file, its name and its version are the user's: texts for people read them from `FILE`, `NAME` and `VERSION`,
//! definitions for continuous integration have them at their top. Templates are beside this file, in the language that
//! they are written in.

use keeper_core::format::recipes::{self, TOKEN, token_note};
use keeper_core::format::template::{fill, shell_word};
use keeper_core::format::{Purpose, SetupTarget, SetupText};

const NAMES: &str =
    "NAME and VERSION are what the file is of; FILE is the file, and its name the last part of its address.";

/// The set-up texts for a repository.
#[must_use]
pub fn texts(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let mut texts = recipes::reading("generic", target);
    texts.extend([fetch(target), dockerfile(target)]);
    if target.may_publish {
        texts.push(publish(target));
        texts.extend(PIPELINES.iter().map(|pipeline| pipeline.text(target)));
    }
    texts
}

fn fetch(target: &SetupTarget<'_>) -> SetupText {
    let repository = shell_word(target.repository_url);
    let mut notes = vec![NAMES.to_owned()];
    notes.extend(target.private.then(|| "The token comes from ~/.netrc.".to_owned()));
    SetupText {
        id: "fetch",
        title: "Fetch a file",
        purpose: Purpose::Read,
        language: "sh",
        path: None,
        text: fill(
            include_str!("setup/fetch.sh"),
            &[("credential", recipes::curl_credential(target)), ("repository", &repository)],
        ),
        notes,
    }
}

fn dockerfile(target: &SetupTarget<'_>) -> SetupText {
    let (mount, credential) = match target.private {
        true => ("--mount=type=secret,id=netrc,target=/root/.netrc ", "-n "),
        false => ("", ""),
    };
    let mut notes = vec!["Set NAME, VERSION and FILE to what the image needs.".to_owned()];
    notes.extend(target.private.then(|| "docker build --secret id=netrc,src=$HOME/.netrc -t myapp .".to_owned()));
    SetupText {
        id: "dockerfile",
        title: "Put a file into an image",
        purpose: Purpose::Read,
        language: "dockerfile",
        path: Some("Dockerfile"),
        text: fill(
            include_str!("setup/Dockerfile"),
            &[("mount", mount), ("credential", credential), ("repository", target.repository_url)],
        ),
        notes,
    }
}

/// The lines that publish, which pipelines run as well.
fn publish_lines(target: &SetupTarget<'_>) -> String {
    fill(include_str!("setup/publish.sh"), &[("token", TOKEN), ("repository", &shell_word(target.repository_url))])
}

fn publish(target: &SetupTarget<'_>) -> SetupText {
    SetupText {
        id: "publish",
        title: "Publish a file",
        purpose: Purpose::Publish,
        language: "sh",
        path: None,
        text: publish_lines(target),
        notes: vec![
            token_note(target),
            NAMES.to_owned(),
            "The same bytes again are no error; other bytes for a file that is there are.".to_owned(),
        ],
    }
}

struct Pipeline {
    id: &'static str,
    title: &'static str,
    language: &'static str,
    path: &'static str,
    template: &'static str,
    secret: &'static str,
}

const PIPELINES: [Pipeline; 3] = [
    Pipeline {
        id: "github-actions-publish",
        title: "GitHub Actions: publish tags",
        language: "yaml",
        path: ".github/workflows/publish.yml",
        template: include_str!("setup/github-actions-publish.yml"),
        secret: "Keep the token as the secret ARTIFACT_KEEPER_TOKEN of the repository.",
    },
    Pipeline {
        id: "gitlab-ci-publish",
        title: "GitLab CI: publish tags",
        language: "yaml",
        path: ".gitlab-ci.yml",
        template: include_str!("setup/gitlab-ci-publish.yml"),
        secret: "Keep the token as the masked variable ARTIFACT_KEEPER_TOKEN of the project.",
    },
    Pipeline {
        id: "jenkins-publish",
        title: "Jenkins: publish tags",
        language: "groovy",
        path: "Jenkinsfile",
        template: include_str!("setup/jenkins-publish.groovy"),
        secret: "Keep the token as the credential artifact-keeper-token (secret text).",
    },
];

impl Pipeline {
    fn text(&self, target: &SetupTarget<'_>) -> SetupText {
        let lines = publish_lines(target);
        // Groovy reads escapes within its quotes.
        let lines = if self.language == "groovy" { lines.replace('\\', "\\\\") } else { lines };
        let mut notes = vec![token_note(target), self.secret.to_owned()];
        notes.push("Put what makes the file in the place of 'make dist', and its path into FILE.".to_owned());
        if target.own_authority {
            let note = "To trust this server, keep its tls/ca.pem beside the code and set CURL_CA_BUNDLE to it.";
            notes.push(note.to_owned());
        }
        SetupText {
            id: self.id,
            title: self.title,
            purpose: Purpose::Publish,
            language: self.language,
            path: Some(self.path),
            text: fill(self.template, &[("publish", &lines)]),
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::repository::{RepositoryKind, Settings};

    use super::*;

    #[test]
    fn texts_have_the_real_address_and_no_marks_left() {
        let settings = Settings::default();
        let target = SetupTarget {
            server_url: "https://h.example",
            repository_url: "https://h.example/generic/files",
            repository: "files",
            kind: RepositoryKind::Hosted,
            private: true,
            may_publish: true,
            own_authority: true,
            settings: &settings,
            private_packages: &[],
        };
        let all = texts(&target);
        assert_eq!(all.len(), 9);
        for text in &all {
            assert!(!text.text.contains("@{"), "{}: {}", text.id, text.text);
            let curls = text.text.lines().filter(|line| line.trim_start().starts_with("curl ")).count();
            assert!(curls == 0 || text.text.contains("--fail-with-body"), "{}", text.id);
        }
        let reader = texts(&SetupTarget { may_publish: false, ..target });
        assert!(reader.iter().all(|text| text.purpose == Purpose::Read));
    }
}
