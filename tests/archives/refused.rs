//! Archives that are none, or that two readers would read differently.

use super::raw_zip::{RawEntry, RawZip};
use super::{Refusal, file, module, refuse_all};

fn refusal(row: &str, archive: Vec<u8>, codes: &'static str) -> Refusal {
    Refusal::new(row, archive, codes)
}

/// An archive with these files beside its `go.mod`.
fn files<const N: usize>(names: [&str; N]) -> Vec<u8> {
    module(names.map(file)).bytes()
}

fn deflated(name: &str, bytes: usize) -> RawEntry {
    RawEntry { is_deflated: true, ..RawEntry::new(name, vec![0; bytes]) }
}

#[test]
fn what_is_no_zip_is_told_what_it_looks_like() {
    let no_zip = |row: &str, bytes: &[u8]| refusal(row, bytes.to_vec(), "not_a_zip").status(415).says("git archive");
    let mut half = files(["a.go", "b.go"]);
    half.truncate(half.len() / 2);
    refuse_all([
        no_zip("F1 gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03rest").says("gzip"),
        no_zip("F1 HTML", b"<!DOCTYPE html><html><title>Log in</title></html>").says("HTML"),
        no_zip("78 HTML", b"<html>").says("HTML"),
        no_zip("F1 PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n").says("PDF"),
        no_zip("F1 random bytes", &crate::harness::archives::noise(4096)).says("unknown data"),
        no_zip("a program", b"\x7fELF\x02\x01\x01\0").says("ELF"),
        no_zip("text", b"package m\n").says("text"),
        no_zip("F2 cut in half", &half).says("whose end is missing"),
    ]);
}

#[test]
fn a_damaged_archive_is_refused() {
    let whole = files(["a.go"]);
    let mut short = whole.clone();
    short.pop();
    let mut flipped = files(["a.go", "b.go"]);
    let at = flipped.windows(10).position(|bytes| bytes == b"package m\n").expect("content that is not compressed");
    flipped[at] ^= 0x20;
    let beyond = RawEntry { offset: Some(1_000_000), ..file("a.go") };
    let longer = RawEntry { size: Some(5), ..deflated("a.bin", 10_000_000) };
    let shorter =
        RawEntry { size: Some(10_000_000), ..RawEntry { is_deflated: true, ..RawEntry::new("a.bin", "12345") } };
    let stored = RawEntry { size: Some(5), ..file("a.go") };
    let later = RawEntry { has_descriptor: true, is_deflated: true, crc: Some(1), ..file("a.go") };
    refuse_all([
        refusal("F2 the last byte is missing", short, "zip_truncated"),
        refusal("F2 an entry outside", module([beyond]).bytes(), "zip_truncated").says("a.go"),
        refusal("F3", flipped, "zip_crc").says(r#""path":"a.go""#),
        refusal("F3 with a descriptor", module([later]).bytes(), "zip_crc").says(r#""path":"a.go""#),
        refusal("F8 5 bytes are 10 MB", module([longer]).bytes(), "zip_crc").says("longer").says(r#""path":"a.bin""#),
        refusal("F8 10 MB are 5 bytes", module([shorter]).bytes(), "zip_crc").says(r#""path":"a.bin""#),
        refusal("F8 stored", module([stored]).bytes(), "zip_crc").says(r#""path":"a.go""#),
    ]);
}

#[test]
fn an_archive_with_two_readings_is_refused() {
    let junk = || b"#!/bin/sh\nexec unzip $0\n".to_vec();
    let whole = module([file("a.go")]);
    // The offsets count from the beginning of the file, as programs that unpack themselves have it.
    let shift = junk().len() as u64;
    let [first, second] = [file("a.go"), file("b.go")];
    let second_at = shift + local_bytes(&first);
    let adjusted = RawZip {
        before: junk(),
        ..RawZip::of([RawEntry { offset: Some(shift), ..first }, RawEntry { offset: Some(second_at), ..second }])
    };
    let other_name = RawEntry { local_name: Some(b"b.go".to_vec()), ..file("a.go") };
    let quoted = RawEntry { offset: Some(0), ..file("a.go") };
    let twice = [whole.bytes(), module([file("b.go")]).bytes()].concat();
    let same = RawEntry::new("a.go", "package other\n");
    refuse_all([
        refusal("F4 junk before", RawZip { before: junk(), ..whole.clone() }.bytes(), "zip_prefixed"),
        refusal("F4 junk before, counted in", adjusted.bytes(), "zip_prefixed"),
        refusal("F4 junk behind", RawZip { after: junk(), ..whole.clone() }.bytes(), "zip_prefixed"),
        refusal("F4 one line end behind", RawZip { after: b"\n".to_vec(), ..whole }.bytes(), "zip_prefixed"),
        refusal("F5", twice, "zip_header_mismatch").says("another archive"),
        refusal("F6, 70", module([file("a.go"), same]).bytes(), "duplicate_entry").says(r#""path":"a.go""#),
        refusal("F7 another local name, 78", module([other_name]).bytes(), "zip_header_mismatch")
            .says(r#""path":"a.go""#),
        refusal("F7 shared bytes", module([quoted]).bytes(), "zip_overlap zip_overlap").says(r#""path":"a.go""#),
        refusal("F7 one within the other", nested(), "zip_overlap").says(r#""path":"a.go""#),
    ]);
}

/// The length of a local header with its name and content.
fn local_bytes(entry: &RawEntry) -> u64 {
    (30 + entry.name.len() + entry.data.len()) as u64
}

/// An entry within the content of another one: what a bomb that unpacks the same bytes many times is made of.
fn nested() -> Vec<u8> {
    let inner = file("b.go");
    let mut quoted = RawZip::of([inner.clone()]).bytes();
    quoted.truncate(usize::try_from(local_bytes(&inner)).expect("a few bytes"));
    let outer = RawEntry::new("a.go", quoted);
    let at = local_bytes(&RawEntry::new("a.go", ""));
    RawZip::of([outer, RawEntry { offset: Some(at), ..inner }]).bytes()
}

#[test]
fn what_go_cannot_unpack_is_refused() {
    let encrypted = RawEntry { flags: 1, ..file("a.go") };
    let strongly = RawEntry { flags: 1 | 1 << 6, ..file("a.go") };
    let method = |number| RawEntry { method: Some(number), ..file("a.go") };
    let split = RawZip { disk: 1, ..module([]) };
    refuse_all([
        refusal("F11 encrypted, 78", module([encrypted]).bytes(), "zip_encrypted").says(r#""path":"a.go""#),
        refusal("F11 strongly", module([strongly]).bytes(), "zip_encrypted"),
        refusal("F11 bzip2, 78", module([method(12)]).bytes(), "zip_method").says(r#""path":"a.go""#),
        refusal("F11 zstd", module([method(93)]).bytes(), "zip_method"),
        refusal("F11 LZMA", module([method(14)]).bytes(), "zip_method"),
        refusal("F11 one part of several", split.bytes(), "zip_multi_disk"),
    ]);
}

#[test]
fn a_count_that_lies_is_refused() {
    let counted = |count| RawZip { count: Some(count), ..module([file("a.go")]) }.bytes();
    refuse_all([
        refusal("F10 too few", counted(1), "zip_too_many_entries"),
        refusal("F10 too many", counted(3), "zip_too_many_entries"),
        refusal("F10 none", counted(0), "zip_too_many_entries"),
        refusal("F10 very many", counted(u16::MAX.into()), "zip_too_many_entries"),
    ]);
}

#[test]
fn names_that_leave_the_module_are_refused() {
    let row = |row: &str, name: &str, code| refusal(row, files([name]), code).says(r#""path":"#);
    refuse_all([
        row("F12 up", "../x", "path_unclean"),
        row("F12 far up", "../../../../../../etc/passwd", "path_unclean"),
        row("F12 two slashes", "a//b", "path_unclean"),
        row("F12 here", "./a", "path_unclean"),
        row("F12 up within", "a/../b", "path_unclean"),
        row("67 the folder above", "..", "path_unclean"),
        row("67 a file in the folder above", "x/../y", "path_unclean"),
        row("F12 absolute", "/x", "path_absolute"),
        row("67 absolute", "/abs", "path_absolute"),
        row("F12 a drive", "C:\\x", "path_invalid_char"),
        row("F12 a backslash", "a\\b", "path_invalid_char"),
        row("F12 up, with backslashes", "..\\x", "path_invalid_char"),
        row("F12 NUL", "a\0.go", "path_invalid_char"),
        row("F12 a device", "con.go", "path_reserved"),
        row("F12 a dot at the end", "a.", "path_trailing_dot"),
        row("67 dots", "...", "path_trailing_dot"),
        row("F12 a folder with a dot at the end", "a./b", "path_trailing_dot"),
    ]);
}

#[test]
fn all_faults_are_told_at_once() {
    let names = ["a/../b", "/x", "con.go", "a.", "a\\b", "x", "X", "GO.MOD", "lpt1", "nul.txt"];
    let archive = RawZip::of(names.map(file)).bytes();
    let codes = "path_unclean path_absolute module_path_invalid version_not_canonical path_reserved path_trailing_dot \
                 path_invalid_char case_collision go_mod_case path_reserved path_reserved";
    let many = module((0..300).map(|number| file(format!("{number}/aux.go"))));
    refuse_all([
        refusal("F34", archive, codes).field("name", "Example.com/m").field("version", "1.0.0"),
        refusal("F34 not more than 100", many.bytes(), leak(&vec!["path_reserved"; 100].join(" "))),
    ]);
}

/// A text of a row that is made here.
fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
