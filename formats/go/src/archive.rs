//! An uploaded archive: judged as a zip first, then read.
//!
//! ```text
//! local header, data        for each entry, the first one at 0
//! central directory         for each entry its name, sizes, checksum, place of its local header
//! zip64 end and locator     only with very many entries
//! end record                the last thing in the file, with the comment: git writes the commit id there
//! ```
//!
//! Two programs can read one zip differently: by the local headers or by the central directory, the first
//! or the last end record, names as UTF-8 or as CP437. So an upload is accepted only if there is one
//! reading: [`end`] and [`central`] check the outline before the `zip` crate allocates anything for it, the
//! crate then compares local and central headers ([`contents`]), and what is stored is written anew from
//! what was read here ([`crate::canonical`]). The module within is found by [`prefix`] and [`root`]; which
//! files it has is said by [`selection`], and where it comes from by [`commit`].
//!
//! Units and bounds: [`crate::limits`]; nothing is unpacked to disk, and an archive in the archive is a file.
//! Errors: codes `not_a_zip`, `zip_…`, `path_…`, `duplicate_entry`; a fault of the storage is none of them.
//! Sources: APPNOTE.TXT 6.3.10; `archive/zip` (go 1.26).

pub mod central;
pub mod commit;
pub mod contents;
pub mod end;
pub mod entry;
mod guess;
pub mod prefix;
pub mod root;
pub mod selection;
pub mod tree;

use std::io::SeekFrom;

use keeper_core::blob::ReadSeek;
use keeper_core::error::{Code, Problem, codes};
use keeper_core::format::InspectError;

use crate::error::{DUPLICATE_ENTRY, Problems};
use crate::limits::MODULE_BYTES;
use end::End;
use entry::Entry;

/// What the central directory says.
#[derive(Debug)]
pub struct Directory {
    /// The entries with usable names, in the order of the directory.
    pub entries: Vec<Entry>,
    /// Whether the archive is one that can be opened: names may be wrong, but no structure.
    pub is_sound: bool,
    end: End,
}

impl Directory {
    /// Reads the outline of an archive. `None`: it is no archive to look further into, and the problems
    /// say why.
    ///
    /// # Errors
    /// Only when the staged bytes cannot be read.
    pub fn read(input: &mut dyn ReadSeek, problems: &mut Problems) -> Result<Option<Self>, InspectError> {
        match Self::read_sound(input, problems) {
            Ok(directory) => Ok(Some(directory)),
            Err(InspectError::Refused(failure)) => {
                problems.extend(&failure);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    fn read_sound(input: &mut dyn ReadSeek, problems: &mut Problems) -> Result<Self, InspectError> {
        let size = input.seek(SeekFrom::End(0)).map_err(InspectError::Input)?;
        if size == 0 {
            return Err(Problem::new(&codes::EMPTY_FILE, "the uploaded file has 0 bytes").field("file").into());
        }
        if size > MODULE_BYTES {
            let detail = format!("the upload has {size} bytes; at most {MODULE_BYTES} are accepted");
            return Err(Problem::new(&codes::TOO_LARGE, detail).field("file").into());
        }
        let end = end::find(input, size)?;
        let entries = central::read(input, &end, problems)?;
        let is_flaw = |code: &Code| code.name.starts_with("zip_") || *code == DUPLICATE_ENTRY;
        let is_sound = !problems.has(is_flaw);
        Ok(Self { entries, is_sound, end })
    }

    /// How many entries there are with those whose names cannot be used.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.end.entries
    }

    /// The comment of the archive.
    #[must_use]
    pub fn comment(&self) -> &[u8] {
        &self.end.comment
    }

    /// Frees the memory of the entries.
    fn forget(&mut self) {
        self.entries = Vec::new();
    }

    /// Reads the entries anew. What is wrong with them was told the first time.
    fn recall(&mut self, input: &mut dyn ReadSeek) -> Result<(), InspectError> {
        self.entries = central::read(input, &self.end, &mut Problems::default())?;
        Ok(())
    }
}

/// Reads bytes at a place; a range outside the file is the caller's mistake.
fn read_at(input: &mut dyn ReadSeek, offset: u64, bytes: usize) -> Result<Vec<u8>, InspectError> {
    let mut buffer = vec![0; bytes];
    input.seek(SeekFrom::Start(offset)).map_err(InspectError::Input)?;
    input.read_exact(&mut buffer).map_err(InspectError::Input)?;
    Ok(buffer)
}

/// The little-endian numbers of a record, by their offsets. Reading beyond it gives zeros.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}
