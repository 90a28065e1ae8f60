//! The recipe that publishes a tag of a module: archived as the `go` command would, sent with curl.

use keeper_core::format::template::{fill, shell_word};
use keeper_core::format::{Purpose, SetupTarget, SetupText};

use super::TOKEN;

pub(super) fn recipe(target: &SetupTarget<'_>) -> SetupText {
    SetupText {
        id: "publish",
        title: "Publish a tag",
        purpose: Purpose::Publish,
        language: "sh",
        path: None,
        text: lines(target),
        notes: vec![
            token_note(target),
            "The same content again is no error; other content for a version that exists is.".to_owned(),
            "Add -F dry_run=true to have everything checked and nothing stored.".to_owned(),
        ],
    }
}

/// The lines of the recipe, which pipelines run as well.
pub(super) fn lines(target: &SetupTarget<'_>) -> String {
    let server = shell_word(target.server_url);
    fill(include_str!("publish.sh"), &[("repository", target.repository), ("server", &server)])
}

pub(super) fn token_note(target: &SetupTarget<'_>) -> String {
    format!("{TOKEN} is a token that may publish to the repository {} and nothing else.", target.repository)
}
