//! Addresses of tiles: pieces of a checksum database's tree.
//!
//! ```text
//! tile/8/0/000               the hashes of the first 256 records
//! tile/8/1/x001/234.p/5      of level 1 the tile 1234, of which 5 hashes are there yet
//! tile/8/data/000            the first 256 records themselves
//! ```
//!
//! A tile is kept under the address of the whole, with as many hashes as were ever seen: they never change, and more of
//! them only follow. So each part is the beginning of what is kept.
//!
//! Of several spellings of one tile only that of the database itself is accepted, so that each has one
//! address in every cache.
//!
//! Units and bounds: height 1 to 30; a tile holds 2^height hashes of 32 bytes; its number is below 2^63.
//! Sources: `ParseTilePath` in `golang.org/x/mod/sumdb/tlog`.

use std::fmt;

use bytes::Bytes;
use keeper_core::artifact::StoreError;
use keeper_core::limits::AUTHORITY_DOCUMENT_BYTES;
use keeper_core::upstream::Authority;

use super::tree::Spot;

const HASH_BYTES: u64 = 32;

/// A tile or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    height: u32,
    /// `None`: the records themselves.
    level: Option<u32>,
    number: u64,
    width: u64,
}

impl Tile {
    /// Reads `tile/H/L/N` or `tile/H/L/N.p/W`. A tile of hashes that is larger than any document we fetch is
    /// none.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (height, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (level, rest) = rest.split_once('/')?;
        let height: u32 = height.parse().ok().filter(|height| (1..=30).contains(height))?;
        let level = if level == "data" { None } else { Some(level.parse().ok().filter(|level| *level < 64)?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| (1..1_u64 << height).contains(width))?),
            None => (rest, 1_u64 << height),
        };
        let number = number.split('/').try_fold(0, |number: u64, group| {
            let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|group| *group < 1000)?;
            number.checked_mul(1000)?.checked_add(group).filter(|number| i64::try_from(*number).is_ok())
        })?;
        let tile = Self { height, level, number, width };
        let is_fetched = tile.hash_bytes().is_none_or(|bytes| bytes <= AUTHORITY_DOCUMENT_BYTES);
        (is_fetched && tile.to_string() == path).then_some(tile)
    }

    /// A tile of the height that everybody uses.
    pub(super) fn of_hashes(spot: Spot) -> Self {
        Self { height: 8, level: Some(spot.level), number: spot.number, width: spot.width }
    }

    /// The name under which it is kept, whatever is there of it.
    pub(super) fn kept_name(&self) -> String {
        Self { width: 1 << self.height, ..*self }.to_string()
    }

    /// What is kept of it, if that is enough.
    pub(super) async fn recall(&self, authority: &dyn Authority) -> Result<Option<Bytes>, StoreError> {
        let kept = authority.recall(&self.kept_name()).await?.map(|document| document.body);
        Ok(match self.hash_bytes().and_then(|bytes| usize::try_from(bytes).ok()) {
            Some(bytes) => kept.filter(|body| body.len() >= bytes).map(|body| body.slice(..bytes)),
            None => kept.filter(|_| self.is_full()),
        })
    }

    /// Keeps it, unless as much is kept already. Of records only whole tiles are kept.
    pub(super) async fn keep(&self, authority: &dyn Authority, body: Bytes) -> Result<(), StoreError> {
        let name = self.kept_name();
        let there = authority.recall(&name).await?.map_or(0, |document| document.body.len());
        match self.hash_bytes() {
            // One as long may take the place of a damaged one.
            Some(_) if body.len() >= there => authority.keep(&name, body).await,
            None if self.is_full() => authority.keep(&name, body).await,
            _ => Ok(()),
        }
    }

    /// Whether all of it is there, so that it never changes.
    pub(super) fn is_full(&self) -> bool {
        self.width == 1 << self.height
    }

    /// Its exact length, if it holds hashes.
    pub(super) fn hash_bytes(&self) -> Option<u64> {
        self.level.map(|_| self.width * HASH_BYTES)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.height)?;
        match self.level {
            Some(level) => write!(f, "{level}/")?,
            None => f.write_str("data/")?,
        }
        let mut number = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        f.write_str(&number)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tile_has_one_address() {
        let rows = [
            ("tile/8/0/000", Some(256 * 32)),
            ("tile/8/0/000.p/1", Some(32)),
            ("tile/8/0/000.p/255", Some(255 * 32)),
            ("tile/8/1/x001/234", Some(256 * 32)),
            ("tile/8/0/x001/x234/067.p/5", Some(5 * 32)),
            ("tile/1/63/999", Some(64)),
            ("tile/15/0/000", Some(1024 * 1024)),
            ("tile/30/0/000.p/1", Some(32)),
            ("tile/8/0/x009/x223/x372/x036/x854/x775/807", Some(256 * 32)),
        ];
        for (path, bytes) in rows {
            let tile = Tile::parse(path).expect(path);
            assert_eq!((tile.to_string().as_str(), tile.hash_bytes()), (path, bytes));
            assert_eq!(tile.is_full(), !path.contains(".p/"), "{path}");
        }
        let data = Tile::parse("tile/8/data/000.p/9").expect("records");
        assert_eq!((data.hash_bytes(), data.is_full()), (None, false));
    }

    #[test]
    fn no_other_address_is_one() {
        let rows = [
            "tile/8/0/000.p/256",
            "tile/8/0/000.p/0",
            "tile/8/0/000.p/01",
            "tile/8/0/000.p/",
            "tile/8/0/000.p",
            "tile/8/0/1",
            "tile/8/0/0000",
            "tile/8/0/1000",
            "tile/8/0/001/234",
            "tile/8/0/x000/001",
            "tile/8/0/x001",
            "tile/8/0/",
            "tile/8/0",
            "tile/8/64/000",
            "tile/8/-1/000",
            "tile/+8/0/000",
            "tile/08/0/000",
            "tile/0/0/000",
            "tile/31/0/000",
            "tile/8/Data/000",
            "tile/8/0/x009/x223/x372/x036/x854/x775/808",
            "tile/8/0/x999/x999/x999/x999/x999/x999/999",
            // Beyond what we fetch.
            "tile/16/0/000",
            "tile/30/0/000",
            "tile",
            "",
        ];
        for path in rows {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_the_same(path in "tile/[0-9]{1,2}/([0-9]|data)/(x?[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Some(tile) = Tile::parse(&path) {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }
}
