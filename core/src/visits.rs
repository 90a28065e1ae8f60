//! Who came last: for each token and repository the last read of a package client, so that somebody who sets one up
//! sees that it arrives.
//!
//! In memory only and of this process: it is a hint for people and no record. Bounds: [`VISITS_IN_MEMORY`] visits for
//! [`VISIT_LIFE`]; a path is cut at [`VISIT_PATH_BYTES`].

use jiff::Timestamp;
use moka::sync::Cache;

use crate::access::{Means, Principal};
use crate::error::Code;
use crate::identity::TokenId;
use crate::limits::{VISIT_LIFE, VISIT_PATH_BYTES, VISITS_IN_MEMORY};
use crate::repository::RepositoryId;

/// A read as it was answered.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When.
    pub at: Timestamp,
    /// What was asked for, below the repository's address.
    pub path: String,
    /// Why it was refused, if it was.
    pub refused: Option<&'static Code>,
}

/// The last visits.
#[derive(Debug)]
pub struct Visits(Cache<(TokenId, RepositoryId), Visit>);

impl Default for Visits {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(VISITS_IN_MEMORY).time_to_live(VISIT_LIFE).build())
    }
}

impl Visits {
    /// A read was answered. Strangers and browsers are nobody's package client.
    pub fn note(&self, who: &Principal, of: RepositoryId, path: &str, refused: Option<&'static Code>) {
        let Principal::User(user) = who else { return };
        let Means::Token(token) = user.means else { return };
        let cut = path.floor_char_boundary(VISIT_PATH_BYTES);
        let visit = Visit { at: Timestamp::now(), path: path[..cut].to_owned(), refused };
        self.0.insert((token, of), visit);
    }

    /// The last visit with this token.
    #[must_use]
    pub fn last(&self, token: TokenId, of: RepositoryId) -> Option<Visit> {
        self.0.get(&(token, of))
    }
}
