//! Zip files made by hand, for what git would not make.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A zip of these files, in this order.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

/// A module with nothing but a `go.mod` and a file that makes it a package.
pub(crate) fn module(go_mod: &[u8]) -> Vec<u8> {
    zip(&[("go.mod", go_mod), ("m.go", b"package m\n")])
}
