//! From an upload to a module: what `POST /api/artifacts` with `format=go` does with the bytes.
//!
//! ```text
//! upload   a zip, from git archive or by hand       name=ex.com/m   version=v1.0.0
//! becomes  ex.com/m/@v/v1.0.0.zip                   the canonical zip
//!          ex.com/m/@v/v1.0.0.mod                   go.mod, or the one that Go would make up
//!          ex.com/m/@v/v1.0.0.info                  version, time, origin
//! ```
//!
//! The steps: the outline of the archive and its headers ([`crate::archive`]), the claim, the place of the
//! module in the archive, its files; then the zip is written and hashed ([`crate::canonical`]). Everything
//! wrong that can be found without trusting what is wrong already is told at once. Content is read for that
//! only as far as go.mod files, so a damaged entry is told when nothing else is.
//!
//! A file that an upstream has for a version is judged by [`upstream`] and kept as it is.
//!
//! Units and bounds: [`crate::limits`]; each kept entry is inflated once, and small ones that are looked into
//! (go.mod, `.gitattributes`) twice.
//! Errors: all codes of [`crate::error`]; warnings: [`warnings`].

pub mod metadata;
pub mod upstream;
pub mod warnings;

mod about;
pub(crate) mod claim;
mod content;
mod license;
mod provenance;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod raw_zip;

use std::collections::BTreeMap;
use std::io::Write;

use keeper_core::artifact::{Coordinate, Dependency, Extent, FilePath, LabelKind, PackageName, VersionName, Warning};
use keeper_core::blob::ReadSeek;
use keeper_core::error::Problem;
use keeper_core::format::{Claim, FileSink, InspectError, Inspection, NewFile};
use keeper_core::media_type::MediaType;

use crate::absent::shown;
use crate::archive::Directory;
use crate::archive::commit::Commit;
use crate::archive::contents::Contents;
use crate::archive::entry::{Entry, Kind};
use crate::archive::prefix::{self, Prefix};
use crate::archive::root::{Root, Search};
use crate::archive::selection::{Selection, select};
use crate::canonical;
use crate::dirhash::h1_go_mod;
use crate::error::{MODULE_PATH_INVALID, PREFIX_MISMATCH, Problems};
use crate::info::{Origin, info_json, time_text};
use crate::limits::GO_MOD_LIST;
use crate::modfile::{ModFile, is_synthesised, synthesise};
use crate::path::{ModulePath, escape_version};
use crate::takeover;
use crate::vendor::VendorRule;
use crate::version::GoVersion;
use about::Introduction;
use claim::Named;
use content::LineEnds;
use metadata::Metadata;
use provenance::Provenance;
use upstream::{GO_MOD_H1, H1};
use warnings::{FORK, INCOMPATIBLE_UNNEEDED, LICENSE_OR_GO_LINE_MISSING, TAG_PREFIX_STRIPPED, warning};

/// Judges an upload and writes the three files of the module that it is.
///
/// # Errors
/// [`InspectError::Refused`] with everything found wrong, at most 100 problems; else a fault of the storage.
pub fn inspect(
    claim: &Claim<'_>,
    input: &mut dyn ReadSeek,
    out: &mut dyn FileSink,
) -> Result<Inspection, InspectError> {
    if let Some(file) = &claim.upstream {
        return upstream::inspect(file, claim, input, out);
    }
    let mut problems = Problems::default();
    let mut directory = Directory::read(input, &mut problems)?;
    let contents = match directory.as_mut().filter(|directory| directory.is_sound) {
        Some(directory) => Contents::open(input, directory, &mut problems)?,
        None => None,
    };
    let named = Named::read(claim, &mut problems);
    let (Some(directory), Some(mut contents)) = (directory, contents) else {
        problems.settle()?;
        unreachable!("an archive that cannot be opened has a problem");
    };
    let module = Module::find(&directory, &named, &mut contents, problems)?;
    let made = module.write(&mut contents, claim, out)?;
    Ok(module.report(claim, &named, made))
}

/// A module that nothing is wrong with, but maybe damaged entries.
struct Module<'d> {
    entries: &'d [Entry],
    path: ModulePath,
    version: GoVersion,
    root: Root,
    selection: Selection<'d>,
    commit: Commit,
    coordinate: Coordinate,
}

/// What became of it.
struct Made {
    h1: String,
    go_mod_h1: String,
    provenance: Provenance,
    /// W06 and W15.
    warnings: Vec<Warning>,
    introduction: Introduction,
}

impl<'d> Module<'d> {
    fn find(
        directory: &'d Directory,
        named: &Named<'_>,
        contents: &mut Contents<'_>,
        mut problems: Problems,
    ) -> Result<Self, InspectError> {
        let entries = &directory.entries;
        let commit = Commit::read(directory.comment(), entries);
        let files: Vec<&str> =
            entries.iter().filter(|entry| entry.kind != Kind::Directory).map(|entry| &*entry.name).collect();
        let prefix = prefix::find(&files, named.wanted(commit.id.is_some()), &mut problems);
        drop(files);
        let root = Search::new(entries, &prefix.text, contents).find(named.name, named.is_fork, &mut problems)?;
        let file = root.go_mod.as_ref().map(|go_mod| &go_mod.file);
        let rule = VendorRule::of_go_line(file.and_then(|file| file.go.as_deref()));
        let selection = select(entries, &prefix.text, &root.directory, rule, &mut problems);
        let path = named.module(file.and_then(|file| file.module.as_deref()), &prefix, &mut problems);
        let version = named.version(&prefix, &mut problems);
        check_folder(named, path.as_ref(), &prefix, &mut problems);
        let coordinate = path.as_ref().zip(version.as_ref()).and_then(|(path, version)| {
            claim::check_together(path, version, file.is_some(), &mut problems);
            provenance::check_pseudo(version, &commit, &mut problems);
            coordinate(path, version, &mut problems)
        });
        problems.settle()?;
        let told = "what could not be made out was told as a problem";
        let (path, version, coordinate) = (path.expect(told), version.expect(told), coordinate.expect(told));
        Ok(Self { entries, path, version, root, selection, commit, coordinate })
    }

    fn write(
        &self,
        contents: &mut Contents<'_>,
        claim: &Claim<'_>,
        out: &mut dyn FileSink,
    ) -> Result<Made, InspectError> {
        let mut warnings = content::attributes(self.entries, contents)?;
        let mut ends = LineEnds::default();
        let mut introduction = Introduction::default();
        let readme = metadata::readme(&self.selection);
        let zip = out.create(self.file("zip", MediaType::ZIP)).map_err(InspectError::Output)?;
        let mut observe = |name: &str, start: &[u8]| {
            ends.see(start);
            introduction.see(name, start, readme);
        };
        let h1 = canonical::write(&self.selection.kept, &self.folder(), contents, zip, &mut observe)?;
        warnings.extend(ends.warning());
        let go_mod = self.go_mod_bytes();
        self.write_small("mod", MediaType::TEXT, &go_mod, out)?;
        let provenance = Provenance::of(&self.version, &self.commit, claim, self.subdirectory());
        let info = info_json(&self.version, Some(provenance.time), &provenance.origin);
        self.write_small("info", MediaType::JSON, &info, out)?;
        Ok(Made { h1, go_mod_h1: h1_go_mod(&go_mod), provenance, warnings, introduction })
    }

    fn write_small(
        &self,
        extension: &str,
        media_type: MediaType,
        bytes: &[u8],
        out: &mut dyn FileSink,
    ) -> Result<(), InspectError> {
        let written =
            out.create(self.file(extension, media_type)).and_then(|file: &mut dyn Write| file.write_all(bytes));
        written.map_err(InspectError::Output)
    }

    fn file(&self, extension: &str, media_type: MediaType) -> NewFile {
        let path = address(&self.path, &self.version, extension);
        let path = FilePath::try_from(path.as_str()).expect("the length was checked with the coordinate");
        NewFile { path, name: format!("{}.{extension}", self.version), media_type }
    }

    fn go_mod_bytes(&self) -> Vec<u8> {
        match &self.root.go_mod {
            Some(go_mod) => go_mod.bytes.clone(),
            None => synthesise(self.path.as_str()).into_bytes(),
        }
    }

    fn mod_file(&self) -> Option<(&ModFile, &[u8])> {
        self.root.go_mod.as_ref().map(|go_mod| (&go_mod.file, go_mod.bytes.as_slice()))
    }

    /// The folder in the zip that holds everything.
    fn folder(&self) -> String {
        format!("{}@{}/", self.path, self.version)
    }

    /// The directory in the repository, without slash.
    fn subdirectory(&self) -> &str {
        self.root.directory.trim_end_matches('/')
    }

    fn report(self, claim: &Claim<'_>, named: &Named<'_>, made: Made) -> Inspection {
        let metadata = self.metadata(&made);
        let zip = format!("{}.zip", self.version);
        let about = made.introduction.clone().about(&metadata, self.path.as_str(), zip, &self.folder());
        let mut warnings = self.warnings(named, &metadata);
        warnings.extend(made.provenance.warnings);
        warnings.extend(made.warnings);
        // In the order of the specification, wherever each was found.
        warnings.sort_by_key(|warning| warnings::position(&warning.code));
        Inspection {
            extent: Extent::Whole,
            content: takeover::content(&made.h1, &made.go_mod_h1),
            purl: purl(&self.path, &self.version),
            checksums: BTreeMap::from([(H1.to_owned(), made.h1), (GO_MOD_H1.to_owned(), made.go_mod_h1)]),
            dependencies: dependencies(&metadata),
            labels: labels(&self.commit, claim),
            metadata: metadata.to_value(),
            coordinate: self.coordinate,
            warnings,
            about,
        }
    }

    fn metadata(&self, made: &Made) -> Metadata {
        let mut metadata = Metadata {
            has_go_mod: self.mod_file().is_some_and(|(_, bytes)| !is_synthesised(bytes, self.path.as_str())),
            commit: self.commit.id.clone(),
            time: time_text(made.provenance.time),
            time_source: made.provenance.source,
            origin: Some(made.provenance.origin.clone()).filter(|origin| *origin != Origin::default()),
            subdirectory: Some(self.subdirectory().to_owned()).filter(|directory| !directory.is_empty()),
            ..Metadata::default()
        };
        if let Some((file, _)) = self.mod_file() {
            metadata.describe_go_mod(file);
        }
        metadata.describe_files(&self.selection, self.path.as_str());
        metadata
    }

    fn warnings(&self, named: &Named<'_>, metadata: &Metadata) -> Vec<Warning> {
        let mut warnings = warnings::of_selection(&self.selection);
        if let Some(prefix) = named.tag_prefix {
            let text = format!("\"{}\" was cut off the version; it is published as {}", shown(prefix), self.version);
            warnings.push(warning(TAG_PREFIX_STRIPPED, text));
        }
        warnings.extend(warnings::of_go_mod(self.mod_file(), self.path.as_str()));
        if metadata.licenses.is_empty() {
            warnings.push(warning(LICENSE_OR_GO_LINE_MISSING, "the module has no LICENSE at its root"));
        }
        let declared = self.mod_file().and_then(|(file, _)| file.module.as_deref());
        if let Some(declared) = declared.filter(|declared| *declared != self.path.as_str()) {
            let text = format!("go.mod declares {}: this version can be used through 'replace' only", shown(declared));
            warnings.push(warning(FORK, text));
        }
        if self.version.is_incompatible() && matches!(self.version.major(), "v0" | "v1") {
            let text = "+incompatible is for v2 and above: nothing will ever choose this version by itself";
            warnings.push(warning(INCOMPATIBLE_UNNEEDED, text));
        }
        warnings
    }
}

/// A folder in the archive that names a whole path must name that of go.mod, where no other was given.
fn check_folder(named: &Named<'_>, path: Option<&ModulePath>, prefix: &Prefix, problems: &mut Problems) {
    let (Some(path), Some(folder), None) = (path, &prefix.module, named.name) else { return };
    if folder != path {
        let detail = format!("the archive's folder names {folder}, its go.mod {path}");
        problems.push(Problem::new(&PREFIX_MISMATCH, detail).field("name").path(shown(&prefix.text)));
    }
}

/// Package and version as the platform keeps them, if they and their addresses are not too long.
fn coordinate(path: &ModulePath, version: &GoVersion, problems: &mut Problems) -> Option<Coordinate> {
    let package = PackageName::try_from(path.as_str());
    let version_name = VersionName::try_from(version.as_str());
    let address = FilePath::try_from(address(path, version, "info").as_str());
    match (package, version_name, address) {
        (Ok(package), Ok(version), Ok(_)) => Some(Coordinate { package, version }),
        _ => {
            let detail = format!("{}@{} is too long", shown(path.as_str()), shown(version.as_str()));
            problems.push(
                Problem::new(&MODULE_PATH_INVALID, detail).field("name").hint("Choose a shorter path or version."),
            );
            None
        }
    }
}

/// The package URL of a version.
fn purl(path: &ModulePath, version: &GoVersion) -> String {
    // Of the letters of a canonical version only `+` has a meaning in an address.
    format!("pkg:golang/{path}@{}", version.as_str().replace('+', "%2B"))
}

/// What a version needs.
fn dependencies(metadata: &Metadata) -> Vec<Dependency> {
    let dependency = |require: &metadata::Requirement| Dependency {
        package: require.path.clone(),
        version: require.version.clone(),
        kind: if require.indirect { "indirect".to_owned() } else { String::new() },
    };
    metadata.requires.iter().take(GO_MOD_LIST).map(dependency).collect()
}

/// Where clients ask for a file of a version.
fn address(path: &ModulePath, version: &GoVersion, extension: &str) -> String {
    format!("{}/@v/{}.{extension}", path.escaped(), escape_version(version.as_str()))
}

/// The commit, and the names given at upload, each once.
fn labels(commit: &Commit, claim: &Claim<'_>) -> Vec<(LabelKind, String)> {
    let mut labels: Vec<_> = commit.id.iter().map(|id| (LabelKind::Commit, id.clone())).collect();
    for label in claim.labels {
        let label = (LabelKind::Name, label.clone());
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}
