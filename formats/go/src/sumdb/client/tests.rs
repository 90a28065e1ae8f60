//! A database that is good, and every way in which one could lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::sumdb::testing::{TestLog, record};
use crate::testing::{MemoryDatabase, ready};

/// What a repository knows of a database.
struct World {
    key: VerifierKey,
    network: Arc<MemoryDatabase>,
}

impl World {
    fn new(log: &TestLog) -> Self {
        Self { key: VerifierKey::parse(&log.key()).expect("a key"), network: Arc::default() }
    }

    fn answers(&self, answers: BTreeMap<String, Bytes>) {
        self.network.answers(answers);
    }

    fn record(&self, number: usize) -> Result<String, String> {
        let module = ModulePath::parse(&format!("e.com/m{number}")).expect("a path");
        let version = GoVersion::parse("v1.0.0").expect("a version");
        let database = Database::new(&self.key, &*self.network);
        ready(database.record(&module, &version)).map_err(|fault| match fault {
            Fault::Absent => "absent".to_owned(),
            Fault::Upstream(error) => error.to_string(),
            Fault::Store(error) => error.to_string(),
            Fault::Unproven(why) => why,
            Fault::Forked => "forked".to_owned(),
        })
    }

    fn newest(&self) -> Option<u64> {
        let kept = ready(self.network.recall(&format!("head {}", self.key.id()))).expect("memory")?;
        let note = std::str::from_utf8(&kept.body).expect("UTF-8").to_owned();
        Head::parse(self.key.open(&note).expect("signed")).map(|head| head.size)
    }
}

fn is_unproven(answer: Result<String, String>, why: &str) {
    let told = answer.expect_err("nothing is believed");
    assert!(told.contains(why), "{told}");
}

#[test]
fn records_of_trees_of_all_sizes_are_proved() {
    for size in [1, 2, 200, 255, 256, 257, 300] {
        let log = TestLog::new(size);
        let world = World::new(&log);
        let asked: Vec<usize> = [0, size / 2, size - 1].into();
        world.answers(log.answers(&asked, size));
        for number in asked {
            assert_eq!(world.record(number), Ok(record(number)), "{number} of {size}");
        }
        assert_eq!(world.newest(), Some(size as u64));
    }
}

#[test]
fn the_requests_are_those_of_the_client() {
    let rows: [(usize, &[&str]); 4] = [
        (1, &["/tile/8/0/000.p/1"]),
        (200, &["/tile/8/0/000.p/200"]),
        (256, &["/tile/8/1/000.p/1", "/tile/8/0/000"]),
        (300, &["/tile/8/0/001.p/44", "/tile/8/1/000.p/1", "/tile/8/0/000"]),
    ];
    for (size, tiles) in rows {
        let log = TestLog::new(size);
        let world = World::new(&log);
        world.answers(log.answers(&[0], size));
        world.record(0).expect("proved");
        assert_eq!(world.network.asked(), [&["/lookup/e.com/m0@v1.0.0"], tiles].concat(), "{size}");
    }
}

#[test]
fn a_growing_tree_is_followed_and_never_back() {
    let log = TestLog::new(300);
    let world = World::new(&log);
    for (size, newest) in [(200, 200), (256, 256), (300, 300), (256, 300), (200, 300)] {
        let number = size - 1 - newest % 7;
        world.answers(log.tiles(300).into_iter().chain(log.answers(&[number], size)).collect());
        assert_eq!(world.record(number), Ok(record(number)), "{size}");
        assert_eq!(world.newest(), Some(newest as u64), "{size}");
    }
}

#[test]
fn what_was_proved_is_believed_without_the_network() {
    let log = TestLog::new(300);
    let world = World::new(&log);
    world.answers(log.answers(&[3, 290], 300));
    world.record(3).expect("proved");
    world.answers(BTreeMap::new());
    assert_eq!(world.record(3), Ok(record(3)));
    assert!(world.network.asked().is_empty(), "{:?}", world.network.asked());
    // Of another record the tiles are here, but not the lookup.
    assert_eq!(world.record(290), Err("absent".to_owned()));
    world.answers([("/lookup/e.com/m290@v1.0.0".to_owned(), log.lookup(290, 300).into())].into());
    assert_eq!(world.record(290), Ok(record(290)));
    assert_eq!(world.network.asked(), ["/lookup/e.com/m290@v1.0.0"]);
}

#[test]
fn a_part_that_is_gone_is_taken_from_the_whole() {
    let log = TestLog::new(256);
    let world = World::new(&log);
    let mut answers = log.answers(&[], 256);
    answers.insert("/lookup/e.com/m5@v1.0.0".to_owned(), log.lookup(5, 200).into());
    world.answers(answers);
    assert_eq!(world.record(5), Ok(record(5)));
    assert!(world.network.asked().contains(&"/tile/8/0/000".to_owned()));
}

#[test]
fn no_lie_of_a_database_is_believed() {
    let log = TestLog::new(300);
    let lookup = "/lookup/e.com/m3@v1.0.0";
    let good = log.lookup(3, 300);
    let mut tampered = TestLog::new(300);
    tampered.records[3] = record(3).replace("zip3", "evil");
    let elsewhere = VerifierKey::parse(&log.key()).expect("a key");
    let stranger = good.replace(&elsewhere.id()[..11], "sum.example");
    type Row<'a> = (&'a str, &'a str, String, &'a str);
    let rows: [Row<'_>; 12] = [
        ("tampered module", lookup, good.replace("zip3", "evil"), "is another one"),
        ("record of another number", lookup, good.replacen('3', "4", 1), "is another one"),
        ("number beyond the tree", lookup, format!("300{}", &good[1..]), "is not in the signed tree of 300"),
        ("tampered head", lookup, good.replace("tree\n300\n", "tree\n299\n"), "signature is wrong"),
        ("no note", lookup, good.split("\n\n").next().expect("a record").to_owned() + "\n\n", "no signed note"),
        ("another signer", lookup, stranger, "not signed with the known key"),
        ("a page", lookup, "<html>login</html>".to_owned(), "malformed"),
        ("tampered tree", lookup, tampered.lookup(3, 300), "do not make its root|is not the tree's|is another one"),
        ("forged edge", "/tile/8/0/001.p/44", "x".repeat(44 * 32), "do not make its root"),
        ("forged level", "/tile/8/1/000.p/1", "x".repeat(32), "do not make its root"),
        ("forged tile", "/tile/8/0/000", "x".repeat(256 * 32), "is not the tree's"),
        ("short tile", "/tile/8/0/000", "x".repeat(255 * 32), "another length"),
    ];
    for (what, path, body, why) in rows {
        let world = World::new(&log);
        let mut answers = log.answers(&[3], 300);
        answers.insert(path.to_owned(), body.into());
        world.answers(answers);
        let told = world.record(3).expect_err(what);
        assert!(why.split('|').any(|why| told.contains(why)), "{what}: {told}");
        assert_eq!(world.newest(), None, "{what}: nothing is remembered of it");
        let kept = world.network.kept_names();
        assert!(kept.is_empty(), "{what}: {kept:?}");
    }
}

#[test]
fn a_tile_that_the_database_lacks_proves_nothing() {
    let log = TestLog::new(300);
    for tile in ["/tile/8/0/001.p/44", "/tile/8/1/000.p/1", "/tile/8/0/000"] {
        let world = World::new(&log);
        let mut answers = log.answers(&[3], 300);
        answers.remove(tile);
        world.answers(answers);
        is_unproven(world.record(3), "the database lacks");
    }
}

#[test]
fn a_forked_tree_stops_all_verification_with_its_key() {
    let log = TestLog::new(300);
    let mut other = TestLog::new(300);
    other.records[7] = record(7).replace("zip7", "evil");
    for (first, second) in [(200, 300), (300, 200), (300, 300), (256, 300)] {
        let world = World::new(&log);
        world.answers(log.answers(&[3], first));
        world.record(3).expect("proved");
        let mut answers = other.answers(&[9], second);
        if second < first {
            // The newest tree is the one whose tiles are asked for.
            answers.extend(log.tiles(first));
        }
        world.answers(answers);
        assert_eq!(world.record(9), Err("forked".to_owned()), "{first} {second}");
        assert_eq!(world.newest(), Some(first as u64));
        // Even when it behaves again; what was proved before stays so.
        world.answers(log.answers(&[10], 300));
        assert_eq!(world.record(10), Err("forked".to_owned()));
        assert!(world.network.asked().is_empty());
        assert_eq!(world.record(3), Ok(record(3)));
    }
}

#[test]
fn an_old_head_does_not_carry_a_new_record() {
    let log = TestLog::new(300);
    let world = World::new(&log);
    let body = format!("290\n{}\n{}", record(290), log.head(200));
    let mut answers = log.answers(&[3], 300);
    answers.insert("/lookup/e.com/m290@v1.0.0".to_owned(), body.into());
    world.answers(answers);
    is_unproven(world.record(290), "is not in the signed tree of 200");
    world.record(3).expect("proved");
    is_unproven(world.record(290), "is not in the signed tree of 200");
    assert_eq!(world.newest(), Some(300));
}

#[test]
fn kept_tiles_are_proved_again_and_healed() {
    let log = TestLog::new(300);
    for tile in ["tile/8/0/001", "tile/8/1/000", "tile/8/0/000"] {
        let world = World::new(&log);
        world.answers(log.answers(&[3, 5, 290], 300));
        world.record(3).expect("proved");
        let width = ready(world.network.recall(tile)).expect("memory").expect("it was kept").body.len();
        ready(world.network.keep(tile, vec![1; width].into())).expect("memory");
        assert_eq!(world.record(5), Ok(record(5)), "{tile}");
        let healed = ready(world.network.recall(tile)).expect("memory").expect("kept").body;
        assert_ne!(healed, vec![1; width], "{tile}");
        assert_eq!(world.record(290), Ok(record(290)), "{tile}");
    }
}

#[test]
fn trouble_is_neither_absence_nor_a_lie() {
    let log = TestLog::new(5);
    let world = World::new(&log);
    world.answers(log.answers(&[3], 5));
    assert_eq!(world.record(4), Err("absent".to_owned()));
    world.network.is_broken(true);
    assert_eq!(world.record(3), Err("the upstream did not answer in time".to_owned()));
    world.network.is_broken(false);
    assert_eq!(world.record(3), Ok(record(3)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_beginning_of_any_tree_is_recognised(size in 2_usize..700, older in any::<prop::sample::Index>(), asked in any::<prop::sample::Index>()) {
        let log = TestLog::new(size);
        let world = World::new(&log);
        let older = older.index(size - 1) + 1;
        let (first, second) = (asked.index(older), size - 1);
        world.answers(log.answers(&[first], older));
        prop_assert_eq!(world.record(first), Ok(record(first)));
        world.answers(log.answers(&[second], size));
        prop_assert_eq!(world.record(second), Ok(record(second)));
        prop_assert_eq!(world.newest(), Some(size as u64));
    }

    #[test]
    fn one_flipped_bit_in_any_answer_is_noticed(path in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let log = TestLog::new(300);
        let world = World::new(&log);
        let mut answers = log.answers(&[3], 300);
        let name = answers.keys().nth(path.index(answers.len())).expect("one of them").clone();
        let mut body = answers[&name].to_vec();
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        answers.insert(name.clone(), body.into());
        world.answers(answers);
        // Of base64 the last letter has bits that stand for nothing, but then it does not decode here.
        let told = world.record(3);
        prop_assert!(told.is_err() || told == Ok(record(3)), "{} {}", name, at);
        prop_assert!(told.is_err() || !name.contains("tile"), "{} {}", name, at);
    }
}
