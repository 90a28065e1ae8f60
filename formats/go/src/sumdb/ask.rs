//! What is asked of a checksum database, and what its answers are.
//!
//! ```text
//! supported   latest   lookup/ex.com/!m@v1.0.0   tile/8/0/x001/234.p/5
//! ```
//!
//! Bounds: [`AUTHORITY_DOCUMENT_BYTES`], [`MODULE_ELEMENTS`]. Errors: `not_found`, `upstream_invalid`, and what the
//! platform's client reports.

use bytes::Bytes;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, MaxAge};
use keeper_core::limits::AUTHORITY_DOCUMENT_BYTES;
use keeper_core::media_type::MediaType;
use keeper_core::upstream::{Authority, UpstreamError};

use super::note::VerifierKey;
use super::private::MODULE_ELEMENTS;
use super::tile::Tile;
use super::tree::Lookup;
use crate::absent::shown;
use crate::path::{ModulePath, escape_version, unescape_version};
use crate::version::GoVersion;

/// Seconds for which a record or a part of a tile is believed: neither changes, but the part will be replaced
/// by the whole, and the tree head beside a record by a newer one.
const RECORD_SECONDS: u32 = 24 * 60 * 60;

/// What is asked of a database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Supported,
    Latest,
    Lookup(ModulePath, GoVersion),
    Tile(Tile),
}

/// What is kept of an answer.
pub(super) struct Kept {
    pub(super) body: Bytes,
    /// Whether it can be given out without asking.
    pub(super) is_fresh: bool,
}

impl Ask {
    pub(super) fn parse(path: &str) -> Option<Self> {
        match path.split_once('/') {
            None if path == "supported" => Some(Self::Supported),
            None if path == "latest" => Some(Self::Latest),
            Some(("lookup", what)) => Self::lookup(what),
            Some(("tile", _)) => Tile::parse(path).map(Self::Tile),
            _ => None,
        }
    }

    fn lookup(what: &str) -> Option<Self> {
        let (module, version) = what.split_once('@')?;
        let module = ModulePath::unescape(module).ok()?;
        let version = GoVersion::parse(&unescape_version(version).ok()?).ok()?;
        (module.as_str().split('/').count() <= MODULE_ELEMENTS).then_some(Self::Lookup(module, version))
    }

    /// The address below the database's own, made anew from what was understood.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Supported => "/supported".to_owned(),
            Self::Latest => "/latest".to_owned(),
            Self::Lookup(module, version) => {
                // The client encodes the bang, and some caches tell the two spellings apart.
                format!("/lookup/{}@{}", module.escaped(), escape_version(version.as_str())).replace('!', "%21")
            }
            Self::Tile(tile) => format!("/{tile}"),
        }
    }

    pub(super) fn limit_bytes(&self) -> u64 {
        match self {
            Self::Tile(tile) => tile.hash_bytes().unwrap_or(AUTHORITY_DOCUMENT_BYTES),
            _ => AUTHORITY_DOCUMENT_BYTES,
        }
    }

    pub(super) fn answer(&self, body: Bytes) -> Result<Document, Failure> {
        let expected = match self {
            Self::Tile(tile) => tile.hash_bytes(),
            _ => None,
        };
        let sound = match expected {
            Some(length) => body.len() as u64 == length,
            None => std::str::from_utf8(&body).is_ok(),
        };
        if !sound {
            let cause = format!("{} bytes for {}", body.len(), self.address());
            return Err(
                Failure::new(&codes::UPSTREAM_INVALID, "the checksum database sent no such document").caused_by(cause)
            );
        }
        Ok(self.document(body))
    }

    /// What was sent or kept, as clients get it.
    pub(super) fn document(&self, body: Bytes) -> Document {
        let is_hashes = matches!(self, Self::Tile(tile) if tile.hash_bytes().is_some());
        let media_type = if is_hashes { MediaType::BYTES } else { MediaType::TEXT };
        let max_age = match self {
            Self::Tile(tile) if tile.is_full() => Some(MaxAge::Immutable),
            Self::Tile(_) | Self::Lookup(..) => Some(MaxAge::Seconds(RECORD_SECONDS)),
            Self::Supported | Self::Latest => None,
        };
        Document { max_age, ..Document::new(media_type, body) }
    }

    pub(super) fn failed(&self, error: UpstreamError, database: &str) -> Failure {
        match (self, error) {
            (Self::Lookup(module, version), UpstreamError::Absent | UpstreamError::Gone) => {
                let what = format!("{}@{}", shown(module.as_str()), shown(version.as_str()));
                Failure::new(&codes::NOT_FOUND, format!("{} has no record of {what}", shown(database)))
                    .hint("It looks public modules up itself; if this one is private, name it in GONOSUMDB.")
            }
            (_, UpstreamError::Absent | UpstreamError::Gone) => {
                Failure::new(&codes::NOT_FOUND, format!("{} has no such document", shown(database)))
                    .hint("For a part of a tile, ask for the whole tile.")
            }
            (_, other) => other.into(),
        }
    }

    /// The name under which it is kept.
    pub(super) fn kept_name(&self) -> String {
        self.address().trim_start_matches('/').to_owned()
    }

    /// What is kept of it.
    pub(super) async fn kept(&self, authority: &dyn Authority) -> Result<Option<Kept>, StoreError> {
        if let Self::Tile(tile) = self {
            return Ok(tile.recall(authority).await?.map(|body| Kept { body, is_fresh: true }));
        }
        let kept = authority.recall(&self.kept_name()).await?;
        Ok(kept.map(|document| {
            let age = Timestamp::now().duration_since(document.fetched_at);
            let is_fresh = matches!(self, Self::Lookup(..)) && age.as_secs() < i64::from(RECORD_SECONDS);
            Kept { body: document.body, is_fresh }
        }))
    }

    /// Keeps what can be given out again without doing harm: tiles, and what is signed.
    pub(super) async fn keep(
        &self,
        authority: &dyn Authority,
        key: Option<&VerifierKey>,
        body: &Bytes,
    ) -> Result<(), StoreError> {
        let is_signed = |note: &str| key.is_some_and(|key| key.open(note).is_ok());
        let is_good = match self {
            Self::Tile(tile) => return tile.keep(authority, body.clone()).await,
            Self::Supported => false,
            Self::Latest => std::str::from_utf8(body).is_ok_and(is_signed),
            Self::Lookup(module, version) => {
                let line = format!("{module} {version} ");
                let is_of = |lookup: &Lookup<'_>| lookup.record.lines().any(|one| one.starts_with(&line));
                Lookup::parse(body).is_some_and(|lookup| is_of(&lookup) && is_signed(lookup.note))
            }
        };
        if is_good { authority.keep(&self.kept_name(), body.clone()).await } else { Ok(()) }
    }
}
