//! How upstreams fare, as it is shown with a repository and in the status of the server.

use keeper_core::upstream::UpstreamHealth;
use poem_openapi::Object;

use super::views::time;

/// A source of a remote repository.
#[derive(Object)]
pub(super) struct SourceView {
    /// Its address.
    url: String,
    /// `ok`, or `resting`: it is left alone after repeated trouble.
    state: String,
    /// Until when it rests.
    #[oai(skip_serializing_if_is_none)]
    resting_until: Option<String>,
    /// The code of the last trouble since the server started.
    #[oai(skip_serializing_if_is_none)]
    last_trouble: Option<String>,
    /// When that was.
    #[oai(skip_serializing_if_is_none)]
    last_trouble_at: Option<String>,
    /// When it last gave an answer, since the server started.
    #[oai(skip_serializing_if_is_none)]
    last_answer_at: Option<String>,
}

impl SourceView {
    /// A source with what is remembered of it.
    pub(super) fn of(health: UpstreamHealth) -> Self {
        Self {
            url: health.url.to_string(),
            state: if health.resting_until.is_some() { "resting" } else { "ok" }.to_owned(),
            resting_until: health.resting_until.map(time),
            last_trouble: health.last_trouble.map(|(code, _)| code.to_owned()),
            last_trouble_at: health.last_trouble.map(|(_, at)| time(at)),
            last_answer_at: health.last_answer_at.map(time),
        }
    }
}
