//! The arithmetic of a checksum database's tree: hashes, heads, records, and which tiles hold what.
//!
//! ```text
//! leaf   SHA-256(00 record)          node   SHA-256(01 left right)          empty tree   SHA-256()
//! head   go.sum database tree ⏎ 300 ⏎ base64 of the root ⏎
//! lookup 7 ⏎ record: "m v h1:…" ⏎ "m v/go.mod h1:…" ⏎ blank line, then the signed head
//!
//! a tree of 300 in tiles of height 8
//!   level 0   tile 0: 256 leaves, full      tile 1: 44 leaves          44 = 32 + 8 + 4
//!   level 1   tile 0: 1 hash, of level 0's tile 0
//!   its edge: level 0 tile 1 and level 1 tile 0; the root is made of all their hashes and of nothing else
//! ```
//!
//! The last tile of each level is its *edge*, unless the level ends with a full tile. All the hashes of the edge make
//! the root, so that a right root proves them; the root of a full tile is one hash of the tile above it.
//!
//! Units and bounds: a tree has fewer than 2^48 records; indexes count from 0. Errors: texts for the log.
//! Sources: RFC 6962, 2.1; `golang.org/x/mod/sumdb/tlog`; <https://research.swtch.com/tlog>.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

/// A hash of the tree.
pub(super) type Hash = [u8; 32];

/// Hashes in a full tile.
pub(super) const WIDTH: u64 = 256;

/// Level 0 to 5: enough for 2^48 records.
const LEVELS: u32 = 6;

/// The hash of a record.
pub(super) fn leaf(record: &str) -> Hash {
    Sha256::new().chain_update([0]).chain_update(record).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// What the database says of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Records.
    pub(super) size: u64,
    /// The root.
    pub(super) hash: Hash,
}

impl Head {
    /// Reads the text of a note; what follows the third line is for others.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (title, size, hash) = (lines.next()?, lines.next()?, lines.next()?);
        lines.next().filter(|_| title == "go.sum database tree")?;
        let hash = BASE64.decode(hash.as_bytes()).ok()?.try_into().ok()?;
        let size = number(size).filter(|size| size >> (8 * LEVELS) == 0)?;
        Some(Self { size, hash })
    }
}

/// A number as it is written without leading zeros or sign.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// An answer to a lookup, not yet believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lookup<'a> {
    /// The place of the record.
    pub(super) id: u64,
    /// The record, which the tree proves. Nothing outside it counts.
    pub(super) record: &'a str,
    /// The signed head.
    pub(super) note: &'a str,
}

impl<'a> Lookup<'a> {
    /// Takes an answer apart.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (id, rest) = std::str::from_utf8(body).ok()?.split_once('\n')?;
        let end = rest.find("\n\n")?;
        let (record, note) = (&rest[..=end], &rest[end + 2..]);
        let is_sound = !record.starts_with('\n') && record.chars().all(|c| c == '\n' || !c.is_ascii_control());
        number(id).filter(|_| is_sound).map(|id| Self { id, record, note })
    }
}

/// A tile of hashes, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) level: u32,
    pub(super) number: u64,
    /// How many hashes of it there are.
    pub(super) width: u64,
}

impl Spot {
    /// The tile as it is in a tree of `size`; `None` when it is not there yet.
    pub(super) fn within(size: u64, level: u32, number: u64) -> Option<Self> {
        let there = size.checked_shr(8 * level).unwrap_or(0).checked_sub(number.checked_mul(WIDTH)?)?;
        (there > 0).then(|| Self { level, number, width: there.min(WIDTH) })
    }

    pub(super) fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The tile above a full one, and the place in it of this one's root.
    pub(super) fn above(&self, size: u64) -> Option<(Self, usize)> {
        let place = usize::try_from(self.number % WIDTH).ok()?;
        Some((Self::within(size, self.level + 1, self.number / WIDTH)?, place))
    }
}

/// The edge of a tree of `size`, the lowest level first.
pub(super) fn edge(size: u64) -> impl Iterator<Item = Spot> {
    let spot = move |level: u32| {
        let hashes = size >> (8 * level);
        Spot { level, number: hashes / WIDTH, width: hashes % WIDTH }
    };
    (0..LEVELS).map(spot).filter(|spot| spot.width > 0)
}

/// The root of a tree, of the hashes of its edge, the lowest level first.
pub(super) fn root(edge: &[&[Hash]]) -> Hash {
    let mut root = None;
    for hashes in edge {
        let mut rest = *hashes;
        // The smallest subtree is the last.
        while !rest.is_empty() {
            let size = 1 << rest.len().trailing_zeros();
            let (before, subtree) = rest.split_at(rest.len() - size);
            let left = whole(subtree);
            root = Some(root.map_or(left, |right| node(&left, &right)));
            rest = before;
        }
    }
    root.unwrap_or_else(|| Sha256::digest(b"").into())
}

/// The root of a whole subtree, whose hashes are a power of two in number and not none.
pub(super) fn whole(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node(&whole(left), &whole(right))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The root as RFC 6962 defines it.
    pub(crate) fn naive(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => Sha256::digest(b"").into(),
            1 => leaves[0],
            count => {
                let left = 1 << (usize::BITS - 1 - (count - 1).leading_zeros());
                node(&naive(&leaves[..left]), &naive(&leaves[left..]))
            }
        }
    }

    pub(crate) fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|number| leaf(&format!("record {number}\n"))).collect()
    }

    /// The hashes of a tile, made of the leaves.
    pub(crate) fn tile(leaves: &[Hash], spot: Spot) -> Vec<Hash> {
        let below = 1_usize << (8 * spot.level);
        let hash = |number: u64| {
            let first = number as usize * below;
            naive(&leaves[first..first + below])
        };
        (spot.number * WIDTH..spot.number * WIDTH + spot.width).map(hash).collect()
    }

    fn root_by_edge(leaves: &[Hash]) -> Hash {
        let tiles: Vec<_> = edge(leaves.len() as u64).map(|spot| tile(leaves, spot)).collect();
        root(&tiles.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn the_hashes_are_those_of_the_rfc() {
        let hex = |hash: Hash| data_encoding::HEXLOWER.encode(&hash);
        // The leaf of an empty record and the root of no record: RFC 6962 test data of certificate-transparency-go.
        assert_eq!(hex(leaf("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(naive(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root_by_edge(&[]), naive(&[]));
    }

    #[test]
    fn roots_equal_those_of_go() {
        // Of the records "record 0\n", "record 1\n", … by golang.org/x/mod/sumdb/tlog v0.43.0.
        let rows = [
            (1, "hH2/O6WqM8SXbRrP04wkRcdxBnXjSED3frqPG1Slmqo="),
            (2, "iDYylbHW0Tfc8TPv9Zsm3tnGSeG45mXMQ+Eqym5W/aw="),
            (200, "BIyYYkeLcK/G1SS8hEwKiAEpDQhAKhduxDOtZwiHgxA="),
            (256, "YM4q9B2yxJjQzI3wjS28QSe5lhVenLORq/0HtRJm3q4="),
            (300, "Ey++6U8jR3/07muS3KCjyN5ywJOyyUIHrJWv/iryBOQ="),
            (1_000, "/OM0wh4QVBZH2yGIJAxlVIH0IqehjKLfQ+JUXW3B0iM="),
        ];
        for (size, hash) in rows {
            assert_eq!(BASE64.encode(&root_by_edge(&leaves(size))), hash, "{size}");
        }
    }

    #[test]
    fn the_edge_of_a_tree_is_what_its_root_is_made_of() {
        let of = |size| edge(size).map(|spot| (spot.level, spot.number, spot.width)).collect::<Vec<_>>();
        assert_eq!(of(0), []);
        assert_eq!(of(1), [(0, 0, 1)]);
        assert_eq!(of(200), [(0, 0, 200)]);
        assert_eq!(of(256), [(1, 0, 1)]);
        assert_eq!(of(300), [(0, 1, 44), (1, 0, 1)]);
        assert_eq!(of(65_536 + 300), [(0, 257, 44), (1, 1, 1), (2, 0, 1)]);
        for size in [1, 2, 3, 7, 8, 200, 255, 256, 257, 300, 511, 512, 513, 1_000] {
            let leaves = leaves(size);
            assert_eq!(root_by_edge(&leaves), naive(&leaves), "{size}");
        }
    }

    #[test]
    fn a_head_is_written_in_one_way() {
        let hash = BASE64.encode(&[7; 32]);
        let good = format!("go.sum database tree\n300\n{hash}\n");
        assert_eq!(Head::parse(&good), Some(Head { size: 300, hash: [7; 32] }));
        assert!(Head::parse(&format!("{good}more\n")).is_some());
        let rows = [
            good.replace("go.sum", "go.mod"),
            good.replace("300", "0300"),
            good.replace("300", "+300"),
            good.replace("300", "-1"),
            good.replace("300", &(1_u64 << 48).to_string()),
            good.replace(&hash, "AAAA"),
            good.replace(&hash, &hash[1..]),
            good.trim_end().to_owned(),
            String::new(),
        ];
        for text in rows {
            assert_eq!(Head::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_lookup_is_a_number_a_record_and_a_note() {
        let found = Lookup::parse(b"7\nm v h1:x\nm v/go.mod h1:y\n\nnote\n\nm v h1:forged\n").expect("an answer");
        assert_eq!((found.id, found.record), (7, "m v h1:x\nm v/go.mod h1:y\n"));
        assert_eq!(found.note, "note\n\nm v h1:forged\n");
        for bad in ["", "7", "7\n", "7\nm\n", "x\nm\n\nn", "07\nm\n\nn", "7\n\n\nn", "7\na\tb\n\nn", "<html>\n\n"] {
            assert_eq!(Lookup::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Lookup::parse(b"7\n\xff\n\nn"), None);
    }

    proptest! {
        #[test]
        fn tiles_make_the_root_that_the_definition_makes(size in 0_usize..1_500) {
            let leaves = leaves(size);
            prop_assert_eq!(root_by_edge(&leaves), naive(&leaves));
        }

        #[test]
        fn the_root_of_a_full_tile_is_in_the_tile_above(size in 256_u64..70_000, id in any::<prop::sample::Index>()) {
            let id = id.index(size as usize) as u64;
            let spot = Spot::within(size, 0, id / WIDTH).expect("the leaf is there");
            match spot.is_full() {
                true => {
                    let (above, place) = spot.above(size).expect("a full tile has one above");
                    prop_assert!((place as u64) < above.width);
                    prop_assert_eq!(above.number * WIDTH + place as u64, spot.number);
                }
                false => prop_assert!(edge(size).any(|one| one == spot)),
            }
        }
    }
}
