//! Directives of a go.mod file: what each takes, and what makes a reader refuse it.
//!
//! ```text
//! verb        block  lax                      strict
//! module      yes    read                     read
//! go          no     read, cut to 1.20        read
//! require     yes    read                     read
//! retract     yes    read, faults ignored     read
//! ignore      yes    read                     read
//! exclude     yes    ignored                  read
//! replace     yes    ignored                  read
//! tool        yes    ignored                  read
//! godebug     yes    ignored                  read
//! toolchain   no     ignored                  read
//! other       -      ignored                  fault
//! ```
//!
//! A [`Reader`] goes over the statements once in one of the two modes. *Lax* is what `go` does with a
//! dependency: it should go on when a newer Go has written something new. *Strict* is `go install
//! module@version`, and the publisher's own `go`. One more fault is found in strict mode: a retraction of
//! something that is no version. `go mod edit` and `go install` let it pass, and the publisher's `go` (which
//! completes versions of its main module by asking for them) does not; in dependants it silently retracts
//! nothing, or too much.
//!
//! Units and bounds: constant work for a line beyond its own length; [`MAX_FAULTS`](super::MAX_FAULTS) faults
//! are kept.
//! Source: `File.add` and `parseReplace` in `rule.go` of `golang.org/x/mod/modfile` (go 1.26)
//! 4.7 and 4.10.

use super::literal::{parse_string, quote};
use super::statement::{Block, Line};
use super::{Exclude, MAX_FAULTS, MAX_REMARK_BYTES, ModFile, Replace, Require, Retract, SyntaxFault, remark, value};
use crate::version::is_valid;

/// Whether the reader is a dependant's `go` or the author's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Reads what matters to dependants only.
    Lax,
    /// Reads all and refuses what it does not know.
    Strict,
}

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Reader {
    mode: Mode,
    has_module: bool,
    remark_bytes_left: usize,
    /// The directives that were understood.
    pub(super) file: ModFile,
    /// The others, in the order of the file.
    pub(super) faults: Vec<SyntaxFault>,
}

type Outcome = Result<(), String>;

impl Reader {
    /// A reader that has read nothing.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            has_module: false,
            remark_bytes_left: MAX_REMARK_BYTES,
            file: ModFile::default(),
            faults: Vec::new(),
        }
    }

    /// Takes the head of a block.
    pub(super) fn block(&mut self, block: &Block<'_>) {
        if self.mode == Mode::Strict && block_verb(block).is_none() {
            self.refuse(block.at, format!("unknown block type: {}", block.tokens.join(" ")));
        }
    }

    /// Takes a line of a block; those of unknown blocks are passed over.
    pub(super) fn block_line(&mut self, block: &Block<'_>, line: &Line<'_>) {
        if let Some(verb) = block_verb(block) {
            self.directive(verb, &line.tokens, Some(block), line);
        }
    }

    /// Takes a line outside blocks.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        if let Some((verb, args)) = line.tokens.split_first() {
            self.directive(verb, args, None, line);
        }
    }

    fn directive(&mut self, verb: &str, args: &[&str], block: Option<&Block<'_>>, line: &Line<'_>) {
        let lax = matches!(verb, "go" | "module" | "retract" | "require" | "ignore");
        if self.mode == Mode::Lax && !lax {
            return;
        }
        let outcome = match verb {
            "module" => self.module(args, block, line),
            "go" => self.go(args),
            "toolchain" => self.toolchain(args),
            "godebug" => self.godebug(args),
            "require" => self.require(args, line),
            "exclude" => self.exclude(args),
            "replace" => replace(args).map(|replace| self.file.replaces.push(replace)),
            "retract" => self.retract(args, block, line),
            "tool" => only_path(verb, args).map(|path| self.file.tools.push(path)),
            "ignore" => only_path(verb, args).map(|path| self.file.ignores.push(path)),
            _ => Err(format!("unknown directive: {verb}")),
        };
        if let Err(message) = outcome {
            self.refuse(line.at, message);
        }
    }

    fn refuse(&mut self, at: u32, message: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(SyntaxFault::new(at, message));
        }
    }

    fn remark(&mut self, block: Option<&Block<'_>>, line: &Line<'_>) -> String {
        let text = remark::about(block, line, self.remark_bytes_left);
        self.remark_bytes_left -= text.len();
        text
    }

    fn module(&mut self, args: &[&str], block: Option<&Block<'_>>, line: &Line<'_>) -> Outcome {
        // A line that was refused counts too: Go does not take the second for the first.
        if std::mem::replace(&mut self.has_module, true) {
            return Err("repeated module statement".to_owned());
        }
        let [path] = args else { return Err("usage: module module/path".to_owned()) };
        self.file.module_deprecated = remark::deprecation(&self.remark(block, line));
        self.file.module = Some(unquoted(path)?);
        Ok(())
    }

    fn go(&mut self, args: &[&str]) -> Outcome {
        if self.file.go.is_some() {
            return Err("repeated go statement".to_owned());
        }
        let [written] = args else { return Err("go directive expects exactly one argument".to_owned()) };
        let cut = if self.mode == Mode::Lax { value::lax_go_version(written) } else { None };
        let version = if value::is_go_version(written) { Some(*written) } else { cut };
        let version = version.ok_or_else(|| format!("invalid go version '{written}': must match format 1.23.0"))?;
        self.file.go = Some(version.to_owned());
        Ok(())
    }

    fn toolchain(&mut self, args: &[&str]) -> Outcome {
        if self.file.toolchain.as_deref().is_some_and(value::is_toolchain) {
            return Err("repeated toolchain statement".to_owned());
        }
        let [name] = args else { return Err("toolchain directive expects exactly one argument".to_owned()) };
        self.file.toolchain = Some((*name).to_owned());
        if !value::is_toolchain(name) {
            return Err(format!("invalid toolchain version '{name}': must match format go1.23.0 or default"));
        }
        Ok(())
    }

    fn godebug(&mut self, args: &[&str]) -> Outcome {
        let setting = match args {
            [setting] if !setting.contains(['"', '`', '\'', ',']) => setting.split_once('='),
            _ => None,
        };
        let (key, value) = setting.ok_or("usage: godebug key=value")?;
        self.file.godebugs.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    fn require(&mut self, args: &[&str], line: &Line<'_>) -> Outcome {
        let (path, version) = module_version("require", args)?;
        self.file.requires.push(Require { path, version, indirect: remark::is_indirect(line.suffix) });
        Ok(())
    }

    fn exclude(&mut self, args: &[&str]) -> Outcome {
        let (path, version) = module_version("exclude", args)?;
        self.file.excludes.push(Exclude { path, version });
        Ok(())
    }

    fn retract(&mut self, args: &[&str], block: Option<&Block<'_>>, line: &Line<'_>) -> Outcome {
        let (low, high, rest) = match value::interval(args) {
            Ok(interval) => interval,
            // A later Go may know other forms; a dependant goes on without.
            Err(_) if self.mode == Mode::Lax => return Ok(()),
            Err(message) => return Err(message),
        };
        if self.mode == Mode::Strict {
            if let Some(token) = rest.first() {
                return Err(format!("unexpected token after version: {}", quote(token)));
            }
            if let Some(word) = [&low, &high].into_iter().find(|version| !is_valid(version)) {
                return Err(value::about("retract", "", &value::bad_version(word, value::NO_VERSION)));
            }
        }
        let rationale = self.remark(block, line);
        self.file.retracts.push(Retract { low, high, rationale });
        Ok(())
    }
}

/// The verb of a block that may be one.
fn block_verb<'a>(block: &Block<'a>) -> Option<&'a str> {
    match block.tokens[..] {
        [verb @ ("module" | "godebug" | "require" | "exclude" | "replace" | "retract" | "tool" | "ignore")] => {
            Some(verb)
        }
        _ => None,
    }
}

fn only_path(verb: &str, args: &[&str]) -> Result<String, String> {
    let [path] = args else { return Err(format!("{verb} directive expects exactly one argument")) };
    unquoted(path)
}

fn unquoted(token: &str) -> Result<String, String> {
    parse_string(token).map_err(|why| format!("invalid quoted string: {why}"))
}

/// The two arguments of `require` and `exclude`.
fn module_version(verb: &str, args: &[&str]) -> Result<(String, String), String> {
    let [path, version] = args else { return Err(format!("usage: {verb} module/path v1.2.3")) };
    let path = unquoted(path)?;
    let version = value::version(verb, &path, version)?;
    value::major_fits(&version, value::path_major(&path)?).map_err(|why| value::about(verb, &path, &why))?;
    Ok((path, version))
}

/// `old [version] => new [version]`, where a new one without version is a directory.
fn replace(args: &[&str]) -> Result<Replace, String> {
    const USAGE: &str = "usage: replace module/path [v1.2.3] => other/module v1.4\n\t \
        or replace module/path [v1.2.3] => ../local/directory";
    let (old, old_version, new, new_version) = match *args {
        [old, "=>", new] => (old, None, new, None),
        [old, "=>", new, new_version] => (old, None, new, Some(new_version)),
        [old, old_version, "=>", new] => (old, Some(old_version), new, None),
        // With an arrow in second place the five would be one too many.
        [old, old_version, "=>", new, new_version] if old_version != "=>" => {
            (old, Some(old_version), new, Some(new_version))
        }
        _ => return Err(USAGE.to_owned()),
    };
    let old_path = unquoted(old)?;
    let major = value::path_major(&old_path).map_err(|why| value::about("replace", &old_path, &why))?;
    let old_version = old_version.map(|token| value::version("replace", &old_path, token)).transpose()?;
    if let Some(version) = &old_version {
        value::major_fits(version, major).map_err(|why| value::about("replace", &old_path, &why))?;
    }
    let new_path = unquoted(new)?;
    let directory = value::is_directory(&new_path);
    let new_version = match new_version {
        None => {
            replacement_directory(&new_path, directory)?;
            None
        }
        Some(token) => Some(value::version("replace", &new_path, token)?),
    };
    if new_version.is_some() && directory {
        return Err(format!("replacement module directory path {} cannot have version", quote(&new_path)));
    }
    Ok(Replace { old_path, old_version, new_path, new_version })
}

fn replacement_directory(path: &str, directory: bool) -> Outcome {
    let fault = match () {
        () if !directory && path.contains('@') => {
            "replacement module must match format 'path version', not 'path@version'"
        }
        () if !directory => {
            "replacement module without version must be directory path (rooted or starting with . or ..)"
        }
        // As on every system but Windows.
        () if path.contains('\\') => "replacement directory appears to be Windows path (on a non-windows system)",
        () => return Ok(()),
    };
    Err(fault.to_owned())
}
