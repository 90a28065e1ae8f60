//! Looking around: packages, what their formats say of their versions, and files by the artifact that has them.
//!
//! Whatever is answered here is content of a repository that the principal may read; rights are asked for on
//! every call.

use std::sync::Arc;

use super::access::{hidden, holder, ids};
use super::hosted::Hosted;
use super::{Answer, Keeper};
use crate::access::{Action, Principal, authorize};
use crate::artifact::{Artifact, ArtifactId, ArtifactState, FoundFile, PackageName};
use crate::catalog::{Package, PackageId, PackageSummary};
use crate::error::{Failure, codes};
use crate::format::MaxAge;
use crate::limits::CACHED_BYTES;
use crate::policy;
use crate::repository::{Repository, RepositoryId};

/// Bytes that a kept mark takes, about.
const MARK_BYTES: usize = 160;

/// The weight of a kept summary in bytes.
pub(super) fn weigh(key: &(RepositoryId, PackageName), kept: &(u64, Arc<PackageSummary>)) -> u32 {
    let texts: usize = kept.1.marks.values().filter_map(|marks| marks.retracted.as_ref()).map(String::len).sum();
    let entry = size_of::<PackageSummary>() + CACHED_BYTES;
    u32::try_from(entry + key.1.as_str().len() + kept.1.marks.len() * MARK_BYTES + texts).unwrap_or(u32::MAX)
}

impl Keeper {
    /// A package by its id with the repository that holds it, if the principal may read that.
    ///
    /// # Errors
    /// `package_not_found`, for absent and hidden ones alike; strangers are asked to log in.
    pub async fn package(&self, who: &Principal, id: PackageId) -> Result<(Arc<Repository>, Package), Failure> {
        let readable = self.readable(who).await?;
        let found = self.ports.packages.package(&ids(&readable), id).await?;
        let found = found.and_then(|package| Some((holder(readable, package.repository)?, package)));
        found.ok_or_else(|| hidden(who, &codes::PACKAGE_NOT_FOUND, &format!("package {id}")))
    }

    /// What the format says of a package's versions. Kept ready while the repository stays as it is.
    ///
    /// # Errors
    /// Who may not read it, or trouble of the store.
    pub async fn summary(
        &self,
        who: &Principal,
        repository: &Arc<Repository>,
        package: &PackageName,
    ) -> Result<Arc<PackageSummary>, Failure> {
        let permit = authorize(who, Action::Read, repository)
            .map_err(|denial| self.denied_in_api(&repository.address, &denial))?;
        let key = (repository.id, package.clone());
        let generation = self.ports.artifacts.generation(repository.id);
        if let Some((_, kept)) = self.summaries.get(&key).filter(|(kept, _)| *kept == generation) {
            return Ok(kept);
        }
        let handler = self.handler(&repository.address)?;
        let all = self.ports.artifacts.versions(repository.id, package).await?.unwrap_or_default();
        let versions: Vec<_> = all.into_iter().map(|(version, _)| version).collect();
        let view = Hosted { keeper: self, repository, handler, permit: &permit, url: "" };
        let summary = Arc::new(handler.summary(package, &versions, &view).await?);
        self.summaries.insert(key, (generation, summary.clone()));
        Ok(summary)
    }

    /// A file of an artifact, by the name that it has there, through the same gate as on the format's own path. It is a
    /// use of the version when it is downloaded, and none when somebody only looks at it.
    ///
    /// # Errors
    /// `artifact_not_found`, `file_not_found`, `deleted`, `blocked`.
    pub async fn file_of(
        &self,
        who: &Principal,
        id: ArtifactId,
        name: &str,
        downloaded: bool,
    ) -> Result<Answer, Failure> {
        let (repository, artifact) = self.artifact(who, id).await?;
        let coordinate = artifact.coordinate.clone();
        let answer = served(&repository, artifact, |file| file == name)?;
        if downloaded {
            self.note_use(repository.id, &coordinate);
        }
        Ok(answer)
    }
}

/// The first file of an artifact whose name is wanted, as it is served.
///
/// # Errors
/// `file_not_found`, `deleted`, `blocked`.
pub fn served(repository: &Repository, artifact: Artifact, wanted: impl Fn(&str) -> bool) -> Result<Answer, Failure> {
    if artifact.state == ArtifactState::Deleted {
        return Err(policy::tombstone(&artifact));
    }
    let Some(file) = artifact.files.into_iter().find(|file| wanted(&file.name)) else {
        let detail = format!("{} has no such file", artifact.coordinate);
        return Err(Failure::new(&codes::FILE_NOT_FOUND, detail));
    };
    let found =
        FoundFile { file, state: artifact.state, reason: artifact.state_reason, published_at: artifact.published_at };
    policy::admit(&found, &artifact.coordinate)?;
    Ok(Answer::of_file(found, MaxAge::Revalidate, repository.anonymous_read))
}
