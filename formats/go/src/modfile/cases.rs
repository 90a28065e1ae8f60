//! Tests of the whole reader: against the verdicts of the real `go` in `cases.txt`, and that no bytes make it
//! panic.

use proptest::prelude::*;

use super::{SyntaxFault, parse};

struct Case {
    name: &'static str,
    file: Vec<u8>,
    fatal: Vec<SyntaxFault>,
    strict: Vec<SyntaxFault>,
}

fn cases() -> Vec<Case> {
    let (_, cases) = include_str!("cases.txt").split_once("\n== ").expect("a first case");
    cases.split("\n== ").map(case).collect()
}

fn case(text: &'static str) -> Case {
    let (head, body) = text.split_once("\n--").expect("a line `--`");
    let (name, faults) = head.split_once('\n').unwrap_or((head, ""));
    let (mut fatal, mut strict) = (Vec::new(), Vec::new());
    for fault in faults.lines() {
        let mut words = fault.splitn(3, ' ');
        let mut word = || words.next().expect("three words");
        let (kind, line, message) = (word(), word().parse().expect("a line number"), word().replace("<LF>", "\n"));
        let list = if kind == "fatal" { &mut fatal } else { &mut strict };
        list.push(SyntaxFault { line, message });
    }
    Case { name, file: file(body), fatal, strict }
}

/// The bytes of a file as the table writes them, after its `--`.
fn file(body: &str) -> Vec<u8> {
    let mut text = body.strip_prefix('\n').unwrap_or(body).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (name, meant) in [("<CR>", "\r"), ("<BOM>", "\u{feff}"), ("<NUL>", "\0"), ("<NBSP>", "\u{a0}"), ("<EOF>\n", "")]
    {
        text = text.replace(name, meant);
    }
    let mut pieces = text.split("<FF>");
    let first = pieces.next().unwrap_or_default().as_bytes().to_vec();
    pieces.fold(first, |file, piece| [&file, b"\xff".as_slice(), piece.as_bytes()].concat())
}

#[test]
fn every_case_has_the_faults_go_finds() {
    let cases = cases();
    assert!(cases.len() >= 80, "the table was cut short: {}", cases.len());
    for Case { name, file, fatal, strict } in cases {
        match parse(&file) {
            Ok(parsed) => {
                assert_eq!(fatal, [], "{name}");
                assert_eq!(parsed.strict_faults, strict, "{name}");
            }
            Err(faults) => assert_eq!(faults, fatal, "{name}"),
        }
    }
}

/// Pieces that mean something to the reader, so that random files get past the lexer.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "module ",
        "go ",
        "require ",
        "retract ",
        "replace ",
        "exclude ",
        "tool ",
        "ignore ",
        "godebug ",
        "toolchain ",
    ];
    let parts = [
        "ex.com/m ",
        "v1.0.0 ",
        "=> ",
        "( ",
        ") ",
        "[ ",
        "] ",
        ", ",
        "\"",
        "\\",
        "`",
        "'",
        "//",
        "/*",
        "\n",
        "\r\n",
        "a=b ",
    ];
    let any_piece = prop::sample::select([words.as_slice(), parts.as_slice()].concat());
    prop::collection::vec(any_piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A case of the table with some bytes replaced, removed or put in.
fn mutated_case() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<Vec<u8>> = cases().into_iter().map(|case| case.file).collect();
    let change = (any::<prop::sample::Index>(), 0..4_usize, prop::collection::vec(any::<u8>(), 0..4));
    (prop::sample::select(files), prop::collection::vec(change, 1..5)).prop_map(|(mut file, changes)| {
        for (at, removed, put) in changes {
            let at = at.index(file.len() + 1);
            let end = file.len().min(at + removed);
            file.splice(at..end, put);
        }
        file
    })
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), pieces(), mutated_case()]
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any_file()) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        let faults = match parse(&bytes) {
            Ok(parsed) => parsed.strict_faults,
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                faults
            }
        };
        for fault in faults {
            prop_assert!((1..=lines).contains(&(fault.line as usize)), "{fault}");
        }
    }
}
