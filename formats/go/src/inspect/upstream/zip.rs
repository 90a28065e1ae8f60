//! The zip of an upstream: what Go would refuse to unpack, and what its files tell.
//!
//! ```text
//! ex.com/m@v1.0.0/            folders are legal, empty, and enter the hash
//! ex.com/m@v1.0.0/go.mod      at the root only, in lower case only
//! ex.com/m@v1.0.0/a.go        all below the one folder; no two that a disk takes for one
//! ```
//!
//! Vendored packages, links and odd entries are files here: they were made by somebody else's rules, and their
//! sum is known to the world. An entry is a folder by its slash alone, as for Go.
//!
//! Bounds: those of an upload. Errors: `upstream_invalid`, `upstream_too_large`.
//! Sources: `checkZip` in `golang.org/x/mod/zip`; `HashZip` in `golang.org/x/mod/sumdb/dirhash`.

use keeper_core::blob::ReadSeek;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::format::InspectError;
use sha2::{Digest as _, Sha256};

use super::{Asked, Found, GO_MOD_H1, H1, differs, too_large};
use crate::absent::shown;
use crate::archive::Directory;
use crate::archive::contents::Contents;
use crate::archive::entry::Entry;
use crate::archive::selection::{Kept, Selection};
use crate::archive::tree::Tree;
use crate::dirhash::{DirHash, h1_go_mod};
use crate::error::{EMPTY_MODULE, GO_MOD_CASE, MIXED_PREFIX, Problems, ZIP_CRC, entry_problem};
use crate::inspect::about::Introduction;
use crate::inspect::metadata::{self, Metadata, Part};
use crate::limits::{GO_MOD_BYTES, LICENSE_BYTES, MODULE_BYTES};
use crate::merge::invalid;
use crate::modfile::synthesise;
use crate::path::check_upstream_file_path;

const GO_MOD: &str = "go.mod";

/// Judges the zip and says what its files tell.
pub(super) fn judge(asked: &Asked<'_>, input: &mut dyn ReadSeek) -> Result<Found, InspectError> {
    opened(asked, input).map_err(|error| match error {
        InspectError::Refused(failure) => foreign(&failure).into(),
        fault => fault,
    })
}

/// What is a publisher's fault in an upload is the upstream's here.
fn foreign(failure: &Failure) -> Failure {
    let told = failure.first();
    if *told.code == codes::TOO_LARGE {
        return too_large(&told.detail);
    }
    let more = failure.problems().count() - 1;
    invalid("zip of this module", format!("{}: {} ({more} more)", told.code.name, told.detail))
}

fn opened(asked: &Asked<'_>, input: &mut dyn ReadSeek) -> Result<Found, InspectError> {
    let mut problems = Problems::default();
    let mut directory = Directory::read(input, &mut problems)?;
    let contents = match directory.as_mut().filter(|directory| directory.is_sound) {
        Some(directory) => Contents::open(input, directory, &mut problems)?,
        None => None,
    };
    let (Some(directory), Some(mut contents)) = (directory, contents) else {
        problems.settle()?;
        unreachable!("an archive that cannot be opened has a problem");
    };
    let folder = asked.folder();
    let selection = files(&directory.entries, &folder, &mut problems);
    problems.settle()?;
    let mut introduction = Introduction::default();
    let h1 = hash(&directory.entries, &folder, &selection, &mut contents, &mut introduction)?;
    let mut found = described(asked, &selection, &mut contents, introduction)?;
    found.checksums.insert(H1.to_owned(), h1);
    Ok(found)
}

/// The files of the module.
fn files<'a>(entries: &'a [Entry], folder: &str, problems: &mut Problems) -> Selection<'a> {
    let mut tree = Tree::default();
    let mut selection = Selection::default();
    for entry in entries {
        match file(entry, folder, &mut tree) {
            Ok(Some(file)) => {
                selection.bytes = selection.bytes.saturating_add(entry.size);
                selection.kept.push(file);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if selection.bytes > MODULE_BYTES {
        let detail = format!("its files have {} bytes; at most {MODULE_BYTES} are accepted", selection.bytes);
        problems.push(Problem::new(&codes::TOO_LARGE, detail));
    }
    if selection.kept.is_empty() && problems.is_empty() {
        problems.push(Problem::new(&EMPTY_MODULE, "it holds no file"));
    }
    selection
}

/// A file of the module, nothing for a folder.
fn file<'a>(entry: &'a Entry, folder: &str, tree: &mut Tree<'a>) -> Result<Option<Kept<'a>>, Problem> {
    let Some(name) = entry.name.strip_prefix(folder) else {
        return Err(entry_problem(&MIXED_PREFIX, &entry.name, &format!("it is not below {}", shown(folder))));
    };
    let bare = name.strip_suffix('/');
    if name.is_empty() || bare.is_some() {
        if entry.size != 0 {
            return Err(entry_problem(&ZIP_CRC, &entry.name, "a folder has content"));
        }
        if let Some(path) = bare {
            check_upstream_file_path(path)?;
            tree.add_directory(path)?;
        }
        return Ok(None);
    }
    check_upstream_file_path(name)?;
    tree.add(name)?;
    if name != GO_MOD && entry.base().eq_ignore_ascii_case(GO_MOD) {
        return Err(entry_problem(
            &GO_MOD_CASE,
            &entry.name,
            "go.mod is at the root and in lower case, or another module",
        ));
    }
    let limit_bytes = match name {
        GO_MOD => GO_MOD_BYTES,
        "LICENSE" => LICENSE_BYTES,
        _ => MODULE_BYTES,
    };
    if entry.size > limit_bytes {
        let why = format!("it has {} bytes; at most {limit_bytes} are accepted", entry.size);
        return Err(entry_problem(&codes::TOO_LARGE, &entry.name, &why));
    }
    Ok(Some(Kept { entry, name }))
}

/// The `h1:` of the whole zip; each file goes by once.
fn hash(
    entries: &[Entry],
    folder: &str,
    selection: &Selection<'_>,
    contents: &mut Contents<'_>,
    introduction: &mut Introduction,
) -> Result<String, InspectError> {
    let readme = metadata::readme(selection);
    let mut tree = DirHash::of_folder(folder);
    for entry in entries {
        let mut digest = Sha256::new();
        if !entry.name.ends_with('/') {
            let name = &entry.name[folder.len()..];
            let mut is_first = true;
            contents.stream(entry, &mut |piece| {
                if std::mem::take(&mut is_first) {
                    introduction.see(name, piece, readme);
                }
                digest.update(piece);
                Ok(())
            })?;
        }
        tree.add(&entry.name[folder.len()..], digest.finalize().into()).expect("a checked path holds no line end");
    }
    Ok(tree.h1())
}

fn described(
    asked: &Asked<'_>,
    selection: &Selection<'_>,
    contents: &mut Contents<'_>,
    introduction: Introduction,
) -> Result<Found, InspectError> {
    let module = asked.module.as_str();
    let go_mod = match selection.kept.iter().find(|file| file.name == GO_MOD) {
        Some(file) => contents.read(file.entry, GO_MOD_BYTES)?,
        None => synthesise(module).into_bytes(),
    };
    let go_mod_h1 = h1_go_mod(&go_mod);
    let mut found = match asked.checksums.get(GO_MOD_H1) {
        // What it says is recorded already.
        Some(recorded) if *recorded == go_mod_h1 => Found::default(),
        Some(_) => Found { warnings: vec![differs()], ..Found::default() },
        None => asked.described(&go_mod),
    };
    let mut metadata = Metadata { go_mod_h1_in_zip: Some(go_mod_h1), ..Metadata::default() };
    metadata.describe_files(selection, module);
    found.about = introduction.about(&metadata, module, format!("{}.zip", asked.version), &asked.folder());
    Part::join(&mut found.metadata, metadata.part(Part::Files));
    Ok(found)
}
