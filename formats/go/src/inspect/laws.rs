//! What holds for every upload: bounds, whose fault a fault is, and that canonical zips are canonical.

use std::collections::HashSet;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use keeper_core::format::{FileSink, InspectError, NewFile};
use keeper_core::limits::MAX_PROBLEMS;
use keeper_core::repository::Settings;
use proptest::prelude::*;

use super::cases::{Sink, Upload};
use super::inspect;
use super::raw_zip::{RawEntry, RawZip};
use crate::limits::{ENTRIES, ENTRY_NAME_BYTES, GO_MOD_BYTES, LICENSE_BYTES};

fn refused(upload: &Upload, zip: &RawZip) -> Vec<&'static str> {
    let failure = upload.inspect(&zip.bytes()).expect_err("a refusal");
    failure.problems().map(|problem| problem.code.name).collect()
}

fn go_mod() -> RawEntry {
    RawEntry::new("go.mod", "module ex.com/m\n")
}

fn zeros(name: &str, size: u64) -> RawEntry {
    RawEntry { is_deflated: true, ..RawEntry::new(name, vec![0; usize::try_from(size).expect("a size of a test")]) }
}

#[test]
fn what_is_suggested_and_refused_for_module_paths() {
    let paths = ["Example.com/m", "example.com/m/", "/m", "example.com//m", "example.com/m/v1", "example.com/m/v0"];
    for name in paths.into_iter().chain(["https://example.com/m", "example.com/m@v1", "mymodule"]) {
        let upload = Upload { name: Some(name.to_owned()), ..Upload::usual() };
        assert_eq!(refused(&upload, &RawZip::of([RawEntry::new("a.go", "")])), ["module_path_invalid"], "{name}");
    }
}

#[test]
fn large_files_are_judged_just_at_and_above_the_bound() {
    let text = |size: u64| {
        let mut text = b"module ex.com/m\n//".to_vec();
        text.resize(size as usize, b' ');
        RawEntry { is_deflated: true, ..RawEntry::new("go.mod", text) }
    };
    let usual = Upload::usual();
    assert!(usual.inspect(&RawZip::of([text(GO_MOD_BYTES), zeros("LICENSE", LICENSE_BYTES)]).bytes()).is_ok());
    assert_eq!(refused(&usual, &RawZip::of([text(GO_MOD_BYTES + 1)])), ["too_large"]);
    assert_eq!(refused(&usual, &RawZip::of([go_mod(), zeros("LICENSE", LICENSE_BYTES + 1)])), ["too_large"]);
}

#[test]
fn too_many_entries_are_refused_before_they_are_read() {
    let claimed = |entries| RawZip { count: Some(entries), is_zip64: true, ..RawZip::of([go_mod()]) };
    assert_eq!(refused(&Upload::usual(), &claimed(ENTRIES + 1)), ["zip_too_many_entries"]);
    // Directories: they count as entries, and cost the least.
    let directories = (1..ENTRIES).map(|number| RawEntry::new(format!("{number}/"), ""));
    let zip = RawZip { is_zip64: true, ..RawZip::of(directories.chain([go_mod()])) };
    let (_, sink) = Upload::usual().inspect(&zip.bytes()).expect("as many as are accepted");
    assert_eq!(sink.kept(), ["go.mod"]);
}

#[test]
fn long_names_are_refused_and_the_longest_are_not() {
    let name = |bytes: usize| "a/".repeat(bytes / 2) + if bytes.is_multiple_of(2) { "" } else { "b" };
    let zip = |bytes| RawZip::of([go_mod(), RawEntry::new(name(bytes), "")]);
    assert!(Upload::usual().inspect(&zip(ENTRY_NAME_BYTES - 1).bytes()).is_ok());
    assert_eq!(refused(&Upload::usual(), &zip(ENTRY_NAME_BYTES + 1)), ["too_large"]);
}

#[test]
fn a_hundred_problems_are_told_and_no_more() {
    let bad = (0..150).map(|number| RawEntry::new(format!("{number}/con"), ""));
    assert_eq!(refused(&Upload::usual(), &RawZip::of(bad)).len(), MAX_PROBLEMS);
}

#[test]
fn a_fault_of_the_storage_is_not_blamed_on_the_upload() {
    struct Broken(Cursor<Vec<u8>>, u64);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1.checked_sub(1).ok_or(io::ErrorKind::TimedOut)?;
            self.0.read(buffer)
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    struct Full;
    impl FileSink for Full {
        fn keep(&mut self, file: NewFile) -> io::Result<()> {
            self.create(file).map(drop)
        }

        fn create(&mut self, _: NewFile) -> io::Result<&mut dyn Write> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let usual = Upload::usual();
    let bytes = RawZip::of([go_mod(), zeros("a", 3_000_000)]).bytes();
    let settings = Settings::default();
    let claim = usual.claim(&settings, 0);
    let mut reads = 0;
    // However far it comes before the storage fails.
    while let Err(fault) = inspect(&claim, &mut Broken(Cursor::new(bytes.clone()), reads), &mut Sink::default()) {
        assert!(matches!(&fault, InspectError::Input(error) if error.kind() == io::ErrorKind::TimedOut), "{fault:?}");
        reads += 1;
    }
    assert!(reads > 5);
    let fault = inspect(&claim, &mut Cursor::new(bytes), &mut Full).expect_err("no space");
    assert!(matches!(fault, InspectError::Output(error) if error.kind() == io::ErrorKind::StorageFull));
}

fn any_entry() -> impl Strategy<Value = RawEntry> {
    let name =
        prop::sample::select(vec!["a.go", "b/c.go", "b/d.txt", "LICENSE", "日本", "vendor/x/y.go", "s/go.mod", "s/t"]);
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (0_usize..100_000).prop_map(|size| (0..size).map(|at| ((at * at) >> 7) as u8).collect()),
    ];
    (name, content, any::<[bool; 3]>()).prop_map(|(name, data, [is_deflated, has_descriptor, is_zip64])| RawEntry {
        is_deflated,
        has_descriptor,
        is_zip64: is_zip64 && !has_descriptor,
        ..RawEntry::new(format!("m@v1.0.0/{name}"), data)
    })
}

fn any_zip() -> impl Strategy<Value = RawZip> {
    let go_mod = RawEntry::new("m@v1.0.0/go.mod", "module ex.com/m\n");
    (prop::collection::vec(any_entry(), 0..6), any::<bool>()).prop_map(move |(mut entries, is_zip64)| {
        entries.push(go_mod.clone());
        let mut names = HashSet::new();
        entries.retain(|entry| names.insert(entry.name.clone()));
        RawZip { entries, is_zip64, ..RawZip::default() }
    })
}

proptest! {
    // Each case packs and unpacks several hundred kilobytes, twice.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_canonical_zip_is_its_own_canonical_zip(zip in any_zip()) {
        let (first, sink) = Upload::usual().inspect(&zip.bytes()).expect("a good archive");
        let (second, again) = Upload::usual().inspect(sink.file(".zip")).expect("a canonical archive");
        prop_assert_eq!(first.content, second.content);
        prop_assert!(sink.file(".zip") == again.file(".zip"));
        prop_assert_eq!(sink.file(".mod"), again.file(".mod"));
    }

    #[test]
    fn equal_files_give_equal_bytes_however_they_were_packed(zip in any_zip()) {
        let mut plain = zip.clone();
        for entry in &mut plain.entries {
            *entry = RawEntry::new(entry.name.clone(), entry.data.clone());
        }
        let made = |zip: &RawZip| Upload::usual().inspect(&zip.bytes()).expect("a good archive").1;
        prop_assert!(made(&zip).file(".zip") == made(&plain).file(".zip"));
    }

    #[test]
    fn no_damage_makes_inspect_panic(zip in any_zip(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut bytes = zip.bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Upload::usual().inspect(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = Upload::usual().inspect(&bytes);
    }

    #[test]
    fn no_bytes_make_inspect_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Upload::usual().inspect(&bytes);
        let ended = [bytes.as_slice(), b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0"].concat();
        let _ = Upload::usual().inspect(&ended);
    }
}
