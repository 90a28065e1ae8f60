//! Definitions for continuous integration, around the lines that people paste as well.

use keeper_core::format::template::fill;
use keeper_core::format::{Purpose, SetupTarget, SetupText};

use super::reading::{all_lines, credential_notes};
use super::{publishing, publishing::token_note};

const GITHUB_SECRET: &str = "Keep the token as the secret ARTIFACT_KEEPER_TOKEN of the repository.";
const GITLAB_SECRET: &str = "Keep the token as the masked variable ARTIFACT_KEEPER_TOKEN of the project; a protected one is seen by protected \
     branches and tags only.";
const JENKINS_SECRET: &str =
    "Keep the token as the credential artifact-keeper-token (secret text), and name a Go installation go.";

/// What a step of GitHub Actions gets that needs the token.
const GITHUB_TOKEN: &str = "env:\n  ARTIFACT_KEEPER_TOKEN: ${{ secrets.ARTIFACT_KEEPER_TOKEN }}\n";

struct Definition {
    id: &'static str,
    title: &'static str,
    language: &'static str,
    path: &'static str,
    template: &'static str,
    secret: &'static str,
}

const READING: [Definition; 3] = [
    Definition {
        id: "github-actions",
        title: "GitHub Actions: build",
        language: "yaml",
        path: ".github/workflows/build.yml",
        template: include_str!("github-actions.yml"),
        secret: GITHUB_SECRET,
    },
    Definition {
        id: "gitlab-ci",
        title: "GitLab CI: build",
        language: "yaml",
        path: ".gitlab-ci.yml",
        template: include_str!("gitlab-ci.yml"),
        secret: GITLAB_SECRET,
    },
    Definition {
        id: "jenkins",
        title: "Jenkins: build",
        language: "groovy",
        path: "Jenkinsfile",
        template: include_str!("jenkins.groovy"),
        secret: JENKINS_SECRET,
    },
];

const PUBLISHING: [Definition; 3] = [
    Definition {
        id: "github-actions-publish",
        title: "GitHub Actions: publish tags",
        language: "yaml",
        path: ".github/workflows/publish.yml",
        template: include_str!("github-actions-publish.yml"),
        secret: GITHUB_SECRET,
    },
    Definition {
        id: "gitlab-ci-publish",
        title: "GitLab CI: publish tags",
        language: "yaml",
        path: ".gitlab-ci.yml",
        template: include_str!("gitlab-ci-publish.yml"),
        secret: GITLAB_SECRET,
    },
    Definition {
        id: "jenkins-publish",
        title: "Jenkins: publish tags",
        language: "groovy",
        path: "Jenkinsfile",
        template: include_str!("jenkins-publish.groovy"),
        secret: JENKINS_SECRET,
    },
];

pub(super) fn reading(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let text = |definition: &Definition| {
        let mut notes = credential_notes(target);
        notes.extend(target.private.then(|| definition.secret.to_owned()));
        notes.extend(authority_note(target));
        definition.text(target, Purpose::Read, notes)
    };
    READING.iter().map(text).collect()
}

pub(super) fn publishing(target: &SetupTarget<'_>) -> Vec<SetupText> {
    let text = |definition: &Definition| {
        let mut notes = vec![token_note(target), definition.secret.to_owned()];
        if target.private {
            notes.push("The token also reads here, for the tests; take two to keep these rights apart.".to_owned());
        }
        notes.extend(authority_note(target));
        definition.text(target, Purpose::Publish, notes)
    };
    PUBLISHING.iter().map(text).collect()
}

impl Definition {
    fn text(&self, target: &SetupTarget<'_>, purpose: Purpose, notes: Vec<String>) -> SetupText {
        let (reads, publishes) = (all_lines(target), publishing::lines(target));
        let values = match self.language {
            "groovy" => [("use", jenkins_step(&reads, target.private)), ("publish", groovy(&publishes))],
            _ => [("use", reads), ("publish", publishes)],
        };
        let token = if target.private { GITHUB_TOKEN } else { "" };
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, &**value)).chain([("token", token)]).collect();
        SetupText {
            id: self.id,
            title: self.title,
            purpose,
            language: self.language,
            path: Some(self.path),
            text: fill(self.template, &values),
            notes,
        }
    }
}

/// Lines of a shell within Groovy's quotes, which read escapes.
fn groovy(lines: &str) -> String {
    lines.replace('\\', "\\\\")
}

/// A step that runs lines of a shell; with the token only where there must be one.
fn jenkins_step(lines: &str, private: bool) -> String {
    let step = fill("sh '''\n    @{lines}\n'''\n", &[("lines", &groovy(lines))]);
    if private { fill(include_str!("jenkins-token.groovy"), &[("step", &step)]) } else { step }
}

fn authority_note(target: &SetupTarget<'_>) -> Option<String> {
    target.own_authority.then(|| {
        "To trust this server, keep its tls/ca.pem beside the code and set SSL_CERT_FILE and CURL_CA_BUNDLE to it."
            .to_owned()
    })
}
