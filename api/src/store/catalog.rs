//! The repositories in memory, each with its generation number.
//!
//! Every request asks for a repository by its address and for the generation by which cached answers are
//! judged; neither may wait for a disk. The writer's task changes what is here, after a COMMIT and before its callers
//! are answered; where several servers share a database, [`follow`](super::follow) brings what the others did. Readers
//! take a snapshot without locking.
//!
//! The numbers in memory grow with those in the rows and are not the same: an answer is good while the number that it
//! was made under stays what it is, in this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use keeper_core::artifact::StoreError;
use keeper_core::repository::{Repository, RepositoryAddress, RepositoryId};

/// All repositories as of the last commit.
#[derive(Debug)]
pub(super) struct Catalog {
    now: ArcSwap<Snapshot>,
    doubts: AtomicU64,
}

#[derive(Debug, Default)]
struct Snapshot {
    in_order: Vec<Arc<Repository>>,
    by_address: HashMap<RepositoryAddress, Arc<Repository>>,
    by_id: HashMap<RepositoryId, Entry>,
}

#[derive(Debug)]
struct Entry {
    repository: Arc<Repository>,
    generation: Arc<AtomicU64>,
    /// The number in the row, as far as it is known here.
    stored: Arc<AtomicU64>,
}

impl Entry {
    fn age(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// A repository as it was read, with its generation.
pub(super) type Generated = (Arc<Repository>, u64);

impl Catalog {
    pub(super) fn new(all: Vec<Generated>) -> Self {
        let catalog = Self { now: ArcSwap::default(), doubts: AtomicU64::new(0) };
        catalog.replace(all);
        catalog
    }

    pub(super) fn find(&self, at: &RepositoryAddress) -> Option<Arc<Repository>> {
        self.now.load().by_address.get(at).cloned()
    }

    pub(super) fn list(&self) -> Vec<Arc<Repository>> {
        self.now.load().in_order.clone()
    }

    /// The address of a repository, for the audit.
    pub(super) fn address(&self, of: RepositoryId) -> Result<RepositoryAddress, StoreError> {
        let now = self.now.load();
        let entry = now.by_id.get(&of);
        entry.map(|entry| entry.repository.address.clone()).ok_or(StoreError::Retired)
    }

    /// Zero for a repository that is not there.
    pub(super) fn generation(&self, of: RepositoryId) -> u64 {
        self.now.load().by_id.get(&of).map_or(0, |entry| entry.generation.load(Ordering::Acquire))
    }

    /// The content of a repository was changed here, by one.
    pub(super) fn bump(&self, of: RepositoryId) {
        if let Some(entry) = self.now.load().by_id.get(&of) {
            entry.stored.fetch_add(1, Ordering::AcqRel);
            entry.age();
        }
    }

    /// What is remembered of a repository may be older than the database. The number that it has now nobody has had.
    pub(super) fn doubt(&self, of: RepositoryId) -> u64 {
        if let Some(entry) = self.now.load().by_id.get(&of) {
            entry.age();
        }
        // One that is not known here may be there all the same.
        u64::MAX - self.doubts.fetch_add(1, Ordering::Relaxed)
    }

    /// The records have changed: these are all of them, in order of address. A record with another revision or number
    /// gets another generation. The numbers themselves live on, for a reader may still hold the old snapshot.
    pub(super) fn replace(&self, all: Vec<Generated>) {
        let before = self.now.load_full();
        let mut after = Snapshot::default();
        let mut changed = Vec::new();
        for (repository, number) in all {
            let (generation, stored) = match before.by_id.get(&repository.id) {
                None => (Arc::new(AtomicU64::new(number)), Arc::new(AtomicU64::new(number))),
                Some(known) => {
                    let moved = known.stored.swap(number, Ordering::AcqRel) != number;
                    if moved || known.repository.revision != repository.revision {
                        changed.push(repository.id);
                    }
                    (known.generation.clone(), known.stored.clone())
                }
            };
            after.in_order.push(repository.clone());
            after.by_address.insert(repository.address.clone(), repository.clone());
            after.by_id.insert(repository.id, Entry { repository, generation, stored });
        }
        let after = Arc::new(after);
        self.now.store(after.clone());
        for entry in changed.iter().filter_map(|id| after.by_id.get(id)) {
            entry.age();
        }
    }
}
