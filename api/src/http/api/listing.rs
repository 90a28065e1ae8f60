//! What the parameters of lists have in common: how many entries, of which repositories, holding which text.

use std::sync::Arc;

use keeper_core::artifact::Page;
use keeper_core::error::{Failure, codes};
use keeper_core::limits::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, SEARCH_CHARACTERS};
use keeper_core::repository::{Repository, RepositoryAddress, RepositoryId};
use keeper_core::source::Virtual;
use uuid::Uuid;

use super::caller::Caller;
use crate::http::App;

/// Entries of a page, when the caller does not say.
pub(super) fn default_limit() -> u32 {
    PAGE_LIMIT_DEFAULT
}

/// A number of entries within its bounds.
pub(super) fn limit(given: u32) -> Result<u32, Failure> {
    if (1..=PAGE_LIMIT_MAX).contains(&given) {
        return Ok(given);
    }
    Err(Failure::new(&codes::INVALID_FIELD, format!("limit is 1 to {PAGE_LIMIT_MAX}, not {given}")).field("limit"))
}

/// A text to look for: any, as long as it is not too long and can be shown.
pub(super) fn text(given: Option<&str>) -> Result<Option<String>, Failure> {
    let refuse = |why: String| Err(Failure::new(&codes::INVALID_QUERY, why).field("q"));
    match given {
        Some(text) if text.chars().count() > SEARCH_CHARACTERS => {
            refuse(format!("q has at most {SEARCH_CHARACTERS} characters"))
        }
        Some(text) if text.chars().any(char::is_control) => refuse("q holds a control character".to_owned()),
        given => Ok(given.map(str::to_owned)),
    }
}

/// The repositories that the caller may read, and of these the ones that he asks for: a virtual one stands for its
/// members.
pub(super) struct Readable(Vec<Arc<Repository>>);

impl Readable {
    pub(super) async fn of(
        app: &App,
        caller: &Caller,
        format: Option<&str>,
        repository: Option<&str>,
    ) -> Result<Self, Failure> {
        let readable = app.keeper.readable(&caller.principal).await?;
        let asked = |one: &&Arc<Repository>| {
            format.is_none_or(|wanted| one.address.format.as_str() == wanted)
                && repository.is_none_or(|wanted| one.address.name.as_str() == wanted)
        };
        let asked: Vec<_> = readable.iter().filter(asked).cloned().collect();
        let is_meant = |one: &Arc<Repository>| asked.iter().any(|asked| holds(asked, &one.address));
        Ok(Self(readable.into_iter().filter(is_meant).collect()))
    }

    pub(super) fn ids(&self) -> Vec<RepositoryId> {
        self.0.iter().map(|one| one.id).collect()
    }

    pub(super) fn get(&self, id: RepositoryId) -> Option<&Arc<Repository>> {
        self.0.iter().find(|one| one.id == id)
    }
}

/// Whether what a repository shows may be in the one at this address.
fn holds(asked: &Repository, at: &RepositoryAddress) -> bool {
    let is_member = |members: &Virtual| asked.address.format == at.format && members.members.contains(&at.name);
    asked.address == *at || asked.source.members().is_some_and(is_member)
}

/// A page of what is in memory anyway, in the order of its keys.
pub(super) fn page<T>(mut all: Vec<T>, key: impl Fn(&T) -> String, after: Option<&str>, limit: u32) -> Page<T> {
    all.retain(|one| after.is_none_or(|after| key(one).as_str() > after));
    all.sort_by_cached_key(key);
    Page::cut(all, limit as usize)
}

/// The id of `what` in an address.
pub(super) fn id(text: &str, what: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| {
        Failure::new(&codes::INVALID_FIELD, format!("{:?} is not an id of {what}", shorten(text))).field("id")
    })
}

/// A caller's text, cut to be repeated in an answer.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
