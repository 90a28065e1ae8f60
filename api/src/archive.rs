//! Looking into stored archives: which entries there are, and what one of them holds. Nothing is unpacked.
//!
//! Shape: entries are listed as folders, `{"path": "example.com/m@v1.0.0/cmd/", …}`; names are as the archive has
//! them, except that what could be taken for another place (`..`, a backslash, a control character) is left out.
//!
//! Units and bounds: an archive is read through a window of [`WINDOW_BYTES`]; one with more than [`ENTRIES`]
//! entries or a directory of more than [`DIRECTORY_BYTES`] is not looked into; [`AT_ONCE`] are at a time, each on a
//! blocking thread; lists of entries are kept ready, up to [`CACHE_BYTES`].
//! Errors: `not_an_archive`; faults of the blob store keep their own codes.

mod window;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Bound;
use std::sync::Arc;

use keeper_core::artifact::Page;
use keeper_core::blob::ReadSeek;
use keeper_core::digest::Digest;
use keeper_core::error::{Failure, codes};
use keeper_core::limits::CACHED_BYTES;
use keeper_core::pipeline::{Answer, Keeper, Resolution};
use moka::sync::Cache;
use tokio::sync::Semaphore;
use zip::ZipArchive;

use window::Window;

/// Bytes read of an archive at once.
const WINDOW_BYTES: u64 = 256 * 1024;
/// Entries of an archive: as many as an upload may have.
const ENTRIES: usize = 200_000;
/// Bytes of the directory of an archive.
const DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;
/// Archives looked into at once.
const AT_ONCE: usize = 4;
/// Bytes of lists of entries that are kept ready.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// What an archive holds: each entry's name and the bytes that it says it has.
pub type Listing = BTreeMap<String, u64>;

/// One line of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The whole path; a folder's ends with a slash.
    pub path: String,
    /// Bytes of a file; `None` for a folder.
    pub size: Option<u64>,
}

/// The start of an entry.
#[derive(Debug)]
pub struct Content {
    /// Its bytes, all or the first ones.
    pub bytes: Vec<u8>,
    /// How many it says it has.
    pub size: u64,
}

impl Content {
    /// Whether there is more of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.size > self.bytes.len() as u64
    }
}

/// Looks into archives.
pub struct Archives {
    turns: Arc<Semaphore>,
    listings: Cache<Digest, Arc<Listing>>,
}

impl Default for Archives {
    fn default() -> Self {
        let weigh = |_: &Digest, listing: &Arc<Listing>| {
            let names: usize = listing.keys().map(|name| name.len() + 64).sum();
            u32::try_from(CACHED_BYTES + names).unwrap_or(u32::MAX)
        };
        let listings = Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh).build();
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), listings }
    }
}

impl Archives {
    /// The entries of an archive that may be read.
    ///
    /// # Errors
    /// `not_an_archive`, or trouble of the blob store.
    pub async fn listing(&self, keeper: &Arc<Keeper>, answer: &Answer) -> Result<Arc<Listing>, Failure> {
        let digest = match &answer.resolution {
            Resolution::Bytes(bytes) => Digest::of(bytes),
            Resolution::Blob(blob) => blob.location.digest(),
            Resolution::Relay(_) => {
                let told = Failure::new(&codes::INTERNAL, codes::INTERNAL.title);
                return Err(told.caused_by("an archive that is still coming"));
            }
        };
        if let Some(kept) = self.listings.get(&digest) {
            return Ok(kept);
        }
        let listing = self.inside(keeper, answer, |archive| Ok(Arc::new(listing(archive)))).await?;
        self.listings.insert(digest, listing.clone());
        Ok(listing)
    }

    /// At most `limit_bytes` from the start of an entry; `None` when there is no such entry.
    ///
    /// # Errors
    /// As [`listing`](Self::listing); a damaged entry is no archive.
    pub async fn read(
        &self,
        keeper: &Arc<Keeper>,
        answer: &Answer,
        name: &str,
        limit_bytes: u64,
    ) -> Result<Option<Content>, Failure> {
        let name = name.to_owned();
        self.inside(keeper, answer, move |archive| {
            let Some(number) = archive.index_for_name(&name) else { return Ok(None) };
            let entry = archive.by_index(number).map_err(|error| not_an_archive(&error))?;
            let (size, mut bytes) = (entry.size(), Vec::new());
            entry.take(limit_bytes).read_to_end(&mut bytes).map_err(|error| not_an_archive(&error))?;
            Ok(Some(Content { bytes, size }))
        })
        .await
    }

    /// Does something with an archive on a blocking thread, when it is its turn.
    async fn inside<T: Send + 'static>(
        &self,
        keeper: &Arc<Keeper>,
        answer: &Answer,
        work: impl FnOnce(&mut ZipArchive<Window>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = self.turns.clone().acquire_owned().await;
        let mut window = Window::new(keeper.clone(), answer.resolution.clone(), WINDOW_BYTES);
        let look = move || {
            let _turn = turn;
            let fault = window.fault();
            let result = open(window).and_then(|mut archive| work(&mut archive));
            // A fault of the store comes out of the crate as damage of the archive.
            match fault.take() {
                Some(fault) => Err(fault),
                None => result,
            }
        };
        tokio::task::spawn_blocking(look).await.map_err(|error| {
            Failure::new(&codes::INTERNAL, "looking into an archive ended abnormally").caused_by(error)
        })?
    }
}

/// Opens an archive whose outline is small enough.
fn open(mut window: Window) -> Result<ZipArchive<Window>, Failure> {
    check_outline(&mut window)?;
    let archive = ZipArchive::new(window).map_err(|error| not_an_archive(&error))?;
    if archive.len() > ENTRIES {
        return Err(not_an_archive(&format!("it has more than {ENTRIES} entries")));
    }
    Ok(archive)
}

/// The crate reads the whole directory into memory: what the end record says of its length is looked at before.
/// (APPNOTE 4.3.16; an archive of more than 4 GiB has it in another record, and is not looked into.)
fn check_outline(input: &mut dyn ReadSeek) -> Result<(), Failure> {
    const RECORD_BYTES: i64 = 22;
    const COMMENT_BYTES: i64 = 65_535;
    let size = input.seek(std::io::SeekFrom::End(0)).map_err(|error| not_an_archive(&error))?;
    let tail = size.min((RECORD_BYTES + COMMENT_BYTES).unsigned_abs());
    let mut bytes = Vec::new();
    input.seek(std::io::SeekFrom::Start(size - tail)).map_err(|error| not_an_archive(&error))?;
    input.take(tail).read_to_end(&mut bytes).map_err(|error| not_an_archive(&error))?;
    let at = bytes.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or_else(|| not_an_archive(&"no end"))?;
    let length = bytes.get(at + 12..at + 16).and_then(|field| field.first_chunk()).copied();
    match length.map(u32::from_le_bytes) {
        Some(length) if u64::from(length) <= DIRECTORY_BYTES => Ok(()),
        _ => Err(not_an_archive(&"its directory is cut off or too long")),
    }
}

fn listing(archive: &ZipArchive<Window>) -> Listing {
    let file = |number| {
        let entry = archive.by_index_data(number).ok()?;
        let name = entry.name().ok()?.into_owned();
        (!name.ends_with('/') && is_plain(&name)).then(|| (name, entry.size()))
    };
    (0..archive.len()).filter_map(file).collect()
}

/// Whether a name means the same place to everybody.
fn is_plain(name: &str) -> bool {
    let odd = |c: char| c.is_control() || c == '\\' || c == char::MAX;
    !name.contains(odd) && !name.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn not_an_archive(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(&codes::NOT_AN_ARCHIVE, format!("the file cannot be looked into: {why}"))
}

/// The folder that holds everything: the longest path with a slash at its end that all entries begin with.
#[must_use]
pub fn root(listing: &Listing) -> &str {
    let (Some((first, _)), Some((last, _))) = (listing.first_key_value(), listing.last_key_value()) else {
        return "";
    };
    // In order, what the first and the last name share is shared by all.
    let shared = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
    first.as_bytes()[..shared].iter().rposition(|byte| *byte == b'/').map_or("", |at| &first[..=at])
}

/// Lines of a folder behind `after`, in order of their paths.
#[must_use]
pub fn folder(listing: &Listing, folder: &str, after: Option<&str>, limit: usize) -> Page<Entry> {
    let mut entries = Vec::new();
    let mut from = match after {
        // Behind a folder come the entries that do not lie in it.
        Some(path) => Bound::Excluded(if path.ends_with('/') { behind(path) } else { path.to_owned() }),
        None => Bound::Included(folder.to_owned()),
    };
    while let Some((path, size)) = listing.range((from, Bound::Unbounded)).next() {
        let Some(below) = path.strip_prefix(folder) else { break };
        if entries.len() == limit {
            return Page { items: entries, more: true };
        }
        let entry = match below.find('/') {
            Some(at) => Entry { path: path[..=folder.len() + at].to_owned(), size: None },
            None => Entry { path: path.clone(), size: Some(*size) },
        };
        from = Bound::Excluded(if entry.size.is_none() { behind(&entry.path) } else { entry.path.clone() });
        entries.push(entry);
    }
    Page { items: entries, more: false }
}

/// A text that sorts behind everything in a folder and before all else: no name holds the last character.
fn behind(folder: &str) -> String {
    format!("{folder}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Listing {
        ["m@v1/a.go", "m@v1/cmd/x/main.go", "m@v1/cmd/y/main.go", "m@v1/cmd.go", "m@v1/z/z.go"]
            .map(|name| (name.to_owned(), 1))
            .into()
    }

    #[test]
    fn the_root_is_the_folder_that_holds_everything() {
        assert_eq!(root(&sample()), "m@v1/");
        assert_eq!(root(&[("a".to_owned(), 1)].into()), "");
        assert_eq!(root(&[("ab/x".to_owned(), 1), ("ac/x".to_owned(), 1)].into()), "");
        assert_eq!(root(&Listing::new()), "");
    }

    #[test]
    fn a_folder_is_paged_without_doubles_and_gaps() {
        let listing = sample();
        let whole = ["m@v1/a.go", "m@v1/cmd.go", "m@v1/cmd/", "m@v1/z/"];
        for limit in 1..=5 {
            let (mut paths, mut after) = (Vec::new(), None::<String>);
            loop {
                let Page { items, more } = folder(&listing, "m@v1/", after.as_deref(), limit);
                paths.extend(items.into_iter().map(|entry| entry.path));
                after = paths.last().cloned();
                if !more {
                    break;
                }
            }
            assert_eq!(paths, whole, "{limit} at a time");
        }
        assert_eq!(folder(&listing, "m@v1/cmd/x/", None, 9).items[0].size, Some(1));
        let none = folder(&listing, "none/", None, 9);
        assert_eq!((none.items, none.more), (Vec::new(), false));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none() {
        for bad in ["../x", "/x", "a//b", "a/./b", "a\\b", "a\u{0}", "a\u{10ffff}", ""] {
            assert!(!is_plain(bad), "{bad:?}");
        }
        assert!(is_plain("m@v1/é x.go"));
    }
}
