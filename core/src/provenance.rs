//! Where a version comes from, when it was used first, and what the last look at its stored bytes came to; and the port
//! that knows.
//!
//! Who and when stand in the version itself, and what it was warned of. The rest is read where it was written anyway: with
//! which token and in which way in the audit's row of the publication, the token's name in its own record, the first use
//! beside the last one.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifact::{Artifact, ArtifactId, StoreError};
use crate::retention::Day;

/// In which way a version came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the API, which the pages use, too.
    Api,
    /// Through what the format itself offers its clients.
    Client,
    /// It was taken over from another place by whoever runs the server.
    Import,
    /// It is a copy of what an upstream has.
    Upstream,
}

impl Way {
    const ALL: [Self; 4] = [Self::Api, Self::Client, Self::Import, Self::Upstream];

    /// The word in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Client => "client",
            Self::Import => "import",
            Self::Upstream => "upstream",
        }
    }

    /// The way of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// What is known of how a version came and of its first use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// In which way; `None` for what an older program took in.
    pub way: Option<Way>,
    /// The display part of the credential: `akp_Ab12`, `session 1f0c9a2e`.
    pub credential: Option<String>,
    /// What the token of that part is for, if it is one of the publisher's.
    pub token: Option<String>,
    /// The request that brought it.
    pub request: Option<String>,
    /// The first download; `None` when there was none, and when it was before this was written down.
    pub first_used_at: Option<Timestamp>,
    /// The day of the last one.
    pub last_used_on: Option<Day>,
}

/// What the last look at stored bytes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// They were what their row says.
    Matched(Timestamp),
    /// They were not: the code of the fault, what is wrong, and when that was found.
    Broken(String, String, Timestamp),
}

/// Knows it.
#[async_trait]
pub trait ProvenanceStore: Send + Sync {
    /// How a version came, as far as it is known.
    async fn provenance(&self, of: &Artifact) -> Result<Provenance, StoreError>;

    /// The last look at each file of an artifact that is a blob, by the names of the files; those at which nobody has
    /// looked yet are left out.
    async fn looks(&self, of: ArtifactId) -> Result<Vec<(String, Look)>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::Way;

    #[test]
    fn each_way_has_a_word_of_its_own() {
        for way in Way::ALL {
            assert_eq!(Way::parse(way.as_str()), Some(way));
        }
        assert_eq!(Way::parse(""), None);
    }
}
