//! The port of packages: everything is read from the versions, so nothing can disagree with them.
//! All repositories are taken to be of one format.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use uuid::Uuid;

use super::store::{MemoryStore, Rows, VersionRow};
use crate::artifact::{Artifact, ArtifactId, ArtifactState, Page, StoreError};
use crate::catalog::{
    Dependent, DependentQuery, Hit, ListedVersion, Package, PackageId, PackageOrder, PackageQuery, PackageStore, Rank,
    SearchQuery, VersionOrder, VersionQuery,
};
use crate::digest::Digest;
use crate::repository::RepositoryId;

#[async_trait]
impl PackageStore for MemoryStore {
    async fn list_packages(&self, query: &PackageQuery) -> Result<Page<Package>, StoreError> {
        let mut found = self.call()?.packages();
        found.retain(|package| {
            query.repositories.contains(&package.repository)
                && query.name.as_deref().is_none_or(|name| package.name.as_str() == name)
                && query.text.as_deref().is_none_or(|text| holds(package.name.as_str(), text))
        });
        match &query.order {
            PackageOrder::Name { after } => {
                found.sort_by_key(|package| (package.name.as_str().to_owned(), package.id));
                found.retain(|one| {
                    after.as_ref().is_none_or(|after| (one.name.as_str(), one.id) > (after.0.as_str(), after.1))
                });
            }
            PackageOrder::Newest { after } => {
                found.sort_by_key(|package| std::cmp::Reverse(package.newest));
                found.retain(|package| after.is_none_or(|after| package.newest < after));
            }
            PackageOrder::Used { after } => {
                found.sort_by_key(|package| std::cmp::Reverse((package.used_by, package.id)));
                found.retain(|package| after.is_none_or(|after| (package.used_by, package.id) < after));
            }
        }
        Ok(Page::cut(found, query.limit as usize))
    }

    async fn package(&self, within: &[RepositoryId], id: PackageId) -> Result<Option<Package>, StoreError> {
        let all = self.call()?.packages();
        Ok(all.into_iter().find(|package| package.id == id && within.contains(&package.repository)))
    }

    async fn package_versions(&self, query: &VersionQuery) -> Result<Page<ListedVersion>, StoreError> {
        let rows = self.call()?;
        let of_package = |row: &&VersionRow| id_of(&row.artifact) == query.package;
        let mut versions: Vec<_> = rows.versions.values().filter(of_package).collect();
        versions.sort_by_key(|row| (&row.sort_key, &row.artifact.coordinate.version));
        if query.order == VersionOrder::Highest {
            versions.reverse();
        }
        let begin = match query.after {
            None => 0,
            Some(after) => versions.iter().position(|row| row.artifact.id == after).map_or(versions.len(), |at| at + 1),
        };
        let wanted = |row: &&&VersionRow| query.deleted || row.artifact.state != ArtifactState::Deleted;
        let found = versions[begin..].iter().filter(wanted).map(|row| listed(&row.artifact));
        Ok(Page::cut(found.collect(), query.limit as usize))
    }

    async fn dependents(&self, query: &DependentQuery) -> Result<Page<Dependent>, StoreError> {
        let rows = self.call()?;
        let mut found: Vec<_> = rows.live().filter_map(|artifact| dependent(artifact, query)).collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.version.artifact));
        Ok(Page::cut(found, query.limit as usize))
    }

    async fn find_packages(&self, query: &SearchQuery) -> Result<Page<Hit>, StoreError> {
        let rows = self.call()?;
        let found = rows.packages().into_iter().filter(|package| query.repositories.contains(&package.repository));
        let hit = |package: Package| {
            let keywords = rows.newest_of(&package).about.keywords.join(" ");
            let text = format!("{} {} {keywords}", package.name, package.description);
            let rank = Rank::try_from(package.name.as_str().len()).unwrap_or(Rank::MAX);
            query.terms.iter().all(|term| holds(&text, term)).then_some(Hit { package, rank })
        };
        let mut hits: Vec<_> = found.filter_map(hit).collect();
        hits.sort_by_key(|hit| (hit.rank, hit.package.id));
        hits.retain(|hit| query.after.is_none_or(|after| (hit.rank, hit.package.id) > after));
        Ok(Page::cut(hits, query.limit as usize))
    }

    async fn similar_packages(
        &self,
        within: &[RepositoryId],
        word: &str,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError> {
        let mut found = self.call()?.packages();
        let parts: Vec<_> = word.as_bytes().windows(3).filter_map(|part| std::str::from_utf8(part).ok()).collect();
        let shared = |package: &Package| parts.iter().filter(|part| holds(package.name.as_str(), part)).count();
        found.retain(|package| within.contains(&package.repository) && shared(package) > 0);
        found.sort_by_key(|package| std::cmp::Reverse(shared(package)));
        found.truncate(limit as usize);
        Ok(found)
    }
}

fn holds(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

/// An id that follows from the package's place, as its rows are nowhere.
fn id_of(artifact: &Artifact) -> PackageId {
    let place = format!("{} {}", artifact.repository.0, artifact.coordinate.package);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(place.as_bytes()).as_bytes()[..16]);
    PackageId(Uuid::from_bytes(bytes))
}

fn listed(artifact: &Artifact) -> ListedVersion {
    ListedVersion {
        artifact: artifact.id,
        version: artifact.coordinate.version.clone(),
        state: artifact.state,
        state_reason: artifact.state_reason.clone(),
        pinned: artifact.pinned,
        published_at: artifact.published_at,
        published_by: artifact.published_by.clone(),
    }
}

fn dependent(artifact: &Artifact, query: &DependentQuery) -> Option<Dependent> {
    let wanted = query.repositories.contains(&artifact.repository)
        && query.after.is_none_or(|after: ArtifactId| artifact.id < after);
    let need = artifact.dependencies.iter().find(|need| need.package == query.package.as_str())?;
    wanted.then(|| Dependent {
        repository: artifact.repository,
        package: artifact.coordinate.package.clone(),
        package_id: id_of(artifact),
        version: listed(artifact),
        needs: need.version.clone(),
        kind: need.kind.clone(),
    })
}

impl Rows {
    fn live(&self) -> impl Iterator<Item = &Artifact> {
        self.versions.values().map(|row| &row.artifact).filter(|artifact| artifact.state != ArtifactState::Deleted)
    }

    fn newest_of(&self, package: &Package) -> &Artifact {
        self.live().find(|artifact| artifact.id == package.newest).expect("a package is made of its versions")
    }

    fn packages(&self) -> Vec<Package> {
        let mut by_name = BTreeMap::<_, Vec<&Artifact>>::new();
        for artifact in self.live() {
            by_name.entry((artifact.repository, &artifact.coordinate.package)).or_default().push(artifact);
        }
        let mut needs = BTreeMap::<_, BTreeSet<_>>::new();
        for artifact in self.live() {
            let own = &artifact.coordinate.package;
            for need in artifact.dependencies.iter().filter(|need| need.package != own.as_str()) {
                needs.entry(need.package.as_str()).or_default().insert((artifact.repository, own));
            }
        }
        let package = |versions: Vec<&Artifact>| {
            let newest = versions.iter().max_by_key(|artifact| artifact.id).expect("at least one");
            let name = newest.coordinate.package.as_str();
            Package {
                id: id_of(newest),
                repository: newest.repository,
                name: newest.coordinate.package.clone(),
                description: newest.about.description.clone(),
                newest: newest.id,
                published_at: newest.published_at,
                published_by: newest.published_by.clone(),
                versions: versions.len() as u64,
                used_by: needs.get(name).map_or(0, BTreeSet::len) as u64,
                license: newest.about.license.clone(),
            }
        };
        by_name.into_values().map(package).collect()
    }
}
