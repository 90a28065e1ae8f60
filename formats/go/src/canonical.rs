//! The zip that clients get: written anew from the files of the module, and hashed on the way.
//!
//! ```text
//! ex.com/m@v1.0.0/go.mod      deflate, 1980-01-01, mode 0644, sizes after the data (data descriptor)
//! ex.com/m@v1.0.0/a.go        in the order of the archive; no directories, comment or extra fields
//! ```
//!
//! So no disagreement of two zip readers about the upload can reach a client, and equal files in equal order give
//! equal bytes: the canonical zip of a canonical zip is the same. Each entry is inflated once; its bytes
//! go from the archive through the hash into the new zip in pieces of [`CHUNK_BYTES`].
//!
//! Deflate level 2 of zlib-rs writes Go source at about 100 MB/s at 24 % of its size; level 6 is five
//! times slower for 21 %, level 1 twice as fast for 32 %. What cannot become smaller would be slowest of all
//! (30 MB/s), so an entry whose start looks random is stored.
//!
//! Units and bounds: the zip has at most [`MODULE_BYTES`]; memory does not grow with its size, but by about
//! 100 bytes for each entry.
//! Errors: `zip_crc` for all damaged entries, `too_large`; faults of the storage on either side.

mod zip_writer;

use std::io::{self, BufWriter, Write};

use keeper_core::error::{Problem, codes};
use keeper_core::format::InspectError;
use sha2::{Digest as _, Sha256};

use crate::archive::contents::Contents;
use crate::archive::selection::Kept;
use crate::dirhash::DirHash;
use crate::error::Problems;
use crate::limits::{CHUNK_BYTES, MODULE_BYTES};
use zip_writer::{Method, ZipWriter};

/// See the measurements above.
const LEVEL: u32 = 2;

/// Entries below this size are deflated in any case: storing them would save nothing that can be measured.
const STORE_FROM_BYTES: u64 = 64 * 1024;

/// Writes the module's zip to `out` and gives its `h1:` hash. `root` is `ex.com/m@v1.0.0/`; `observe` sees
/// the first piece of each file.
///
/// # Errors
/// All damaged entries, the zip becoming too large, or a fault of the storage. What was written is useless then.
pub fn write(
    kept: &[Kept<'_>],
    root: &str,
    contents: &mut Contents<'_>,
    out: &mut dyn Write,
    observe: &mut dyn FnMut(&str, &[u8]),
) -> Result<String, InspectError> {
    let out = Bounded { out: BufWriter::with_capacity(CHUNK_BYTES, out), left: MODULE_BYTES };
    let mut zip = ZipWriter::new(out, root, LEVEL);
    let mut tree = DirHash::of_folder(root);
    let mut problems = Problems::default();
    for file in kept {
        let mut content =
            FileWriter { zip: &mut zip, name: file.name, size: file.entry.size, digest: Sha256::new(), is_open: false };
        let result = contents.stream(file.entry, &mut |piece| {
            if !content.is_open {
                observe(file.name, piece);
            }
            // Once something is damaged the rest is only read, to find all that is.
            if problems.is_empty() { content.write(piece) } else { Ok(()) }
        });
        match result {
            Ok(()) if problems.is_empty() => {
                tree.add(file.name, content.finish()?).expect("a file path holds no line end");
            }
            Ok(()) => {}
            Err(InspectError::Refused(failure)) if failure.code() == &codes::TOO_LARGE => return Err(failure.into()),
            Err(InspectError::Refused(failure)) => problems.extend(&failure),
            Err(fault) => return Err(fault),
        }
        if problems.is_full() {
            break;
        }
    }
    problems.settle()?;
    zip.finish(kept.iter().map(|file| file.name)).map_err(output)?;
    Ok(tree.h1())
}

/// The zip, as it goes to the storage.
type CanonicalZip<'f, 'o> = ZipWriter<'f, Bounded<BufWriter<&'o mut dyn Write>>>;

/// One file on its way into the zip.
struct FileWriter<'w, 'f, 'o> {
    zip: &'w mut CanonicalZip<'f, 'o>,
    name: &'w str,
    size: u64,
    digest: Sha256,
    /// Whether the zip has its header: that is written with the first piece, which shows how to store it.
    is_open: bool,
}

impl FileWriter<'_, '_, '_> {
    fn write(&mut self, piece: &[u8]) -> Result<(), InspectError> {
        if !self.is_open {
            self.is_open = true;
            let is_stored = self.size >= STORE_FROM_BYTES && looks_random(piece);
            self.zip.start(self.name, if is_stored { Method::Stored } else { Method::Deflated }).map_err(output)?;
        }
        self.digest.update(piece);
        self.zip.write(piece).map_err(output)
    }

    fn finish(mut self) -> Result<[u8; 32], InspectError> {
        if !self.is_open {
            self.write(&[])?;
        }
        Ok(self.digest.finalize().into())
    }
}

/// An output of at most [`MODULE_BYTES`].
struct Bounded<W> {
    out: W,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the zip of the module would have more than {MODULE_BYTES} bytes")]
struct Overflow;

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::other(Overflow));
        }
        let written = self.out.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What an error of the output means.
fn output(error: io::Error) -> InspectError {
    if error.get_ref().is_some_and(|inner| inner.is::<Overflow>()) {
        return Problem::new(&codes::TOO_LARGE, Overflow.to_string()).field("file").into();
    }
    InspectError::Output(error)
}

/// Whether bytes are spread so evenly that deflate gains nothing: a picture, an archive, random data.
///
/// The sum of the squared counts of all 256 values is n²/256 for perfectly even ones, twice that for
/// base64, and far more for text. Whole numbers, so that every machine decides alike.
fn looks_random(sample: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    for &byte in sample {
        counts[usize::from(byte)] += 1;
    }
    let total = sample.len() as u64;
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    // A sample of some KiB of random bytes is above even by 256/n of it.
    total >= 4_096 && squares * 256 * 8 <= total * total * 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_deflate_cannot_shrink_looks_random() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..8_192).map(|_| random()).collect();
        let hex: Vec<u8> = noise.iter().map(|byte| b"0123456789abcdef"[usize::from(byte & 15)]).collect();
        let base64: Vec<u8> = noise.iter().map(|byte| byte & 63).collect();
        assert!(looks_random(&noise));
        assert!(!looks_random(&noise[..1_000]), "too short to tell");
        for text in [hex, base64, vec![0; 8_192], b"package a\n".repeat(1_000)] {
            assert!(!looks_random(&text));
        }
    }

    #[test]
    fn the_output_is_bounded_to_the_byte() {
        let mut out = io::sink();
        let mut bounded = Bounded { out: &mut out, left: 3 };
        assert!(bounded.write_all(b"abc").is_ok());
        let error = bounded.write_all(b"d").expect_err("full");
        assert!(matches!(output(error), InspectError::Refused(failure) if failure.code().name == "too_large"));
    }

    #[test]
    fn a_fault_of_the_storage_stays_one() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let InspectError::Output(error) = output(error) else { panic!("a fault of the output") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
