//! From an upstream's file to a part of a version: judged, and kept as it is.
//!
//! ```text
//! ex.com/m/@v/v1.0.0.info    JSON that names this version                          time, origin
//! ex.com/m/@v/v1.0.0.mod     a go.mod that dependants can read                     sum "go.mod h1", what it says
//! ex.com/m/@v/v1.0.0.zip     all below ex.com/m@v1.0.0/, as Go unpacks it          sum "h1", files, README
//! ```
//!
//! The `module` line may name another module: forks that are used through `replace` legitimately do. Two doubts are
//! left to [`crate::confirm`], since the checksum database may know better: a `go.mod` that does not read, and one
//! that is not the one in the zip. They travel as warnings.
//!
//! Units and bounds: [`UPSTREAM_INFO_BYTES`], [`GO_MOD_BYTES`],
//! [`MODULE_BYTES`].
//! Errors: `upstream_invalid`, `upstream_too_large`; a fault of the storage is neither.
//! Sources: `checkZip` in `golang.org/x/mod/zip`; `(*proxyRepo).Stat` in `cmd/go/internal/modfetch`.

use std::collections::BTreeMap;

use keeper_core::artifact::{ContentId, Dependency, Extent, LabelKind, Warning};
use keeper_core::blob::ReadSeek;
use keeper_core::catalog::About;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Claim, FileSink, InspectError, Inspection, NewFile, UpstreamFile};
use keeper_core::media_type::MediaType;
use serde_json::Value;

use super::metadata::{Metadata, Part, TimeSource};
use super::warnings::{GO_MOD_DIFFERS, GO_MOD_UNREADABLE, warning};
use super::{dependencies, purl};
use crate::absent::shown;
use crate::dirhash::h1_go_mod;
use crate::info::{ForeignInfo, time_text};
use crate::limits::{GO_MOD_BYTES, MODULE_BYTES, UPSTREAM_INFO_BYTES};
use crate::merge::{info_failure, invalid};
use crate::modfile::{self, ModFile, is_synthesised};
use crate::path::{ModulePath, check_major};
use crate::pseudo::PseudoVersion;
use crate::version::GoVersion;

#[cfg(test)]
mod tests;
mod zip;

/// The name under which the sum of a zip is recorded.
pub const H1: &str = "h1";
/// The name under which the sum of a `go.mod` is recorded.
pub const GO_MOD_H1: &str = "go.mod h1";

/// Judges an upstream's file and keeps it.
///
/// # Errors
/// [`InspectError::Refused`] with what is wrong with it, else a fault of the storage.
pub(super) fn inspect(
    file: &UpstreamFile<'_>,
    claim: &Claim<'_>,
    input: &mut dyn ReadSeek,
    out: &mut dyn FileSink,
) -> Result<Inspection, InspectError> {
    let asked = Asked::read(file)?;
    let (limit_bytes, media_type) = match asked.extension {
        "info" => (UPSTREAM_INFO_BYTES, MediaType::JSON),
        "mod" => (GO_MOD_BYTES, MediaType::TEXT),
        _ => (MODULE_BYTES, MediaType::ZIP),
    };
    if claim.size > limit_bytes {
        return Err(too_large(&format!("{} bytes; at most {limit_bytes} are accepted", claim.size)).into());
    }
    let found = match asked.extension {
        "info" => asked.info(&read(input)?)?,
        "mod" => asked.go_mod(&read(input)?),
        _ => zip::judge(&asked, input)?,
    };
    let name = format!("{}.{}", asked.version, asked.extension);
    out.keep(NewFile { path: file.path.clone(), name, media_type }).map_err(InspectError::Output)?;
    Ok(Inspection {
        coordinate: file.coordinate.clone(),
        extent: Extent::Part,
        content: ContentId(String::new()),
        purl: purl(&asked.module, &asked.version),
        checksums: found.checksums,
        metadata: found.metadata,
        dependencies: found.dependencies,
        labels: found.labels,
        warnings: found.warnings,
        about: found.about,
    })
}

fn too_large(cause: &str) -> Failure {
    Failure::new(&codes::UPSTREAM_TOO_LARGE, codes::UPSTREAM_TOO_LARGE.title).caused_by(cause)
}

fn read(input: &mut dyn ReadSeek) -> Result<Vec<u8>, InspectError> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(InspectError::Input)?;
    Ok(bytes)
}

/// What was asked for, understood, with what is known of it.
struct Asked<'a> {
    module: ModulePath,
    version: GoVersion,
    /// `info`, `mod` or `zip`.
    extension: &'a str,
    checksums: &'a BTreeMap<String, String>,
    recorded: Metadata,
}

/// What a file turned out to be.
#[derive(Default)]
struct Found {
    checksums: BTreeMap<String, String>,
    metadata: Value,
    dependencies: Vec<Dependency>,
    labels: Vec<(LabelKind, String)>,
    warnings: Vec<Warning>,
    about: About,
}

impl<'a> Asked<'a> {
    fn read(file: &UpstreamFile<'a>) -> Result<Self, Failure> {
        let foreign = |fault: String| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(fault);
        let extension = file.path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension);
        if !matches!(extension, "info" | "mod" | "zip") {
            return Err(foreign(format!("{} is no file of a module", file.path)));
        }
        let module = ModulePath::parse(file.coordinate.package.as_str()).map_err(|fault| foreign(fault.to_string()))?;
        let version = GoVersion::parse(file.coordinate.version.as_str()).map_err(|fault| foreign(fault.to_string()))?;
        check_major(&module, &version).map_err(|fault| invalid("file of this module", fault))?;
        let recorded = Metadata::of(&file.recorded.metadata);
        Ok(Self { module, version, extension, checksums: &file.recorded.checksums, recorded })
    }

    fn info(&self, bytes: &[u8]) -> Result<Found, Failure> {
        let info = ForeignInfo::read(bytes).map_err(|fault| info_failure(&fault))?;
        if info.version != self.version {
            let cause = format!("it names {}, asked was {}", shown(info.version.as_str()), self.version);
            return Err(invalid(".info of this version", cause));
        }
        let of_pseudo = || PseudoVersion::parse(&self.version)?.time.ok().map(|time| (time, TimeSource::PseudoVersion));
        let time = info.time.map(|time| (time, TimeSource::Upstream)).or_else(of_pseudo);
        let is_commit = |hash: &&String| matches!(hash.len(), 40 | 64) && hash.bytes().all(is_hex);
        let commit = info.origin.as_ref().and_then(|origin| origin.hash.as_ref()).filter(is_commit).cloned();
        let metadata = Metadata {
            time: time.map(|(time, _)| time_text(time)).unwrap_or_default(),
            time_source: time.map_or(TimeSource::Upstream, |(_, source)| source),
            origin: info.origin,
            commit: commit.clone(),
            ..Metadata::default()
        };
        let labels = commit.into_iter().map(|commit| (LabelKind::Commit, commit)).collect();
        Ok(Found { metadata: metadata.part(Part::Info), labels, ..Found::default() })
    }

    fn go_mod(&self, bytes: &[u8]) -> Found {
        let h1 = h1_go_mod(bytes);
        let mut found = self.described(bytes);
        if self.recorded.go_mod_h1_in_zip.as_ref().is_some_and(|in_zip| *in_zip != h1) {
            found.warnings.push(differs());
        }
        found.checksums.insert(GO_MOD_H1.to_owned(), h1);
        found
    }

    /// What a `go.mod` says, as far as dependants can read it.
    fn described(&self, bytes: &[u8]) -> Found {
        // A page of a web site reads as directives that nobody knows, but has no module line.
        let fault = match modfile::parse(bytes) {
            Ok(file) if file.module.is_some() => return self.said(bytes, &file),
            Ok(_) => "it has no module line".to_owned(),
            Err(faults) => faults.first().map(ToString::to_string).unwrap_or_default(),
        };
        let text = format!("no dependant can read go.mod: {}", shown(&fault));
        Found { warnings: vec![warning(GO_MOD_UNREADABLE, text)], ..Found::default() }
    }

    fn said(&self, bytes: &[u8], file: &ModFile) -> Found {
        let mut metadata = Metadata { has_go_mod: !is_synthesised(bytes, self.module.as_str()), ..Metadata::default() };
        metadata.describe_go_mod(file);
        Found { dependencies: dependencies(&metadata), metadata: metadata.part(Part::GoMod), ..Found::default() }
    }

    /// The folder in the zip that holds everything.
    fn folder(&self) -> String {
        format!("{}@{}/", self.module, self.version)
    }
}

fn differs() -> Warning {
    warning(GO_MOD_DIFFERS, "the go.mod in the zip is not the one that is given out")
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
