//! What a file in a module may be called. Each name is tried alone, beside a `go.mod`.

use super::raw_zip::{LINK, RawEntry};
use super::{Refusal, file, module, refuse_all};
use crate::harness::raw_form::RawForm;
use crate::harness::server::Server;

/// An archive with these names beside its `go.mod`.
fn names(names: &[&str]) -> Vec<u8> {
    module(names.iter().map(file)).bytes()
}

fn each<'a>(row: &'a str, all: &'a [&'a str], code: &'static str) -> impl Iterator<Item = Refusal> + 'a {
    all.iter().map(move |name| Refusal::new(format!("{row} {name:?}"), names(&[name]), code).says(r#""path":"#))
}

#[test]
fn names_that_some_system_cannot_have_are_refused() {
    let devices = ["con.go", "Con.txt", "con.a/b", "lpt1.x", "a/NUL", "COM9", "prn"];
    let characters = [
        "e\u{301}",
        "\u{1f600}",
        "\u{663}",
        "a:b",
        "a*b",
        "a?b",
        "a\"b",
        "a'b",
        "a;b",
        "a\\b",
        "a<b",
        "a>b",
        "a|b",
        "a`b",
        "tab\t",
        "line\nend",
        "nul\0",
        "\u{7f}",
        "\u{202e}x",
        "\u{200b}",
    ];
    refuse_all(each("64", &devices, "path_reserved").chain(each("66", &characters, "path_invalid_char")));
}

#[test]
fn names_that_are_not_utf8_are_refused_whatever_their_flag_says() {
    const UTF8: u16 = 1 << 11;
    let row = |row: &str, name: &[u8], flags| {
        let entry = RawEntry { flags, ..RawEntry::new(name, "x") };
        Refusal::new(row, module([entry]).bytes(), "path_not_utf8")
    };
    refuse_all([
        row("F13 without the flag", b"caf\xe9.go", 0),
        row("F13 with the flag", b"caf\xe9.go", UTF8),
        row("67 FF", b"\xff", 0),
        row("a slash in two bytes", b"a\xc0\xafb", UTF8),
        row("half a character", b"a\xe6\x97", UTF8),
        row("a surrogate", b"a\xed\xa0\x80", UTF8),
    ]);
}

#[test]
fn names_that_are_one_on_other_disks_are_refused() {
    let case = |row: &str, one: &str, other: &str| {
        Refusal::new(row, names(&[one, other]), "case_collision").says(one).says(other)
    };
    let link = RawEntry { mode: LINK, ..RawEntry::new("A.go", "a.go") };
    refuse_all([
        case("F14, 68", "a.go", "A.go"),
        Refusal::new("F14 a long s", names(&["s.go", "\u{17f}.go"]), "case_collision").says("s.go"),
        Refusal::new("68 folders", names(&["x/a", "X/b"]), "case_collision").says("X/b"),
        Refusal::new("68 a Kelvin", names(&["k", "\u{212a}"]), "case_collision"),
        Refusal::new("71 a link", module([file("a.go"), link]).bytes(), "case_collision"),
        Refusal::new("F14, 70 a file and a folder", names(&["a", "a/b"]), "file_and_directory"),
        Refusal::new("70 the folder first", names(&["a.go/x", "a.go"]), "file_and_directory"),
        Refusal::new("70 twice", names(&["a.go", "a.go"]), "duplicate_entry"),
    ]);
}

#[test]
fn names_that_look_odd_are_fine() {
    let server = Server::start();
    let odd = [
        "com0",
        "CONIN$",
        "a~1.go",
        "-dash",
        " lead",
        "trail ",
        "\u{65e5}\u{672c}",
        "\u{e9}",
        ".hidden",
        ".git/config",
        "a b",
        "a,b",
        "a@b",
        "a#b",
        "a%2fb",
        "a+b=c",
        "[a]{b}(c)!&^",
        "..a",
        "con$",
    ];
    let pairs: [&[&str]; 2] = [&["ss", "\u{df}"], &["i", "\u{130}"]];
    let singles = odd.iter().map(std::slice::from_ref);
    for (number, names_of_one) in singles.chain(pairs).enumerate() {
        let version = format!("v1.0.{number}");
        let form = RawForm::module("example.com/m", &version).file(names(names_of_one));
        let answer = form.send(&server);
        assert_eq!(answer.status, 201, "65, 69 {names_of_one:?}: {}", answer.text());
    }
}
