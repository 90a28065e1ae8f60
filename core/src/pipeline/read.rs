//! Reading: one way for all kinds of repositories, and the answers that are kept ready.
//!
//! An answer is kept under the repository that made it, never under a virtual one that passed it on, so it goes with
//! any change of that repository's content or record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hosted::Hosted;
use super::members::Members;
use super::remote::Copies;
use super::{Answer, Keeper, Kept, Resolution};
use crate::access::{Action, Permit, Principal, authorize};
use crate::error::Failure;
use crate::events::Event;
use crate::format::{FormatHandler, FormatInfo, FormatRequest, MaxAge, Route, Want};
use crate::limits::{ANSWER_CACHE_ENTRY_BYTES, VARIANT_BYTES};
use crate::repository::{FormatKey, Repository, RepositoryId};
use crate::source::Source;

/// How long an answer may be kept ready, while the repository stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Not at all.
    Not,
    /// As long as the repository stays as it is.
    WhileUnchanged,
    /// At most so long.
    For(Duration),
}

/// What a read may do besides answering.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// How many servers like this one the request has passed.
    pub hops: u32,
    /// Whether the answer may be a file that is still coming: [`Resolution::Relay`].
    pub may_relay: bool,
}

/// Somebody's request, in whichever repository it is being answered.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) who: &'a Principal,
    pub(super) handler: &'a Arc<dyn FormatHandler>,
    pub(super) request: FormatRequest<'a>,
    pub(super) options: ReadOptions,
}

impl Keeper {
    /// Answers a read on a repository of `format`. `repository` is the raw segment of the address: one that
    /// cannot be a name is answered as an absent repository.
    ///
    /// # Errors
    /// The refusal or fault to tell the caller.
    pub async fn read(
        &self,
        who: &Principal,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        repository: &str,
        request: &FormatRequest<'_>,
        options: ReadOptions,
    ) -> Result<Answer, Failure> {
        let (repository, permit) = self.enter(who, format, repository, Action::Read).await?;
        let answer =
            Reading { keeper: self, who, handler, request: *request, options }.answer(&repository, permit).await;
        self.visits.note(who, repository.id, request.path, answer.as_ref().err().map(Failure::code));
        answer
    }

    /// Forgets the answers that are kept ready for a repository.
    pub(super) fn forget_answers(&self, of: RepositoryId) {
        let kept: Vec<_> = self.answers.iter().filter(|(key, _)| key.0 == of).map(|(key, _)| key).collect();
        for key in kept {
            self.answers.invalidate(&*key);
        }
    }

    fn kept(&self, key: &(RepositoryId, Box<str>), generation: u64, revision: i64) -> Option<Arc<Kept>> {
        let kept = self.answers.get(key)?;
        let good = (kept.generation, kept.revision) == (generation, revision)
            && kept.until.is_none_or(|until| Instant::now() < until)
            && kept.answer.copy().is_none_or(|blob| !self.ports.damage.is_known(&blob.location));
        good.then_some(kept)
    }
}

impl Reading<'_> {
    /// What one repository says. The permit is for reading it.
    pub(super) async fn answer(&self, repository: &Arc<Repository>, permit: Permit) -> Result<Answer, Failure> {
        let keeper = self.keeper;
        let (generation, revision) = (keeper.ports.artifacts.generation(repository.id), repository.revision);
        let key = self.variant(repository).map(|variant| (repository.id, variant));
        if let Some(kept) = key.as_ref().and_then(|key| keeper.kept(key, generation, revision)) {
            if let Some(what) = &kept.used {
                keeper.note_use(repository.id, what);
            }
            keeper.ports.listener.hear(&Event::Answered { from_memory: true });
            return Ok(kept.answer.clone());
        }
        let route = self.handler.route(&self.request)?;
        let permit = if route.action == Action::Read {
            permit
        } else {
            authorize(self.who, route.action, repository)
                .map_err(|denial| keeper.denied_in_api(&repository.address, &denial))?
        };
        let (answer, keep) = self
            .computed(repository, permit, &route)
            .await
            .map_err(|failure| absence_may_be_kept(failure, &route.absent_max_age, repository))?;
        if matches!(repository.source, Source::Virtual(_)) {
            return Ok(answer);
        }
        keeper.ports.listener.hear(&Event::Answered { from_memory: false });
        let used = match &route.want {
            Want::File { coordinate, .. } if self.request.verb == "GET" => Some(coordinate.clone()),
            _ => None,
        };
        if let Some(what) = &used {
            keeper.note_use(repository.id, what);
        }
        let until = match keep {
            Keep::For(time) => Some(Instant::now() + time),
            Keep::Not | Keep::WhileUnchanged => None,
        };
        if let Some(key) = key
            && keep != Keep::Not
            && worth_keeping(&route, &answer)
        {
            let kept = Kept { generation, revision, until, answer: answer.clone(), used };
            keeper.answers.insert(key, Arc::new(kept));
        }
        Ok(answer)
    }

    async fn computed(
        &self,
        repository: &Arc<Repository>,
        permit: Permit,
        route: &Route,
    ) -> Result<(Answer, Keep), Failure> {
        let Self { keeper, handler, .. } = *self;
        match &repository.source {
            Source::Hosted => {
                let url = self.url();
                let hosted = Hosted { keeper, repository, handler, permit: &permit, url };
                Ok((hosted.answer(route).await?, Keep::WhileUnchanged))
            }
            Source::Remote(remote) => {
                let copies = Copies::new(self, repository, remote, permit);
                copies.answer(route).await
            }
            Source::Virtual(members) => {
                let members = Members { reading: self, repository, members, permit: &permit };
                Ok((members.answer(route).await?, Keep::Not))
            }
        }
    }

    /// The address of the repository as asked, for formats whose documents hold it.
    pub(super) fn url(&self) -> &str {
        if self.handler.info().absolute_links { self.request.repository_url } else { "" }
    }

    /// Names what an answer may depend on besides the repository's content. `None` for requests whose answers are
    /// not kept.
    fn variant(&self, repository: &Repository) -> Option<Box<str>> {
        if matches!(repository.source, Source::Virtual(_)) {
            return None;
        }
        variant(self.handler.info(), &self.request)
    }
}

/// The path, and the declared headers and the address where the format reads them.
fn variant(format: &FormatInfo, request: &FormatRequest<'_>) -> Option<Box<str>> {
    if !request.query.is_empty() || request.verb != "GET" {
        return None;
    }
    if request.headers.is_empty() && !format.absolute_links {
        return Some(Box::from(request.path));
    }
    let mut variant = request.path.to_owned();
    for (name, value) in request.headers {
        variant.extend(["\n", name, ":", value]);
    }
    if format.absolute_links {
        variant.extend(["\n", request.repository_url]);
    }
    (variant.len() <= VARIANT_BYTES).then(|| variant.into())
}

/// Kept answers are given to whoever may read, before the route is known: those to other actions never are.
fn worth_keeping(route: &Route, answer: &Answer) -> bool {
    let computed_here = matches!(route.want, Want::Page(_));
    let small = match &answer.resolution {
        Resolution::Bytes(bytes) => bytes.len() <= ANSWER_CACHE_ENTRY_BYTES,
        Resolution::Blob(_) => true,
        Resolution::Relay(_) => false,
    };
    route.action == Action::Read && !computed_here && small && answer.max_age != MaxAge::NoStore
}

/// A cache may believe the absence of an immutable name only where everybody would get the same answer.
fn absence_may_be_kept(mut failure: Failure, max_age: &MaxAge, repository: &Repository) -> Failure {
    use crate::error::Class::{Gone, NotFound};
    if let (true, Gone | NotFound, MaxAge::Seconds(seconds)) =
        (repository.anonymous_read, failure.code().class, max_age)
    {
        failure.cacheable_s = Some(*seconds);
    }
    failure
}
