//! Asks a checksum database for the sums of a version, and believes nothing that it cannot prove.
//!
//! ```text
//! lookup      number, record, signed head        the signature is the known key's
//! tree        the head kept of all that was seen     the older of the two is the beginning of the newer one
//! record      leaf `number` of the newer tree         by its tile, whose root is in the tile above, … up to the head
//! sums        lines of the record                 and nothing that stands outside it
//! ```
//!
//! Kept, so that what was seen is believed again without the network: `record KEY MODULE@VERSION` (proved), `head KEY`
//! (the newest, replaced only by one that continues it), the tiles that were proved, and the lookup for clients. When
//! two signed heads contradict each other the database has shown different trees to different people. `fork KEY` then
//! holds both, and nothing is verified with that key any more.
//!
//! A head that is older than the newest one is no fault as long as it is its beginning, for caches answer with such;
//! but it must hold the record itself, and it replaces nothing.
//!
//! Bounds: [`HEADS_AT_ONCE`]; a proof needs at most two tiles of each of six levels. Errors: [`Fault`].
//! Sources: `golang.org/x/mod/sumdb` (go 1.27); CVE-2026-42501, CVE-2026-56864, CVE-2026-56865.

use std::collections::HashMap;

use bytes::Bytes;
use keeper_core::artifact::StoreError;
use keeper_core::limits::AUTHORITY_DOCUMENT_BYTES;
use keeper_core::upstream::{Authority, UpstreamError};

use super::Ask;
use super::note::VerifierKey;
use super::tile::Tile;
use super::tree::{Hash, Head, Lookup, Spot, WIDTH, edge, leaf, root, whole};
use crate::path::ModulePath;
use crate::version::GoVersion;

/// How often a head is compared anew because others put a newer one in its place meanwhile.
const HEADS_AT_ONCE: usize = 16;

/// A checksum database with the key that its answers are checked with.
pub(crate) struct Database<'a> {
    key: &'a VerifierKey,
    authority: &'a dyn Authority,
}

/// Why there is no record that could be believed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database says that it has no record.
    Absent,
    /// It cannot be asked.
    Upstream(UpstreamError),
    /// What is kept cannot be read or written.
    Store(StoreError),
    /// What it says is not proved; the text says how.
    Unproven(String),
    /// It has shown two trees that contradict each other.
    Forked,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn unproven(why: impl Into<String>) -> Fault {
    Fault::Unproven(why.into())
}

impl<'a> Database<'a> {
    pub(crate) fn new(key: &'a VerifierKey, authority: &'a dyn Authority) -> Self {
        Self { key, authority }
    }

    /// The record of a version: lines `module version h1:…` and `module version/go.mod h1:…`.
    ///
    /// # Errors
    /// [`Fault`].
    pub(crate) async fn record(&self, module: &ModulePath, version: &GoVersion) -> Result<String, Fault> {
        let name = format!("record {} {module}@{version}", self.key.id());
        if let Some(kept) = self.authority.recall(&name).await? {
            return String::from_utf8(kept.body.to_vec()).map_err(|_| unproven("a kept record is damaged"));
        }
        if self.authority.recall(&self.fork_name()).await?.is_some() {
            return Err(Fault::Forked);
        }
        let ask = Ask::Lookup(module.clone(), version.clone());
        let body = match self.authority.fetch(&ask.address(), AUTHORITY_DOCUMENT_BYTES).await {
            Ok(body) => body,
            Err(error) if error.is_absence() => return Err(Fault::Absent),
            Err(error) => return Err(Fault::Upstream(error)),
        };
        let lookup = Lookup::parse(&body).ok_or_else(|| unproven("the answer to the lookup is malformed"))?;
        self.prove(&lookup).await?;
        self.authority.keep(&ask.kept_name(), body.clone()).await?;
        self.authority.keep(&name, Bytes::from(lookup.record.to_owned())).await?;
        Ok(lookup.record.to_owned())
    }

    /// Proves that the record is in the tree, and the tree the continuation of what was seen before.
    async fn prove(&self, lookup: &Lookup<'_>) -> Result<(), Fault> {
        let head = self.head(lookup.note).map_err(|why| unproven(format!("the signed tree head: {why}")))?;
        if lookup.id >= head.size {
            let why = format!("record {} is not in the signed tree of {} records", lookup.id, head.size);
            return Err(unproven(why));
        }
        for _ in 0..HEADS_AT_ONCE {
            let kept = self.authority.recall(&self.head_name()).await?.map(|document| document.body);
            let newest = match &kept {
                Some(note) => Some(self.kept_head(note)?),
                None => None,
            };
            let larger = newest.filter(|newest| newest.size > head.size).unwrap_or(head);
            let mut tree = Tree::open(self, larger).await?;
            if let Some(newest) = newest {
                let older = if larger == head { newest } else { head };
                if tree.root_at(older.size).await? != older.hash {
                    let both = format!("{}\n\n{}", String::from_utf8_lossy(&kept.unwrap_or_default()), lookup.note);
                    self.authority.keep(&self.fork_name(), Bytes::from(both)).await?;
                    return Err(Fault::Forked);
                }
            }
            if tree.leaf(lookup.id).await? != leaf(lookup.record) {
                return Err(unproven(format!("record {} of the tree is another one", lookup.id)));
            }
            tree.keep().await?;
            let is_newer = newest.is_none_or(|newest| head.size > newest.size);
            let note = Bytes::from(lookup.note.to_owned());
            if !is_newer || self.authority.replace(&self.head_name(), kept.as_deref(), note).await? {
                return Ok(());
            }
        }
        Err(Fault::Store(StoreError::Busy))
    }

    fn head(&self, note: &str) -> Result<Head, String> {
        let text = self.key.open(note).map_err(|fault| fault.to_string())?;
        Head::parse(text).ok_or_else(|| "it is malformed".to_owned())
    }

    /// The head that was kept; it was checked before, but a store can be damaged.
    fn kept_head(&self, note: &[u8]) -> Result<Head, Fault> {
        let note = std::str::from_utf8(note).map_err(|fault| unproven(format!("the kept tree head: {fault}")))?;
        self.head(note).map_err(|why| unproven(format!("the kept tree head: {why}")))
    }

    fn head_name(&self) -> String {
        format!("head {}", self.key.id())
    }

    fn fork_name(&self) -> String {
        format!("fork {}", self.key.id())
    }

    /// The hashes of a tile from what is kept, if they are there.
    async fn kept_hashes(&self, spot: Spot) -> Result<Option<Vec<Hash>>, Fault> {
        let kept = self.authority.recall(&Tile::of_hashes(spot).kept_name()).await?;
        Ok(kept.and_then(|document| hashes(&document.body, spot.width)))
    }

    /// The hashes of a tile from the database.
    async fn fetched_hashes(&self, spot: Spot) -> Result<Vec<Hash>, Fault> {
        let tile = Tile::of_hashes(spot);
        let whole = Tile::of_hashes(Spot { width: WIDTH, ..spot });
        let body = match self.authority.fetch(&format!("/{tile}"), AUTHORITY_DOCUMENT_BYTES).await {
            // A part is given up when the whole is there.
            Err(error) if error.is_absence() && !spot.is_full() => {
                self.authority.fetch(&format!("/{whole}"), AUTHORITY_DOCUMENT_BYTES).await
            }
            answer => answer,
        };
        match body {
            Ok(body) => hashes(&body, spot.width).ok_or_else(|| unproven(format!("{tile} has another length"))),
            Err(error) if error.is_absence() => Err(unproven(format!("the database lacks {tile} of its own tree"))),
            Err(error) => Err(Fault::Upstream(error)),
        }
    }
}

/// The first hashes of a tile's bytes; `None` when there are fewer, or half ones.
fn hashes(body: &[u8], width: u64) -> Option<Vec<Hash>> {
    let (all, rest) = body.as_chunks::<32>();
    let width = usize::try_from(width).ok()?;
    Some(all.get(..width)?.to_vec()).filter(|_| rest.is_empty() && all.len() as u64 <= WIDTH)
}

/// A tree whose head is believed, with the tiles that are proved.
struct Tree<'d, 'a> {
    database: &'d Database<'a>,
    size: u64,
    proved: HashMap<(u32, u64), Vec<Hash>>,
    /// Those that are not kept yet.
    fetched: Vec<Spot>,
}

impl<'d, 'a> Tree<'d, 'a> {
    /// Proves the edge: its hashes make the root.
    async fn open(database: &'d Database<'a>, head: Head) -> Result<Self, Fault> {
        let mut tree = Self { database, size: head.size, proved: HashMap::new(), fetched: Vec::new() };
        let spots: Vec<Spot> = edge(head.size).collect();
        let mut tiles = Vec::with_capacity(spots.len());
        for spot in &spots {
            tiles.push(database.kept_hashes(*spot).await?);
        }
        let is_right = |tiles: &[Option<Vec<Hash>>]| {
            let tiles: Option<Vec<&[Hash]>> = tiles.iter().map(Option::as_deref).collect();
            tiles.is_some_and(|tiles| root(&tiles) == head.hash)
        };
        // Kept ones are proved again, and asked for again when that fails.
        for only_missing in [true, false] {
            if is_right(&tiles) {
                break;
            }
            for (spot, tile) in spots.iter().zip(&mut tiles) {
                if tile.is_none() || !only_missing {
                    *tile = Some(database.fetched_hashes(*spot).await?);
                    tree.fetched.push(*spot);
                }
            }
        }
        if !is_right(&tiles) {
            return Err(unproven(format!("the tiles of the tree of {} records do not make its root", head.size)));
        }
        let proved = spots.iter().zip(tiles).filter_map(|(spot, tile)| Some(((spot.level, spot.number), tile?)));
        tree.proved = proved.collect();
        Ok(tree)
    }

    /// A tile of the tree, proved by those above it.
    async fn tile(&mut self, level: u32, number: u64) -> Result<&[Hash], Fault> {
        let outside = || unproven(format!("tile {number} of level {level} is not in the tree"));
        let mut path = Vec::new();
        let mut spot = Spot::within(self.size, level, number).ok_or_else(outside)?;
        while !self.proved.contains_key(&(spot.level, spot.number)) {
            let (above, place) = spot.above(self.size).filter(|_| spot.is_full()).ok_or_else(outside)?;
            path.push((spot, above, place));
            spot = above;
        }
        while let Some((spot, above, place)) = path.pop() {
            let wanted = self.proved.get(&(above.level, above.number)).and_then(|tile| tile.get(place));
            let wanted = *wanted.ok_or_else(outside)?;
            let kept = self.database.kept_hashes(spot).await?.filter(|kept| whole(kept) == wanted);
            let hashes = match kept {
                Some(hashes) => hashes,
                None => {
                    let fetched = self.database.fetched_hashes(spot).await?;
                    if whole(&fetched) != wanted {
                        return Err(unproven(format!("{} is not the tree's", Tile::of_hashes(spot))));
                    }
                    self.fetched.push(spot);
                    fetched
                }
            };
            self.proved.insert((spot.level, spot.number), hashes);
        }
        self.proved.get(&(level, number)).map(Vec::as_slice).ok_or_else(outside)
    }

    /// The hash of a record.
    async fn leaf(&mut self, id: u64) -> Result<Hash, Fault> {
        let tile = self.tile(0, id / WIDTH).await?;
        let place = usize::try_from(id % WIDTH).unwrap_or(usize::MAX);
        tile.get(place).copied().ok_or_else(|| unproven(format!("record {id} is not in the tree")))
    }

    /// The root that the tree had with its first `size` records.
    async fn root_at(&mut self, size: u64) -> Result<Hash, Fault> {
        let mut tiles = Vec::new();
        for spot in edge(size) {
            let tile = self.tile(spot.level, spot.number).await?;
            let width = usize::try_from(spot.width).unwrap_or(usize::MAX);
            let hashes = tile.get(..width).ok_or_else(|| unproven("a tile of the older tree is shorter now"))?;
            tiles.push(hashes.to_vec());
        }
        Ok(root(&tiles.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    /// Keeps what was fetched and proved.
    async fn keep(&self) -> Result<(), Fault> {
        for spot in &self.fetched {
            if let Some(hashes) = self.proved.get(&(spot.level, spot.number)) {
                Tile::of_hashes(*spot).keep(self.database.authority, Bytes::from(hashes.concat())).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
