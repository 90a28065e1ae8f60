//! go.mod files, read as the two readers of Go read them: a dependant's, which is lax, and the author's,
//! which is strict.
//!
//! ```text
//! // Deprecated: use ex.com/m/v2
//! module ex.com/m                                module, module_deprecated
//!
//! go 1.21.0                                      go
//! toolchain go1.22.1                             toolchain
//! require ex.com/a v1.2.0 // indirect            requires
//! retract [v1.0.0, v1.0.3] // lost data          retracts
//! ```
//!
//! What the lax reader refuses breaks every dependant: [`parse`] fails. What only the strict one refuses
//! leaves `go get` working and is listed in [`ModFile::strict_faults`]. The lax reader passes over `exclude`,
//! `replace`, `toolchain`, `tool` and `godebug`; they are read by the strict one and given as far as it
//! understood them.
//!
//! The steps are `lexer` (characters to tokens), `statement` (tokens to lines and blocks), `directive` (what
//! they say) with `value`, `remark` and `literal` for its parts.
//!
//! Units and bounds: lines count from 1. One pass, linear in the bytes, no recursion; [`MAX_DIRECTIVES`] are
//! read, [`MAX_FAULTS`] kept with [`MAX_MESSAGE_BYTES`] each, and [`MAX_REMARK_BYTES`] of reasons. The size of
//! the file itself (16 MiB) is for the caller to limit. No input panics.
//!
//! Errors: [`SyntaxFault`]s in Go's words; a fault of the syntax stands alone, as Go stops there.
//! Sources: `golang.org/x/mod/modfile` of go 1.26 (`ParseLax`, `Parse`, both without a version fixer).

mod directive;
mod lexer;
mod literal;
mod remark;
mod statement;
mod value;

#[cfg(test)]
mod cases;

use std::cmp::Ordering;

use serde::Serialize;

use crate::version::cmp_go_semver;
use directive::{Mode, Reader};
use statement::{Statement, Statements};

/// Faults kept of one file; a reader who mends these asks again.
pub const MAX_FAULTS: usize = 50;

/// Lines outside comments that a file may have; Go has no such bound, and files of a thousand are rare.
///
/// Without it 16 MiB of `v1` in a `retract` block would fill a gigabyte.
pub const MAX_DIRECTIVES: usize = 100_000;

/// Bytes of reasons and deprecations kept of one file; later ones are cut and then empty.
///
/// A block gives its comment to each of its lines, so the two sizes multiply.
pub const MAX_REMARK_BYTES: usize = 1 << 20;

/// Bytes kept of one message, which may repeat a word of the file.
pub const MAX_MESSAGE_BYTES: usize = 500;

/// What a go.mod file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModFile {
    /// The module's path, unchecked; `None` if there is no `module` line.
    pub module: Option<String>,
    /// The text after `Deprecated:`, which `go get` prints.
    pub module_deprecated: Option<String>,
    /// The Go release; in the lax reading, so `1.20.x` is `1.20`.
    pub go: Option<String>,
    /// The toolchain as written, even one that Go refuses (see [`ModFile::toolchain_invalid`]).
    pub toolchain: Option<String>,
    /// The dependencies, in the order of the file, with canonical versions.
    pub requires: Vec<Require>,
    /// Versions the main module does without.
    pub excludes: Vec<Exclude>,
    /// Modules the main module takes from elsewhere.
    pub replaces: Vec<Replace>,
    /// Versions the author takes back.
    pub retracts: Vec<Retract>,
    /// Packages `go tool` runs.
    pub tools: Vec<String>,
    /// Directories that `./...` passes over.
    pub ignores: Vec<String>,
    /// Runtime settings, key and value.
    pub godebugs: Vec<(String, String)>,
    /// What the author's own `go`, or `go install module@version`, refuses though dependants do not.
    pub strict_faults: Vec<SyntaxFault>,
}

impl ModFile {
    /// Whether the toolchain is one that Go refuses the name of.
    #[must_use]
    pub fn toolchain_invalid(&self) -> bool {
        self.toolchain.as_deref().is_some_and(|name| !value::is_toolchain(name))
    }
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Require {
    /// The module's path: its major suffix fits the version, else it is unchecked.
    pub path: String,
    /// The lowest version that will do, canonical.
    pub version: String,
    /// Marked as needed only by other dependencies.
    pub indirect: bool,
}

/// A version that is not to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclude {
    /// The module's path.
    pub path: String,
    /// The version, canonical.
    pub version: String,
}

/// A module taken from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replace {
    /// The path that is replaced.
    pub old_path: String,
    /// The version that is replaced; `None` is every version.
    pub old_version: Option<String>,
    /// The path of the substitute, a directory if there is no version.
    pub new_path: String,
    /// The version of the substitute.
    pub new_version: Option<String>,
}

/// A range of versions taken back; a single one has both ends equal.
///
/// The ends are as written: maybe not canonical, maybe no version at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retract {
    /// The first version.
    pub low: String,
    /// The last version.
    pub high: String,
    /// The reason, from the comments; may be empty.
    pub rationale: String,
}

impl Retract {
    /// Whether the version is taken back: both ends count, prereleases between them too, and build parts do
    /// not matter.
    #[must_use]
    pub fn covers(&self, version: &str) -> bool {
        cmp_go_semver(&self.low, version) != Ordering::Greater
            && cmp_go_semver(version, &self.high) != Ordering::Greater
    }

    /// Whether no version can be in the range, its ends being the wrong way round.
    #[must_use]
    pub fn is_empty_range(&self) -> bool {
        cmp_go_semver(&self.low, &self.high) == Ordering::Greater
    }
}

/// Something Go refuses, in its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("go.mod:{line}: {message}")]
pub struct SyntaxFault {
    /// The line of the file, from 1.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

impl SyntaxFault {
    fn new(line: u32, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        Self { line, message }
    }
}

/// Reads a go.mod file as the `go` of a dependant does.
///
/// A file without `module` line is read too: that it is needed is the caller's rule.
pub fn parse(bytes: &[u8]) -> Result<ModFile, Vec<SyntaxFault>> {
    let text = literal::decode(bytes);
    let (lax, strict) = read(&text).map_err(|fault| vec![fault])?;
    if !lax.faults.is_empty() {
        return Err(lax.faults);
    }
    let ModFile { toolchain, excludes, replaces, tools, godebugs, .. } = strict.file;
    Ok(ModFile { toolchain, excludes, replaces, tools, godebugs, strict_faults: strict.faults, ..lax.file })
}

/// Both readings in one pass.
fn read(text: &str) -> Result<(Reader, Reader), SyntaxFault> {
    let mut readers = [Reader::new(Mode::Lax), Reader::new(Mode::Strict)];
    let mut statements = Statements::new(text)?;
    let mut block = None;
    let mut count = 0;
    while let Some(statement) = statements.next()? {
        count += 1;
        if count > MAX_DIRECTIVES {
            return Err(SyntaxFault::new(statement.at(), format!("more than {MAX_DIRECTIVES} directives")));
        }
        match &statement {
            Statement::Line(line) => readers.iter_mut().for_each(|reader| reader.line(line)),
            Statement::Block(head) => readers.iter_mut().for_each(|reader| reader.block(head)),
            Statement::BlockLine(line) => {
                if let Some(head) = &block {
                    readers.iter_mut().for_each(|reader| reader.block_line(head, line));
                }
            }
        }
        if let Statement::Block(head) = statement {
            block = Some(head);
        }
    }
    let [lax, strict] = readers;
    Ok((lax, strict))
}

/// The text of the go.mod that Go makes up for a module that has none.
#[must_use]
pub fn synthesise(module_path: &str) -> String {
    format!("module {}\n", literal::auto_quote(module_path))
}

/// Whether a go.mod is, byte for byte, what Go would make up.
///
/// Clients take a real one like this for none, and may prefer `+incompatible` versions to it.
#[must_use]
pub fn is_synthesised(bytes: &[u8], module_path: &str) -> bool {
    bytes == synthesise(module_path).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retract(low: &str, high: &str) -> Retract {
        Retract { low: low.to_owned(), high: high.to_owned(), rationale: String::new() }
    }

    #[test]
    fn everything_a_file_says_is_read() {
        let text = "// Deprecated: use ex.com/m/v2\n\
            module ex.com/m\n\
            go 1.21\n\
            toolchain go1.22.1\n\
            require (\n\tex.com/a v1.2\n\tex.com/b v1.0.0 // indirect\n)\n\
            exclude ex.com/a v1.1.0\n\
            replace ex.com/a => ../a\n\
            replace ex.com/b v1.0.0 => ex.com/c v1.0.1\n\
            retract [v1.0.0, v1.0.3] // lost data\n\
            tool ex.com/a/cmd\n\
            ignore ./x\n\
            godebug panicnil=1\n";
        let file = parse(text.as_bytes()).expect("a good file");
        let owned = |text: &str| text.to_owned();
        let expected = ModFile {
            module: Some(owned("ex.com/m")),
            module_deprecated: Some(owned("use ex.com/m/v2")),
            go: Some(owned("1.21")),
            toolchain: Some(owned("go1.22.1")),
            requires: vec![
                Require { path: owned("ex.com/a"), version: owned("v1.2.0"), indirect: false },
                Require { path: owned("ex.com/b"), version: owned("v1.0.0"), indirect: true },
            ],
            excludes: vec![Exclude { path: owned("ex.com/a"), version: owned("v1.1.0") }],
            replaces: vec![
                Replace { old_path: owned("ex.com/a"), old_version: None, new_path: owned("../a"), new_version: None },
                Replace {
                    old_path: owned("ex.com/b"),
                    old_version: Some(owned("v1.0.0")),
                    new_path: owned("ex.com/c"),
                    new_version: Some(owned("v1.0.1")),
                },
            ],
            retracts: vec![Retract { rationale: owned("lost data"), ..retract("v1.0.0", "v1.0.3") }],
            tools: vec![owned("ex.com/a/cmd")],
            ignores: vec![owned("./x")],
            godebugs: vec![(owned("panicnil"), owned("1"))],
            strict_faults: Vec::new(),
        };
        assert_eq!(file, expected);
    }

    #[test]
    fn a_file_with_strict_faults_is_read_as_dependants_read_it() {
        let text = "module ex.com/m\ngo 1.20.x\ntoolchain local\nretract v1.0.0 x\nretract [v1.0.0\nretract bad\n";
        let file = parse(text.as_bytes()).expect("a file that is good for dependants");
        assert_eq!(file.go.as_deref(), Some("1.20"));
        assert_eq!(file.toolchain.as_deref(), Some("local"));
        assert!(file.toolchain_invalid());
        assert_eq!(file.retracts, [retract("v1.0.0", "v1.0.0"), retract("bad", "bad")]);
        assert_eq!(file.strict_faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert_eq!(
            file.strict_faults[0].to_string(),
            "go.mod:2: invalid go version '1.20.x': must match format 1.23.0"
        );
    }

    #[test]
    fn a_range_covers_its_ends_and_the_prereleases_between() {
        let cases = [
            ("v1.0.0", "v1.2.0", "v1.0.0", true),
            ("v1.0.0", "v1.2.0", "v1.2.0", true),
            ("v1.0.0", "v1.2.0", "v1.1.0-rc.1", true),
            // A prerelease is lower than its release: the first is outside, the last inside.
            ("v1.0.0", "v1.2.0", "v1.0.0-rc.1", false),
            ("v1.0.0", "v1.2.0", "v1.2.0-rc.1", true),
            ("v1.0.0", "v1.2.0", "v1.2.1", false),
            ("v2.0.0", "v2.0.0", "v2.0.0+incompatible", true),
            ("v1", "v1", "v1.0.0", true),
            ("v1.2.0", "v1.0.0", "v1.1.0", false),
            ("bad", "bad", "v1.0.0", false),
            // What is no version is lower than all: Go takes such a range for an open one.
            ("bad", "v1.2.0", "v0.1.0", true),
        ];
        for (low, high, version, covered) in cases {
            assert_eq!(retract(low, high).covers(version), covered, "[{low}, {high}] {version}");
        }
        assert!(retract("v1.2.0", "v1.0.0").is_empty_range());
        assert!(!retract("v1.0.0", "v1.0.0").is_empty_range());
    }

    #[test]
    fn faults_and_their_messages_are_bounded() {
        for (count, kept) in [(MAX_FAULTS, MAX_FAULTS), (MAX_FAULTS + 1, MAX_FAULTS)] {
            assert_eq!(parse("require\n".repeat(count).as_bytes()).map_err(|faults| faults.len()), Err(kept));
        }
        let file = parse("é".repeat(MAX_MESSAGE_BYTES).as_bytes()).expect("an unknown directive");
        let length = file.strict_faults[0].message.len();
        assert!((MAX_MESSAGE_BYTES - 1..=MAX_MESSAGE_BYTES).contains(&length), "{length}");
    }

    #[test]
    fn more_directives_than_the_bound_are_refused() {
        let file = |lines: usize| format!("ignore (\n{})\n", "x\n".repeat(lines));
        assert_eq!(parse(file(MAX_DIRECTIVES - 1).as_bytes()).map(|file| file.ignores.len()), Ok(MAX_DIRECTIVES - 1));
        let fault = SyntaxFault::new(100_001, "more than 100000 directives");
        assert_eq!(parse(file(MAX_DIRECTIVES).as_bytes()), Err(vec![fault]));
    }

    #[test]
    fn a_blocks_comment_is_not_given_to_more_lines_than_the_bound_allows() {
        let reason = "x".repeat(MAX_REMARK_BYTES / 2 - 10);
        let file =
            parse(format!("// {reason}\nretract (\n{})\n", "v1.0.0\n".repeat(4)).as_bytes()).expect("a good file");
        let lengths: Vec<usize> = file.retracts.iter().map(|retract| retract.rationale.len()).collect();
        assert_eq!(lengths, [reason.len(), reason.len(), 20, 0]);
    }

    #[test]
    fn only_the_exact_text_is_the_one_go_makes_up() {
        assert_eq!(synthesise("ex.com/m"), "module ex.com/m\n");
        assert_eq!(synthesise("ex.com/a b"), "module \"ex.com/a b\"\n");
        let cases = [
            ("module ex.com/m\n", true),
            ("module ex.com/m", false),
            ("module ex.com/m\r\n", false),
            ("module \"ex.com/m\"\n", false),
            ("module ex.com/m\n\n", false),
            ("module ex.com/n\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_synthesised(text.as_bytes(), "ex.com/m"), expected, "{text:?}");
        }
    }
}
