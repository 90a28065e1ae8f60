//! What is said of a repository when it is made or changed, checked: all faults that need no look around at once.

use keeper_core::error::{Failure, Problem, codes};
use keeper_core::format::FormatHandler;
use keeper_core::repository::{
    Deletion, Repository, RepositoryAddress, RepositoryDetails, RepositoryKind, RepositoryName, Settings,
};
use keeper_core::source::Source;
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::{Map, Value};

use super::credentials::CredentialChange;
use super::members::{MembersForm, ReservationView};
use super::shorten;
use super::upstream::UpstreamForm;
use crate::http::App;

/// A repository to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct NewRepository {
    /// Its format, for example `go`.
    format: String,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,99}`.
    name: String,
    /// `hosted`: it takes uploads; `remote`: it keeps verified copies of what an upstream has; `virtual`: other
    /// repositories seen as one.
    kind: String,
    /// For people.
    #[oai(default)]
    description: String,
    /// Whether it can be read without a login.
    #[oai(default)]
    anonymous_read: bool,
    /// Whether uploads of its format that name no repository come here; takes that from the one that had it.
    #[oai(default)]
    default_upload: bool,
    /// `tombstone` (default) or `never`.
    deletion: Option<String>,
    /// Of a remote repository: where its content comes from.
    upstream: Option<UpstreamForm>,
    /// Of a virtual repository: the names of its members, in the order in which they are asked.
    members: Option<Vec<String>>,
    /// Of a virtual repository: members whose trouble counts as absence, except for reserved names.
    optional_members: Option<Vec<String>>,
    /// Of a virtual repository: names that only some members answer for.
    reserved: Option<Vec<ReservationView>>,
    /// Of a virtual repository: whether the versions of one package may come from several members.
    merge: Option<bool>,
    /// The settings that belong to the format.
    settings: Option<Any<Map<String, Value>>>,
}

/// A change of a repository: what is absent stays. `format`, `name` and `kind` are fixed at creation.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct RepositoryChange {
    /// Fixed at creation.
    format: Option<String>,
    /// Fixed at creation.
    name: Option<String>,
    /// Fixed at creation.
    kind: Option<String>,
    /// For people.
    description: Option<String>,
    /// Whether it can be read without a login.
    anonymous_read: Option<bool>,
    /// Whether uploads of its format that name no repository come here.
    default_upload: Option<bool>,
    /// `tombstone` or `never`.
    deletion: Option<String>,
    /// Of a remote repository: what is to change of its upstream; `null` takes a part back to its default.
    upstream: Option<UpstreamForm>,
    /// Of a virtual repository: the names of its members, in the order in which they are asked.
    members: Option<Vec<String>>,
    /// Of a virtual repository: members whose trouble counts as absence, except for reserved names.
    optional_members: Option<Vec<String>>,
    /// Of a virtual repository: names that only some members answer for.
    reserved: Option<Vec<ReservationView>>,
    /// Of a virtual repository: whether the versions of one package may come from several members.
    merge: Option<bool>,
    /// Settings of the format to change; `null` takes one back to its default (RFC 7396).
    settings: Option<Any<Map<String, Value>>>,
}

/// What a repository shall be.
pub(super) struct Wanted {
    pub(super) details: RepositoryDetails,
    pub(super) credentials: CredentialChange,
}

/// What is said of the content's source, of whatever kind.
struct SourceForm {
    upstream: Option<UpstreamForm>,
    members: MembersForm,
}

impl SourceForm {
    /// The source after what was said of it.
    fn applied(
        self,
        kind: RepositoryKind,
        before: Option<&Source>,
        handler: &dyn FormatHandler,
        problems: &mut Vec<Problem>,
    ) -> Option<(Source, CredentialChange)> {
        let foreign = match kind {
            RepositoryKind::Hosted => self.upstream.as_ref().map(|_| "upstream").or(self.members.first_given()),
            RepositoryKind::Remote => self.members.first_given(),
            RepositoryKind::Virtual => self.upstream.as_ref().map(|_| "upstream"),
        };
        if let Some(field) = foreign {
            let owner = if field == "upstream" { "remote" } else { "virtual" };
            let detail = format!("a {} repository has no {field}; that is part of a {owner} one", kind.as_str());
            problems.push(invalid(field, detail));
        }
        match kind {
            RepositoryKind::Hosted => Some((Source::Hosted, CredentialChange::Keep)),
            RepositoryKind::Remote => {
                let before = before.and_then(Source::remote);
                let remote = match self.upstream {
                    Some(upstream) => upstream.applied(before, handler, problems),
                    None if before.is_some() => before.cloned().map(|remote| (remote, CredentialChange::Keep)),
                    None => {
                        let detail = "a remote repository needs an upstream with a url";
                        problems.push(Problem::new(&codes::FIELD_MISSING, detail).field("upstream"));
                        None
                    }
                };
                remote.map(|(remote, credentials)| (Source::Remote(Box::new(remote)), credentials))
            }
            RepositoryKind::Virtual => {
                let members = self.members.applied(before.and_then(Source::members), handler, problems);
                Some((Source::Virtual(Box::new(members)), CredentialChange::Keep))
            }
        }
    }
}

/// A new repository.
///
/// # Errors
/// All faults at once.
pub(super) fn checked(app: &App, new: NewRepository) -> Result<(RepositoryAddress, Wanted), Failure> {
    let mut problems = Vec::new();
    let format = app.keeper.ports().registry.named(&new.format);
    let format = format.map_err(|failure| problems.push(failure.first().clone())).ok();
    let name = RepositoryName::try_from(new.name.as_str());
    let name = name.map_err(|fault| problems.push(invalid("name", fault.to_string()))).ok();
    let kind = RepositoryKind::parse(&new.kind);
    if kind.is_none() {
        let detail = format!("kind is hosted, remote or virtual, not {:?}", shorten(&new.kind));
        problems.push(invalid("kind", detail));
    }
    let deletion = deletion(new.deletion.as_deref(), &mut problems).unwrap_or(Deletion::Tombstone);
    description(&new.description, &mut problems);
    let given = Settings(new.settings.map(|Any(map)| map).unwrap_or_default());
    let settings = format.as_ref().and_then(|(_, handler)| {
        handler.settings(given).map_err(|failure| problems.extend(failure.problems().cloned())).ok()
    });
    let members = MembersForm {
        members: new.members,
        optional_members: new.optional_members,
        reserved: new.reserved,
        merge: new.merge,
    };
    let said = SourceForm { upstream: new.upstream, members };
    let source = match (&format, kind) {
        (Some((_, handler)), Some(kind)) => said.applied(kind, None, handler.as_ref(), &mut problems),
        _ => None,
    };
    default_upload(new.default_upload, kind, &mut problems);
    match (format, name, source, settings) {
        (Some((format, _)), Some(name), Some((source, credentials)), Some(settings)) if problems.is_empty() => {
            let details = RepositoryDetails {
                source,
                description: new.description,
                anonymous_read: new.anonymous_read,
                default_upload: new.default_upload,
                deletion,
                settings,
            };
            Ok((RepositoryAddress { format, name }, Wanted { details, credentials }))
        }
        _ => Err(refusal(problems)),
    }
}

/// The details after a change.
///
/// # Errors
/// `immutable_field`; all faults of the rest at once.
pub(super) fn changed(app: &App, repository: &Repository, change: RepositoryChange) -> Result<Wanted, Failure> {
    immutable(repository, &change)?;
    let mut problems = Vec::new();
    let deletion = deletion(change.deletion.as_deref(), &mut problems).unwrap_or(repository.deletion);
    description(change.description.as_deref().unwrap_or(""), &mut problems);
    let mut settings = repository.settings.clone();
    for (key, value) in change.settings.map(|Any(map)| map).unwrap_or_default() {
        match value {
            Value::Null => settings.0.remove(&key),
            value => settings.0.insert(key, value),
        };
    }
    let (_, handler) = app.keeper.ports().registry.named(repository.address.format.as_str())?;
    let settings = handler.settings(settings).map_err(|failure| problems.extend(failure.problems().cloned()));
    let members = MembersForm {
        members: change.members,
        optional_members: change.optional_members,
        reserved: change.reserved,
        merge: change.merge,
    };
    let said = SourceForm { upstream: change.upstream, members };
    let source = said.applied(repository.kind(), Some(&repository.source), handler.as_ref(), &mut problems);
    let takes_uploads = change.default_upload.unwrap_or(repository.default_upload);
    default_upload(takes_uploads, Some(repository.kind()), &mut problems);
    match (settings, source) {
        (Ok(settings), Some((source, credentials))) if problems.is_empty() => {
            let details = RepositoryDetails {
                source,
                description: change.description.unwrap_or_else(|| repository.description.clone()),
                anonymous_read: change.anonymous_read.unwrap_or(repository.anonymous_read),
                default_upload: takes_uploads,
                deletion,
                settings,
            };
            Ok(Wanted { details, credentials })
        }
        _ => Err(refusal(problems)),
    }
}

fn immutable(repository: &Repository, change: &RepositoryChange) -> Result<(), Failure> {
    let fixed = [
        ("format", change.format.as_deref(), repository.address.format.as_str()),
        ("name", change.name.as_deref(), repository.address.name.as_str()),
        ("kind", change.kind.as_deref(), repository.kind().as_str()),
    ];
    let changed = fixed.into_iter().filter(|(_, wanted, is)| wanted.is_some_and(|wanted| wanted != *is));
    let problems = changed.map(|(field, _, is)| {
        let detail = format!("{field} is \"{is}\" and is fixed at creation; create a new repository");
        Problem::new(&codes::IMMUTABLE_FIELD, detail).field(field)
    });
    Failure::from_problems(problems.collect()).map_or(Ok(()), Err)
}

fn default_upload(wanted: bool, kind: Option<RepositoryKind>, problems: &mut Vec<Problem>) {
    if let (true, Some(kind @ (RepositoryKind::Remote | RepositoryKind::Virtual))) = (wanted, kind) {
        let detail = format!("a {} repository takes no uploads of its own", kind.as_str());
        problems.push(invalid("default_upload", detail));
    }
}

fn deletion(given: Option<&str>, problems: &mut Vec<Problem>) -> Option<Deletion> {
    let given = given?;
    let parsed = Deletion::parse(given);
    if parsed.is_none() {
        problems.push(invalid("deletion", "deletion is tombstone or never"));
    }
    parsed
}

fn description(text: &str, problems: &mut Vec<Problem>) {
    if text.chars().count() > 1_000 || text.chars().any(|c| c.is_control() && c != '\n') {
        problems.push(invalid("description", "a description has at most 1,000 characters and no control characters"));
    }
}

/// A field with a value that is not accepted.
pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail).field(field)
}

fn refusal(problems: Vec<Problem>) -> Failure {
    Failure::from_problems(problems)
        .unwrap_or_else(|| Failure::new(&codes::INTERNAL, "a repository was refused without a reason"))
}
