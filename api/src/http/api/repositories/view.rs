//! What is shown of a repository: only the part of its kind.

use keeper_core::repository::{Counts, Repository};
use keeper_core::upstream::Upstreams;
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value;

use super::super::views::time;
use super::members::{ReservationView, words};
use super::upstream::UpstreamView;

/// A named place of one format.
#[derive(Object)]
pub(super) struct RepositoryView {
    /// Its format.
    format: String,
    /// Its name, unique within the format.
    name: String,
    /// `hosted`: it takes uploads; `remote`: it keeps verified copies of what an upstream has; `virtual`: other
    /// repositories seen as one.
    kind: String,
    /// For people.
    description: String,
    /// Whether it can be read without a login.
    anonymous_read: bool,
    /// Whether uploads of its format that name no repository come here.
    default_upload: bool,
    /// `tombstone`: deleted versions stay reserved for ever; `never`: nothing can be deleted.
    deletion: String,
    /// Of a remote repository: where its content comes from.
    #[oai(skip_serializing_if_is_none)]
    upstream: Option<UpstreamView>,
    /// Of a virtual repository: its members, in the order in which they are asked.
    #[oai(skip_serializing_if_is_none)]
    members: Option<Vec<String>>,
    /// Of a virtual repository: members whose trouble counts as absence, except for reserved names.
    #[oai(skip_serializing_if_is_none)]
    optional_members: Option<Vec<String>>,
    /// Of a virtual repository: names that only some members answer for.
    #[oai(skip_serializing_if_is_none)]
    reserved: Option<Vec<ReservationView>>,
    /// Of a virtual repository: whether the versions of one package may come from several members.
    #[oai(skip_serializing_if_is_none)]
    merge: Option<bool>,
    /// The settings that belong to the format.
    settings: Any<Value>,
    /// When it was made.
    created_at: String,
    /// Totals of its content.
    counts: CountsView,
}

/// Totals of a repository's content; deleted versions do not count.
#[derive(Object)]
struct CountsView {
    /// Packages with at least one version.
    packages: u64,
    /// Versions.
    artifacts: u64,
    /// Bytes of their files.
    bytes: u64,
}

impl RepositoryView {
    /// A repository with its totals, and how its upstreams fare.
    pub(super) fn of(repository: &Repository, counts: Counts, upstreams: &dyn Upstreams) -> Self {
        let (remote, members) = (repository.source.remote(), repository.source.members());
        Self {
            format: repository.address.format.to_string(),
            name: repository.address.name.to_string(),
            kind: repository.kind().as_str().to_owned(),
            description: repository.description.clone(),
            anonymous_read: repository.anonymous_read,
            default_upload: repository.default_upload,
            deletion: repository.deletion.as_str().to_owned(),
            upstream: remote.map(|remote| UpstreamView::of(remote, upstreams.health(repository.id, remote))),
            members: members.map(|members| words(&members.members)),
            optional_members: members.map(|members| words(&members.optional)),
            reserved: members.map(|members| members.reserved.iter().map(ReservationView::of).collect()),
            merge: members.map(|members| members.merge),
            settings: Any(Value::Object(repository.settings.0.clone())),
            created_at: time(repository.created_at),
            counts: CountsView { packages: counts.packages, artifacts: counts.artifacts, bytes: counts.bytes },
        }
    }

    /// What those see who may not manage it: of its members those that they may read, and no reserved names.
    pub(super) fn without_secrets(&mut self, readable: &[String]) {
        for names in [&mut self.members, &mut self.optional_members].into_iter().flatten() {
            names.retain(|name| readable.contains(name));
        }
        self.reserved = None;
    }
}
