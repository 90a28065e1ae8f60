//! Chance that can be repeated: every test that uses it prints its seed, and `KEEPER_SEED=…` sets it.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): a few lines, and equal on every machine. Threads draw from forks of
//! their own, so that what one does never depends on how fast another is.

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this run of a test.
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    pub(crate) fn of(test: &str) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
        let set = std::env::var("KEEPER_SEED").ok();
        let seed = set.map_or_else(clock, |text| text.parse().expect("KEEPER_SEED is a number"));
        eprintln!("{test}: KEEPER_SEED={seed}");
        Self(seed)
    }

    /// A stream of this number.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is small: the bias does not matter to a test.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[usize::try_from(self.below(all.len() as u64)).expect("a small number")])
    }

    /// Bytes that nothing can make smaller.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}
