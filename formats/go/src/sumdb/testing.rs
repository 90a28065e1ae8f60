//! A checksum database of the tests: its own key, any number of records, and every answer it would give at a size.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;

use super::note::tests::Signer;
use super::tile::Tile;
use super::tree::tests::{naive, tile};
use super::tree::{Hash, Spot, WIDTH, leaf};

/// A log of records.
pub(crate) struct TestLog {
    signer: Signer,
    pub(crate) records: Vec<String>,
}

/// The record of `e.com/m{number}` v1.0.0.
pub(crate) fn record(number: usize) -> String {
    format!("e.com/m{number} v1.0.0 h1:zip{number}=\ne.com/m{number} v1.0.0/go.mod h1:mod{number}=\n")
}

impl TestLog {
    pub(crate) fn new(size: usize) -> Self {
        Self { signer: Signer::new("log.example", 7), records: (0..size).map(record).collect() }
    }

    /// `log.example+hash+key`.
    pub(crate) fn key(&self) -> String {
        self.signer.key()
    }

    fn leaves(&self, size: usize) -> Vec<Hash> {
        self.records[..size].iter().map(|record| leaf(record)).collect()
    }

    /// The signed head of the first `size` records.
    pub(crate) fn head(&self, size: usize) -> String {
        let root = BASE64.encode(&naive(&self.leaves(size)));
        self.signer.sign(&format!("go.sum database tree\n{size}\n{root}\n"))
    }

    /// The answer to the lookup of a record while the log has `size` of them.
    pub(crate) fn lookup(&self, number: usize, size: usize) -> String {
        format!("{number}\n{}\n{}", self.records[number], self.head(size))
    }

    /// All that it answers while it has `size` records: lookups of `asked`, and tiles.
    pub(crate) fn answers(&self, asked: &[usize], size: usize) -> BTreeMap<String, Bytes> {
        let mut answers = self.tiles(size);
        for number in asked {
            answers.insert(format!("/lookup/e.com/m{number}@v1.0.0"), self.lookup(*number, size).into());
        }
        answers
    }

    /// The tiles of the first `size` records.
    pub(crate) fn tiles(&self, size: usize) -> BTreeMap<String, Bytes> {
        let leaves = self.leaves(size);
        let mut tiles = BTreeMap::new();
        for level in 0..6 {
            let hashes = size as u64 >> (8 * level);
            for number in 0..hashes.div_ceil(WIDTH) {
                let spot = Spot::within(size as u64, level, number).expect("it is there");
                tiles.insert(format!("/{}", Tile::of_hashes(spot)), tile(&leaves, spot).concat().into());
            }
        }
        tiles
    }
}
