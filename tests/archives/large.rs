//! What is too large, and how little of it is looked at.
//!
//! What an archive declares is refused before it is unpacked, and what it does not declare is not unpacked any
//! further: the server's memory stays within [`MEMORY_BYTES`] of what it was.

use std::fs;

use super::raw_zip::{RawEntry, RawZip};
use super::{Refusal, go_mod, module};
use crate::harness::archives;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::Server;

const MEBIBYTE: usize = 1024 * 1024;

/// Memory that an upload may take beside what the server has anyway.
const MEMORY_BYTES: u64 = 16 * MEBIBYTE as u64;

fn zeros(name: &str, bytes: usize) -> RawEntry {
    RawEntry { is_deflated: true, ..RawEntry::new(name, vec![0; bytes]) }
}

/// So many copies of an entry under other names; it is packed once.
fn copies(count: usize, bytes: usize) -> Vec<RawEntry> {
    let one = RawZip::of([zeros("0", bytes)]).bytes();
    let packed = u32::from_le_bytes(one[18..22].try_into().expect("four bytes"));
    let crc = u32::from_le_bytes(one[14..18].try_into().expect("four bytes"));
    let data = &one[31..31 + usize::try_from(packed).expect("a size")];
    let copy = |number: usize| RawEntry {
        method: Some(8),
        size: Some(bytes as u64),
        crc: Some(crc),
        ..RawEntry::new(number.to_string(), data)
    };
    (0..count).map(copy).collect()
}

/// The most memory that the server has had so far.
fn peak_bytes(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.pid());
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line with the peak");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}

/// They are refused within the bound of memory.
fn refuse_in_little_memory(cases: impl IntoIterator<Item = Refusal>) {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    refusals.unchanged("warming up");
    for case in cases {
        let before = peak_bytes(&server);
        case.check_once(&server, &refusals);
        let more = peak_bytes(&server) - before;
        assert!(more <= MEMORY_BYTES, "{}: {more} bytes more", case.row);
    }
}

#[test]
fn too_much_content_is_refused_unread() {
    let declared = |bytes| RawEntry { size: Some(bytes), ..zeros("a.bin", 1000) };
    let limit = 500 * MEBIBYTE as u64;
    let go_mod_bytes = "module example.com/m\n".len() as u64;
    refuse_in_little_memory([
        Refusal::new("F9, 76 600 MiB of zeros", module(copies(20, 30 * MEBIBYTE)).bytes(), "too_large").status(413),
        Refusal::new("F9 600 MiB declared", module([declared(600 * MEBIBYTE as u64)]).bytes(), "too_large").status(413),
        Refusal::new("76 one byte too many", module([declared(limit - go_mod_bytes)]).bytes(), "too_large").status(413),
        Refusal::new("beyond 64 bits", module([declared(u64::MAX)]).bytes(), "too_large").status(413),
    ]);
}

#[test]
fn what_is_longer_than_it_declares_is_not_unpacked() {
    const LONG: usize = 64 * MEBIBYTE;
    let little = RawEntry { size: Some(10), crc: Some(0), ..zeros("a.bin", LONG) };
    let nearly = RawEntry { size: Some(LONG as u64 - 1), crc: Some(0), ..zeros("a.bin", LONG) };
    refuse_in_little_memory([
        Refusal::new("77, F8", module([little]).bytes(), "zip_crc").says(r#""path":"a.bin""#),
        Refusal::new("77 by one byte", module([nearly]).bytes(), "zip_crc").says(r#""path":"a.bin""#),
    ]);
}

#[test]
fn go_mod_and_licence_have_their_own_limit() {
    const LIMIT: usize = 16 * MEBIBYTE;
    let padded = |bytes: usize| {
        let mut text = b"module example.com/m\n//".to_vec();
        text.resize(bytes, b' ');
        archives::zip(&[("go.mod", &text)])
    };
    let licence = |bytes| archives::zip(&[("go.mod", b"module example.com/m\n"), ("LICENSE", &vec![0; bytes])]);
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    for case in [
        Refusal::new("F22, 76 go.mod", padded(LIMIT + 1), "too_large").says("go.mod"),
        Refusal::new("76 LICENSE", licence(LIMIT + 1), "too_large").says("LICENSE"),
    ] {
        case.status(413).check_once(&server, &refusals);
    }
    for (row, version, archive) in [("76 go.mod", "v1.0.0", padded(LIMIT)), ("76 LICENSE", "v1.0.1", licence(LIMIT))] {
        let answer = RawForm::module("example.com/m", version).file(archive).send(&server);
        assert_eq!(answer.status, 201, "{row} at the limit: {}", answer.text());
    }
}

#[test]
fn too_many_entries_are_refused_before_they_are_read() {
    let entries = |count: usize| {
        let all = (1..count).map(|number| RawEntry::new(number.to_string(), ""));
        RawZip { is_zip64: true, ..RawZip::of([go_mod("module example.com/m\n")].into_iter().chain(all)) }
    };
    let long =
        |number: usize| RawEntry { local_name: Some(b"x".to_vec()), ..RawEntry::new(format!("{number:x>65500}"), "") };
    refuse_in_little_memory([
        Refusal::new("F10, 80 200,001 entries", entries(200_001).bytes(), "zip_too_many_entries"),
        Refusal::new("F10 a directory of 80 MiB", RawZip::of((0..1_281).map(long)).bytes(), "zip_too_many_entries"),
        Refusal::new(
            "F10 a count that lies",
            RawZip { count: Some(7), ..entries(1_000) }.bytes(),
            "zip_too_many_entries",
        ),
    ]);
}
