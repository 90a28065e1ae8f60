//! Why a client gets the answer that it gets.
//!
//! ```text
//! credential   who asks
//! repository   whether it is there for them           Keeper::enter
//! member       which member of a virtual repository answers, and why
//! upstream     where a remote repository gets what it lacks
//! request      what the format takes the request for  FormatHandler::route
//! package      whether the repository knows it
//! version      whether it is there, and in which state
//! policy       whether that state is given out        policy::admit
//! answers      what each request of the client gets   Keeper::read
//! ```
//!
//! Each step asks what the read itself asks, and the answers are those of real reads on behalf of the caller, so an
//! explanation can neither disagree with them nor tell more. The steps end where the way ends.

use std::sync::Arc;

use super::hosted::Hosted;
use super::members::Members;
use super::read::{ReadOptions, Reading};
use super::{Keeper, Place, Resolution};
use crate::access::{Action, Permit, Principal};
use crate::artifact::{Artifact, ArtifactState, Coordinate, FilePath, PackageName, StoreError, VersionName};
use crate::error::{Failure, codes};
use crate::format::{FormatHandler, FormatRequest, Route, Want};
use crate::policy;
use crate::repository::{FormatKey, Repository, RepositoryAddress, RepositoryKind};

/// What is to be explained. Names as the caller wrote them.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub who: &'a Principal,
    /// The format.
    pub format: &'a str,
    /// The repository.
    pub repository: &'a str,
    /// The package.
    pub package: &'a str,
    /// The version; without one, what a client asks that names none.
    pub version: Option<&'a str>,
}

/// The way to an answer.
#[derive(Debug)]
pub struct Explanation {
    /// What was decided, in order.
    pub steps: Vec<Step>,
    /// What each request of the client gets, in the order in which a client sends them.
    pub answers: Vec<Answered>,
    /// The first refusal among the answers, or the one that kept the client from asking.
    pub outcome: Result<(), Failure>,
}

/// A request and what it gets.
#[derive(Debug)]
pub struct Answered {
    /// The path on this server.
    pub path: String,
    /// What it gets.
    pub result: Result<(), Failure>,
}

/// One decision.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was decided on.
    pub subject: Subject,
    /// How.
    pub verdict: Verdict,
    /// Why, for people.
    pub detail: String,
    /// The code of a refusal.
    pub code: Option<&'static str>,
}

/// What a step decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The caller's credential.
    Credential,
    /// The repository, for this caller.
    Repository,
    /// Which member of a virtual repository answers.
    Member,
    /// Where a remote repository gets what it lacks.
    Upstream,
    /// What the format takes the request for.
    Request,
    /// The package.
    Package,
    /// The version.
    Version,
    /// The gate between what is stored and what is given out.
    Policy,
}

impl Subject {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Repository => "repository",
            Self::Member => "member",
            Self::Upstream => "upstream",
            Self::Request => "request",
            Self::Package => "package",
            Self::Version => "version",
            Self::Policy => "policy",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The way goes on.
    Passed,
    /// There is no such thing.
    Absent,
    /// It is refused.
    Refused,
}

impl Verdict {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Absent => "absent",
            Self::Refused => "refused",
        }
    }
}

impl Step {
    fn passed(subject: Subject, detail: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Passed, detail: detail.into(), code: None }
    }

    fn absent(subject: Subject, detail: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Absent, detail: detail.into(), code: None }
    }

    fn refused(subject: Subject, failure: &Failure) -> Self {
        let first = failure.first();
        Self { subject, verdict: Verdict::Refused, detail: first.detail.clone(), code: Some(first.code.name) }
    }
}

impl Keeper {
    /// Explains what a client of the caller gets.
    ///
    /// # Errors
    /// `unknown_format`; `field_missing` where a format needs a version; trouble of the store.
    pub async fn explain(&self, question: &Question<'_>, place: &Place<'_>) -> Result<Explanation, Failure> {
        let (format, handler) = self.ports.registry.named(question.format)?;
        let mut steps = vec![credential(question.who)];
        let (repository, permit) = match self.enter(question.who, &format, question.repository, Action::Read).await {
            Ok(entered) => entered,
            Err(failure) => return Ok(Explanation::ended(steps, Subject::Repository, failure)),
        };
        steps.push(entered(&repository));
        let paths = match self.paths(question, handler, &repository, &permit).await {
            Ok(paths) => paths,
            Err(failure) => return Ok(Explanation::ended(steps, Subject::Request, failure)),
        };
        if paths.is_empty() {
            let detail = format!("of a package of the format {format} only a version can be explained");
            return Err(Failure::new(&codes::FIELD_MISSING, detail).field("version"));
        }
        let at = At { format: &format, handler, url: place.url_of(&repository.address) };
        if let Some(path) = paths.first() {
            let within = match repository.kind() {
                RepositoryKind::Hosted => self.hosted_steps(&at, &repository, path).await?,
                RepositoryKind::Remote => self.remote_steps(&at, &repository, path).await?,
                RepositoryKind::Virtual => self.member_steps(question.who, &at, &repository, &permit, path).await?,
            };
            steps.extend(within);
        }
        let mut answers = Vec::with_capacity(paths.len());
        for path in &paths {
            let result = self.answer_of(question.who, &at, &repository.address, path).await;
            answers.push(Answered { path: format!("/{}{path}", repository.address), result });
        }
        let refusal = answers.iter().find_map(|answer| answer.result.as_ref().err().cloned());
        Ok(Explanation { steps, answers, outcome: refusal.map_or(Ok(()), Err) })
    }

    /// What a client asks for: as the format says, or the stored files of the version.
    async fn paths(
        &self,
        question: &Question<'_>,
        handler: &Arc<dyn FormatHandler>,
        repository: &Arc<Repository>,
        permit: &Permit,
    ) -> Result<Vec<String>, Failure> {
        let paths = handler.requests(question.package, question.version)?;
        let (true, Some(version)) = (paths.is_empty(), question.version) else { return Ok(paths) };
        let named = PackageName::try_from(question.package)
            .and_then(|package| Ok(Coordinate { package, version: VersionName::try_from(version)? }));
        let coordinate = named.map_err(|fault| Failure::new(&codes::VERSION_NOT_FOUND, fault.to_string()))?;
        let there = self.ports.artifacts.find(repository.id, &coordinate).await?;
        match there.filter(|artifact| artifact.state != ArtifactState::Deleted) {
            Some(artifact) => Ok(artifact.files.iter().map(|file| format!("/{}", file.path)).collect()),
            None => Err(Hosted { keeper: self, repository, handler, permit, url: "" }.absent(&coordinate).await?),
        }
    }

    async fn remote_steps(&self, at: &At<'_>, repository: &Repository, path: &str) -> Result<Vec<Step>, Failure> {
        let sources = repository.source.remote().map_or(0, |remote| remote.chain.sources().len());
        let plural = if sources == 1 { "its upstream" } else { "its upstreams" };
        let detail = format!("what is stored is served; what is not is asked of {plural}, checked and stored");
        let mut steps = vec![Step::passed(Subject::Upstream, detail)];
        steps.extend(self.hosted_steps(at, repository, path).await?);
        Ok(steps)
    }

    /// Who answers of a virtual repository, and the steps there.
    async fn member_steps(
        &self,
        who: &Principal,
        at: &At<'_>,
        repository: &Arc<Repository>,
        permit: &Permit,
        path: &str,
    ) -> Result<Vec<Step>, Failure> {
        let request = at.request(path);
        let route = match at.handler.route(&request) {
            Ok(route) => route,
            Err(failure) => return Ok(vec![Step::refused(Subject::Request, &failure)]),
        };
        let (Some(package), Some(of)) = (&route.package, repository.source.members()) else {
            return Ok(vec![Step::passed(Subject::Member, "all members answer together")]);
        };
        let reading = Reading { keeper: self, who, handler: at.handler, request, options: ReadOptions::default() };
        let members = Members { reading: &reading, repository, members: of, permit };
        let (member, why) = match members.decided(package).await {
            Ok(decided) => decided,
            Err(failure) => return Ok(vec![Step::refused(Subject::Member, &failure)]),
        };
        let Some(member) = member else { return Ok(vec![Step::absent(Subject::Member, why)]) };
        let mut steps = vec![Step::passed(Subject::Member, why)];
        steps.extend(match member.kind() {
            RepositoryKind::Remote => self.remote_steps(at, &member, path).await?,
            RepositoryKind::Hosted | RepositoryKind::Virtual => self.hosted_steps(at, &member, path).await?,
        });
        Ok(steps)
    }

    async fn hosted_steps(&self, at: &At<'_>, repository: &Repository, path: &str) -> Result<Vec<Step>, StoreError> {
        let route = match at.handler.route(&at.request(path)) {
            Ok(route) => route,
            Err(failure) => return Ok(vec![Step::refused(Subject::Request, &failure)]),
        };
        let mut steps = vec![Step::passed(Subject::Request, what_is_asked(path, &route))];
        if let Some(package) = &route.package {
            match self.ports.artifacts.versions(repository.id, package).await? {
                Some(versions) => steps.push(known(package, &versions)),
                None => {
                    steps.push(Step::absent(Subject::Package, format!("{package} was never published here")));
                    return Ok(steps);
                }
            }
        }
        if let Want::File { path, coordinate } = &route.want {
            steps.extend(self.version_steps(repository, path, coordinate).await?);
        }
        Ok(steps)
    }

    async fn version_steps(
        &self,
        repository: &Repository,
        path: &FilePath,
        coordinate: &Coordinate,
    ) -> Result<Vec<Step>, StoreError> {
        let Some(artifact) = self.ports.artifacts.find(repository.id, coordinate).await? else {
            return Ok(vec![Step::absent(Subject::Version, format!("{coordinate} was never published here"))]);
        };
        let version = Step::passed(Subject::Version, published(&artifact));
        if artifact.state == ArtifactState::Deleted {
            return Ok(vec![version, Step::refused(Subject::Policy, &policy::tombstone(&artifact))]);
        }
        let gate = match self.ports.artifacts.file(repository.id, path).await? {
            None => Step::absent(Subject::Policy, format!("{coordinate} has no file {path}")),
            Some(found) => match policy::admit(&found, coordinate) {
                Ok(()) if policy::listed(found.state) => Step::passed(Subject::Policy, "it is listed and served"),
                Ok(()) => Step::passed(
                    Subject::Policy,
                    "it is served to those who name it, and left out of lists and of what is latest",
                ),
                Err(failure) => Step::refused(Subject::Policy, &failure),
            },
        };
        Ok(vec![version, gate])
    }

    /// What a real read gives, up to the first of its bytes.
    async fn answer_of(
        &self,
        who: &Principal,
        at: &At<'_>,
        address: &RepositoryAddress,
        path: &str,
    ) -> Result<(), Failure> {
        let answer = self
            .read(who, at.format, at.handler, address.name.as_str(), &at.request(path), ReadOptions::default())
            .await?;
        if let Resolution::Blob(blob) = &answer.resolution {
            drop(self.open(blob, None).await?);
        }
        Ok(())
    }
}

/// Where requests are made.
struct At<'a> {
    format: &'a FormatKey,
    handler: &'a Arc<dyn FormatHandler>,
    url: String,
}

impl At<'_> {
    fn request<'r>(&'r self, path: &'r str) -> FormatRequest<'r> {
        FormatRequest { verb: "GET", path, query: "", headers: &[], repository_url: &self.url }
    }
}

impl Explanation {
    fn ended(mut steps: Vec<Step>, subject: Subject, failure: Failure) -> Self {
        steps.push(Step::refused(subject, &failure));
        Self { steps, answers: Vec::new(), outcome: Err(failure) }
    }
}

fn credential(who: &Principal) -> Step {
    let detail = match who {
        Principal::Anonymous => "no credential was sent".to_owned(),
        Principal::User(_) => format!("a credential of {}", who.login()),
    };
    Step::passed(Subject::Credential, detail)
}

fn entered(repository: &Repository) -> Step {
    let readers = if repository.anonymous_read { "everybody may read it" } else { "this credential may read it" };
    Step::passed(Subject::Repository, format!("{} is {}; {readers}", repository.address, repository.kind().as_str()))
}

fn what_is_asked(path: &str, route: &Route) -> String {
    match &route.want {
        Want::File { coordinate, .. } => format!("{path} is a stored file of {coordinate}"),
        Want::Index(_) => format!("{path} is computed from what the repository holds"),
        Want::Page(_) => format!("{path} is a page"),
        Want::Upload(_) | Want::Change { .. } => format!("{path} is written to"),
    }
}

fn known(package: &PackageName, versions: &[(VersionName, ArtifactState)]) -> Step {
    let listed = versions.iter().filter(|(_, state)| policy::listed(*state)).count();
    let versions = versions.len();
    Step::passed(Subject::Package, format!("{package}: {versions} published, {listed} of them listed"))
}

fn published(artifact: &Artifact) -> String {
    let reason = &artifact.state_reason;
    let because = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let on = artifact.published_at.strftime("%Y-%m-%d");
    format!("{} was published on {on}; its state is {}{because}", artifact.coordinate, artifact.state.as_str())
}
