//! Taking a version over from another place: its files come as they are, and stay so.
//!
//! Order, and what a crash after each step leaves: files staged by the caller (temporary files) → each judged by the
//! format as a copy → made one version, confirmed, compared with the sums that its users have → compared with what is
//! there → blobs → one transaction. A version is there with all the files that came, or it is not there.
//!
//! Whoever does this owns the data folder: there is no principal to authorise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::Keeper;
use super::hosted::Hosted;
use super::publish::{Candidate, Copied, Subject};
use super::remote::SOURCE;
use crate::access::{self, Action};
use crate::artifact::{Artifact, ArtifactState, Coordinate, FilePath, PublishOutcome};
use crate::blob::StagedBlob;
use crate::error::{Failure, codes};
use crate::events::Event;
use crate::format::{FormatHandler, Inspection, Recorded, Takeover};
use crate::policy;
use crate::provenance::Way;
use crate::repository::{Actor, Repository, RepositoryAddress};

/// A version that has come, staged.
pub struct Arrival {
    /// What was asked for.
    pub coordinate: Coordinate,
    /// Its files, in the order in which they are to be judged.
    pub files: Vec<(FilePath, Box<dyn StagedBlob>)>,
    /// The sums that its users have, by their names; all of them must be its own.
    pub sums: Vec<(String, String)>,
    /// Where it comes from, to be recorded with it.
    pub source: Option<String>,
    /// When its first byte came, by the monotonic clock.
    pub began: Instant,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is new here, or files of it are; in a dry run it would be.
    New,
    /// It is here with the same content.
    There,
}

impl Keeper {
    /// The hosted repository that takes versions over, and its format.
    ///
    /// # Errors
    /// `repository_not_found`, `read_only`, or that the format knows no other places.
    pub async fn takeover_target(
        &self,
        at: &RepositoryAddress,
    ) -> Result<(Arc<Repository>, Arc<dyn FormatHandler>), Failure> {
        let handler = self.ports.registry.named(at.format.as_str())?.1.clone();
        let named = self.ports.repositories.find(at).await?;
        let named = named
            .ok_or_else(|| Failure::new(&codes::REPOSITORY_NOT_FOUND, format!("repository \"{at}\" does not exist")))?;
        let repository = self.upload_target(&named).await?;
        offered(&*handler).map(drop)?;
        Ok((repository, handler))
    }

    /// Keeps a version as it came, unless it is here. With `dry_run`, everything is judged and nothing kept.
    ///
    /// # Errors
    /// Why the version is not taken: what the format finds wrong with it, `checksum_mismatch` with the sums of its users,
    /// `version_exists` for other content than is here, `version_deleted`; or trouble of the storage.
    pub async fn take_over(
        &self,
        repository: &Arc<Repository>,
        arrival: Arrival,
        dry_run: bool,
        by: Actor,
    ) -> Result<Taken, Failure> {
        let handler = self.ports.registry.named(repository.address.format.as_str())?.1.clone();
        let takeover = offered(&*handler)?;
        let Arrival { coordinate, files, sums, source, began } = arrival;
        let mut candidate = self.judged(&handler, takeover, repository, &coordinate, files).await?;
        if let (Some(source), Some(metadata)) = (source, candidate.inspection.metadata.as_object_mut()) {
            metadata.insert(SOURCE.to_owned(), source.into());
        }
        check_sums(&candidate.inspection.checksums, &sums)?;
        let permit = access::permit_of_owner(repository, Action::Publish);
        let view = Hosted { keeper: self, repository, handler: &handler, permit: &permit, url: "" };
        let before = self.ports.artifacts.find(repository.id, &coordinate).await?;
        if let Some(there) = &before
            && holds(there, &candidate.inspection)?
        {
            return Ok(Taken::There);
        }
        let more = handler.confirm(&candidate.inspection, &view).await?;
        candidate.inspection.warnings.extend(more.warnings);
        if dry_run {
            return Ok(Taken::New);
        }
        match self.record(repository, &handler, candidate, began, by).await? {
            PublishOutcome::Created(artifact) | PublishOutcome::Extended(artifact) => {
                tracing::info!(
                    repository.name = %repository.address, package.name = %coordinate.package,
                    package.version = %coordinate.version, "taken over"
                );
                self.ports.listener.hear(&Event::Published { repository, artifact: &artifact });
                Ok(Taken::New)
            }
            PublishOutcome::Same(_) => Ok(Taken::There),
            PublishOutcome::Conflict(there) => {
                let detail = format!("{} is here with other files of the same content", there.coordinate);
                Err(Failure::new(&codes::VERSION_EXISTS, detail))
            }
            PublishOutcome::Deleted(there) => Err(policy::number_is_spent(&there)),
        }
    }

    /// Judges file after file, each with what the ones before it told, and makes one version of them.
    async fn judged(
        &self,
        handler: &Arc<dyn FormatHandler>,
        takeover: &dyn Takeover,
        repository: &Arc<Repository>,
        coordinate: &Coordinate,
        files: Vec<(FilePath, Box<dyn StagedBlob>)>,
    ) -> Result<Candidate, Failure> {
        let (mut recorded, mut inspections, mut whole) = (Recorded::default(), Vec::new(), None::<Candidate>);
        for (path, staged) in files {
            let copied = Copied { path, coordinate: coordinate.clone(), recorded: recorded.clone() };
            let mut one = self.inspect(handler, repository, staged, Subject::Copied(Box::new(copied))).await?;
            recorded.checksums.extend(one.inspection.checksums.clone());
            if let (Some(known), Some(more)) = (recorded.metadata.as_object_mut(), one.inspection.metadata.as_object())
            {
                known.extend(more.clone());
            } else if one.inspection.metadata.is_object() {
                recorded.metadata = one.inspection.metadata.clone();
            }
            inspections.push(one.inspection.clone());
            if let Some(before) = whole.take() {
                one.spool.begin_with(before.spool);
            }
            whole = Some(one);
        }
        let nothing = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a version without files");
        let mut candidate = whole.ok_or_else(nothing)?;
        candidate.inspection = takeover.whole(inspections)?;
        // A tombstone stays one: this is a publication, and no copy that comes back.
        candidate.copied = false;
        candidate.way = Way::Import;
        Ok(candidate)
    }
}

fn offered(handler: &dyn FormatHandler) -> Result<&dyn Takeover, Failure> {
    let unknown = || {
        let detail = format!("the format {} knows no other places to take versions over from", handler.info().key);
        Failure::new(&codes::INVALID_FIELD, detail)
    };
    handler.takeover().ok_or_else(unknown)
}

/// Compares the sums of a version with those that its users have.
///
/// # Errors
/// `checksum_mismatch` with both.
pub fn check_sums(of: &BTreeMap<String, String>, sums: &[(String, String)]) -> Result<(), Failure> {
    let own = |name: &String| of.get(name);
    match sums.iter().find(|(name, sum)| own(name).is_some_and(|own| own != sum)) {
        None => Ok(()),
        Some((name, sum)) => Err(Failure::new(
            &codes::CHECKSUM_MISMATCH,
            format!("its {name} is {}; its users have {sum}", own(name).map_or("", String::as_str)),
        )),
    }
}

/// Whether all that came is here already.
fn holds(there: &Artifact, sent: &Inspection) -> Result<bool, Failure> {
    if there.state == ArtifactState::Deleted {
        return Err(policy::number_is_spent(there));
    }
    let other = sent.checksums.iter().find(|(name, sum)| there.checksums.get(*name).is_some_and(|own| own != *sum));
    if let Some((name, sum)) = other {
        let own = there.checksums.get(name).map_or("", String::as_str);
        let detail = format!("{} is here with the {name} {own}; what came has {sum}", there.coordinate);
        return Err(Failure::new(&codes::VERSION_EXISTS, detail));
    }
    Ok(sent.checksums.keys().all(|name| there.checksums.contains_key(name)))
}
