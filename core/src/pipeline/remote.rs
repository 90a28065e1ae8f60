//! Answers from a remote repository: what is stored is served; what is not is fetched, checked and stored first.
//!
//! ```text
//! file    stored ──▶ gate ──▶ bytes
//!         else: absent a moment ago ──▶ absence;  else fetch ──▶ stage ──▶ inspect ──▶ confirm ──▶ commit   fill
//! index   fresh copy, or asked again, or the last good one;  joined with what is stored by the format      document
//! page    computed by the format from what is stored
//! ```
//!
//! A file is fetched once however many ask ([`fetches`]), and the fetch goes on when they leave. Nothing unchecked is
//! ever stored, or sent to its end; where something has to vouch for it, nothing of it is sent before ([`relay`]). What
//! the rules do not let in is refused before the upstream is asked ([`admission`]).

mod admission;
mod document;
pub(super) mod fetches;
mod fill;
pub(super) mod relay;
pub(super) mod room;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::hosted::{Hosted, present};
use super::read::{Keep, Reading};
use super::{Answer, Keeper, Resolution, authority};
use crate::access::Permit;
use crate::artifact::{
    ArtifactState, ArtifactSummary, Coordinate, FilePath, FileSummary, Label, LabelQuery, PackageName, Page,
    StoreError, VersionName,
};
use crate::error::{Class, Failure, codes};
use crate::events::{Event, Served};
use crate::format::{Document, FormatHandler, FormatRequest, IndexKey, MaxAge, Recorded, RepositoryView, Route, Want};
use crate::policy;
use crate::repository::{Repository, RepositoryKind, Settings};
use crate::source::Remote;
use crate::upstream::Authority;
use document::Index;

pub(super) use fill::SOURCE;

/// Seconds for which caches of others may believe an upstream's index at most.
const INDEX_SECONDS: u32 = 60;

/// A remote repository, entered with a permit. Owned, for a fetch outlives the request that began it.
#[derive(Clone)]
pub(super) struct Copies {
    pub(super) keeper: Keeper,
    pub(super) repository: Arc<Repository>,
    remote: Arc<Remote>,
    handler: Arc<dyn FormatHandler>,
    permit: Arc<Permit>,
    url: Arc<str>,
    hops: u32,
    /// Whether a file may be given out while it comes.
    may_relay: bool,
    /// Whether files are read to judge a version's age by them, and not to be given out.
    judging: bool,
}

impl Copies {
    pub(super) fn new(reading: &Reading<'_>, repository: &Arc<Repository>, remote: &Remote, permit: Permit) -> Self {
        Self {
            keeper: reading.keeper.clone(),
            repository: repository.clone(),
            remote: Arc::new(remote.clone()),
            handler: reading.handler.clone(),
            permit: Arc::new(permit),
            url: Arc::from(reading.url()),
            hops: reading.options.hops,
            may_relay: reading.options.may_relay,
            judging: false,
        }
    }

    /// What the route wants, and how long it may be kept ready.
    pub(super) async fn answer(&self, route: &Route) -> Result<(Answer, Keep), Failure> {
        debug_assert!(self.permit.covers(&self.repository, route.action), "a permit for something else");
        match &route.want {
            Want::File { path, coordinate } => {
                let answer = self.file(route, path, coordinate).await?;
                let is_here = !matches!(answer.resolution, Resolution::Relay(_));
                Ok((answer, if is_here { Keep::WhileUnchanged } else { Keep::Not }))
            }
            Want::Index(key) => self.index(route, key).await,
            Want::Page(_) => {
                let document = self.handler.index(route, self).await?;
                Ok((self.of_document(route, document), Keep::Not))
            }
            Want::Upload(_) | Want::Change { .. } => Err(Failure::method_not_allowed("GET", "GET, HEAD")),
        }
    }

    async fn file(&self, route: &Route, path: &FilePath, coordinate: &Coordinate) -> Result<Answer, Failure> {
        self.admit_by_name(&coordinate.package, Some(&coordinate.version))?;
        if let Some(answer) = self.stored(route, path, coordinate).await? {
            self.admit_by_age(coordinate, Some(path)).await?;
            let is_damaged = answer.copy().is_some_and(|copy| self.keeper.ports.damage.is_known(&copy.location));
            if is_damaged && !route.stored_only {
                return self.mended(route, path, coordinate, answer).await;
            }
            self.served(Served::Stored);
            return Ok(answer);
        }
        let there = self.keeper.ports.artifacts.find(self.repository.id, coordinate).await?;
        if let Some(artifact) = there.filter(|artifact| artifact.state == ArtifactState::Blocked) {
            return Err(policy::blocked(coordinate, &artifact.state_reason));
        }
        if route.stored_only {
            return Err(self.absent(coordinate).await?);
        }
        self.refuse_claimed(&coordinate.package).await?;
        self.admit_by_age(coordinate, Some(path)).await?;
        let filled = self.filled(route, path, coordinate, self.may_relay).await;
        self.served(match &filled {
            Ok(_) => Served::Fetched,
            Err(failure) => Served::of(failure),
        });
        if let Some(relay) = filled? {
            return Ok(Answer::of_relay(relay, self.repository.anonymous_read));
        }
        match self.stored(route, path, coordinate).await? {
            Some(answer) => {
                self.admit_by_age(coordinate, None).await?;
                Ok(answer)
            }
            // It was removed the moment after.
            None => Err(self.absent(coordinate).await?),
        }
    }

    /// The stored file through the gate.
    async fn stored(&self, route: &Route, path: &FilePath, coordinate: &Coordinate) -> Result<Option<Answer>, Failure> {
        let Some(found) = self.keeper.ports.artifacts.file(self.repository.id, path).await? else { return Ok(None) };
        policy::admit(&found, coordinate)?;
        Ok(Some(Answer::of_file(found, route.max_age, self.repository.anonymous_read)))
    }

    /// A file whose copy is lost or damaged: the upstream may still have the same bytes. Whatever it says, what was here
    /// is not absent.
    async fn mended(
        &self,
        route: &Route,
        path: &FilePath,
        coordinate: &Coordinate,
        damaged: Answer,
    ) -> Result<Answer, Failure> {
        let filled = self.filled(route, path, coordinate, false).await;
        self.served(filled.as_ref().map_or_else(Served::of, |_| Served::Fetched));
        if let Err(failure) = filled {
            tracing::error!(
                repository.name = %self.repository.address, package.name = %coordinate.package,
                package.version = %coordinate.version, error.code = failure.code().name,
                "a damaged file could not be fetched anew: {failure}"
            );
            return Ok(damaged);
        }
        Ok(self.stored(route, path, coordinate).await?.unwrap_or(damaged))
    }

    /// What to say of a file that is nowhere.
    async fn absent(&self, coordinate: &Coordinate) -> Result<Failure, Failure> {
        let known = self.versions(&coordinate.package).await?;
        Ok(self.handler.absent(coordinate, self.repository.address.name.as_str(), known.as_deref()))
    }

    /// An index: the upstream's and what is stored, joined.
    async fn index(&self, route: &Route, key: &IndexKey) -> Result<(Answer, Keep), Failure> {
        if let Some(package) = &route.package {
            self.admit_by_name(package, None)?;
        }
        let joined = match self.upstream_index(route).await {
            Ok(upstream) => self.joined(route, key, upstream).await,
            Err(trouble) => Err(trouble),
        };
        self.served(match &joined {
            Ok((_, index)) => index.as_ref().map_or(Served::Stored, |index| index.served),
            Err(failure) => Served::of(failure),
        });
        match joined {
            Ok((document, index)) => {
                let mut answer = self.of_document(route, document);
                if let (MaxAge::Revalidate, Some(Keep::For(left))) = (answer.max_age, index.as_ref().map(|it| it.keep))
                {
                    // Others may believe it as long as it is believed here, but for a minute at most.
                    answer.max_age = MaxAge::Seconds(INDEX_SECONDS.min(u32::try_from(left.as_secs()).unwrap_or(0)));
                }
                // Where the upstream has none today, it may have one in a minute.
                let keep = index.as_ref().map_or(self.for_a_while(), |index| index.keep);
                let (age_s, stale) = index.map_or((None, false), |index| (Some(index.age_s), index.stale));
                Ok((Answer { age_s: age_s.filter(|_| stale), stale, ..answer }, keep))
            }
            // What is latest can still be told by what is listed, when the upstream's own word is none or is refused.
            Err(failure) if !self.is_proof(route, key) => match self.handler.index(route, self).await {
                Ok(document) => Ok((self.of_document(route, document), self.for_a_while())),
                Err(_) => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// Tells how a question was answered that memory did not answer.
    fn served(&self, served: Served) {
        let repository = &*self.repository;
        self.keeper.ports.listener.hear(&Event::Served { repository, served });
    }

    /// The upstream's index, if this format's upstreams have such a one.
    async fn upstream_index(&self, route: &Route) -> Result<Option<Index>, Failure> {
        let Some(path) = self.handler.upstream_path(route) else { return Ok(None) };
        if let Some(package) = &route.package {
            self.refuse_claimed(package).await?;
        }
        self.document(route, &path).await
    }

    /// A list holds what is stored, too; of what is one thing the upstream's word counts while it has one.
    async fn joined(
        &self,
        route: &Route,
        key: &IndexKey,
        upstream: Option<Index>,
    ) -> Result<(Document, Option<Index>), Failure> {
        if let Some(index) = upstream.as_ref().filter(|_| !self.is_proof(route, key)) {
            let document = self.merged(route, std::slice::from_ref(&index.document)).await?;
            return Ok((document, upstream));
        }
        let stored = self.handler.index(route, &self.stored_view()).await;
        let mut parts = Vec::with_capacity(2);
        parts.extend(upstream.as_ref().map(|index| index.document.clone()));
        match stored {
            Ok(document) => parts.push(document),
            Err(failure) if matches!(failure.code().class, Class::NotFound | Class::Gone) => {
                if parts.is_empty() {
                    return Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
        let document = self.merged(route, &parts).await?;
        Ok((document, upstream))
    }

    /// The names under which indexes of a package are kept: those that clients ask for who name no version.
    pub(super) fn kept_names(&self, package: &PackageName) -> Result<Vec<String>, Failure> {
        let mut routes: Vec<_> = self.handler.proof(package).into_iter().collect();
        for path in self.handler.requests(package.as_str(), None)? {
            routes.push(self.handler.route(&self.request(&path))?);
        }
        Ok(routes.iter().filter_map(|route| self.handler.upstream_path(route)).collect())
    }

    fn for_a_while(&self) -> Keep {
        Keep::For(Duration::from_secs(u64::from(self.remote.index_seconds.min(10))))
    }

    fn is_proof(&self, route: &Route, key: &IndexKey) -> bool {
        let proof = route.package.as_ref().and_then(|package| self.handler.proof(package));
        proof.is_some_and(|proof| matches!(&proof.want, Want::Index(other) if other == key))
    }

    fn of_document(&self, route: &Route, document: Document) -> Answer {
        Answer::of_document(document, route, &self.repository, self.handler.info())
    }

    /// What is stored, as if it were all.
    fn stored_view(&self) -> Hosted<'_> {
        Hosted {
            keeper: &self.keeper,
            repository: &self.repository,
            handler: &self.handler,
            permit: &self.permit,
            url: &self.url,
        }
    }

    fn request<'r>(&'r self, path: &'r str) -> FormatRequest<'r> {
        FormatRequest { verb: "GET", path, query: "", headers: &[], repository_url: &self.url }
    }
}

/// What is stored, except where the document says so; indexes and files as clients get them.
#[async_trait]
impl RepositoryView for Copies {
    fn settings(&self) -> &Settings {
        &self.repository.settings
    }

    fn repository(&self) -> &str {
        self.repository.address.name.as_str()
    }

    fn kind(&self) -> RepositoryKind {
        RepositoryKind::Remote
    }

    fn url(&self) -> &str {
        &self.url
    }

    async fn versions(&self, package: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError> {
        self.stored_view().versions(package).await
    }

    async fn artifacts(&self, package: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError> {
        self.stored_view().artifacts(package).await
    }

    async fn files(&self, package: &PackageName) -> Result<Vec<FileSummary>, StoreError> {
        self.stored_view().files(package).await
    }

    async fn packages(&self, after: Option<&PackageName>, limit: u32) -> Result<Page<PackageName>, StoreError> {
        self.stored_view().packages(after, limit).await
    }

    async fn labels(&self, package: &PackageName, which: LabelQuery<'_>) -> Result<Vec<Label>, StoreError> {
        self.stored_view().labels(package, which).await
    }

    async fn case_twins(&self, package: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        self.stored_view().case_twins(package).await
    }

    async fn recorded(&self, what: &Coordinate) -> Result<Option<Recorded>, StoreError> {
        self.stored_view().recorded(what).await
    }

    /// What an upstream has is the world's, but for names that are known to belong to another repository of this house.
    async fn is_private(&self, package: &PackageName) -> Result<bool, Failure> {
        match self.refuse_claimed(package).await {
            Err(failure) if *failure.code() == codes::NAME_CLAIMED => Ok(true),
            other => other.map(|()| false),
        }
    }

    async fn index(&self, path: &str) -> Result<Option<Document>, Failure> {
        let route = self.handler.route(&self.request(path))?;
        present(self.answer(&route).await)?.map(|(answer, _)| answer.into_document()).transpose()
    }

    async fn small(&self, path: &FilePath, limit_bytes: u64) -> Result<Option<Bytes>, Failure> {
        let route = self.handler.route(&self.request(&format!("/{path}")))?;
        let whole = Self { may_relay: false, ..self.clone() };
        let Some((answer, _)) = present(whole.answer(&route).await)? else { return Ok(None) };
        self.keeper.small(answer, limit_bytes).await
    }

    fn authority(&self, name: &str) -> Option<Arc<dyn Authority>> {
        authority::named(&self.keeper.ports, &self.handler, &self.repository.settings, name)
    }
}
