//! Zip files made by hand, for what git would not make.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip of these files, in this order.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    written(files, SimpleFileOptions::default(), "")
}

fn written(files: &[(&str, &[u8])], options: SimpleFileOptions, comment: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.set_comment(comment).expect("a short comment");
    for (name, content) in files {
        writer.start_file(*name, options).unwrap_or_else(|error| panic!("{name}: {error}"));
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

/// A module with nothing but a `go.mod` and a file that makes it a package.
pub(crate) fn module(go_mod: &[u8]) -> Vec<u8> {
    zip(&[("go.mod", go_mod), ("m.go", b"package m\n")])
}

/// A zip of these files whose contents are not compressed.
pub(crate) fn stored(files: &[(&str, &[u8])]) -> Vec<u8> {
    written(files, SimpleFileOptions::default().compression_method(CompressionMethod::Stored), "")
}

/// A zip as `git archive` makes it of a commit: with the commit's id as its comment.
pub(crate) fn of_commit(commit: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    written(files, SimpleFileOptions::default(), commit)
}

/// Bytes that do not compress, the same each time: they repeat farther apart than deflate looks back.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    let block: Vec<u8> = std::iter::repeat_with(next).flatten().take(bytes.min(128 * 1024)).collect();
    let mut noise = block.repeat(bytes / block.len().max(1) + 1);
    noise.truncate(bytes);
    noise
}
