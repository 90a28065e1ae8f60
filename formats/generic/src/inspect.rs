//! Takes an upload, or a copy of an upstream's file: the bytes are kept as they are, under the address that the claim
//! names, or that was asked for.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};

use keeper_core::artifact::{ContentId, Coordinate, Extent};
use keeper_core::blob::ReadSeek;
use keeper_core::catalog::About;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::format::{Claim, FileSink, InspectError, Inspection, NewFile};
use keeper_core::limits::IO_CHUNK_BYTES;

use crate::error::FILE_PATH_MISSING;
use crate::{PATH_FIELD, media, names};

/// Judges the claim and passes the bytes on.
///
/// # Errors
/// All that is wrong with the names at once, or a fault of the storage.
pub fn inspect(
    claim: &Claim<'_>,
    input: &mut dyn ReadSeek,
    out: &mut dyn FileSink,
) -> Result<Inspection, InspectError> {
    let coordinate = match &claim.upstream {
        Some(asked) => {
            let Coordinate { package, version } = asked.coordinate;
            let file = asked.path.as_str().strip_prefix(&format!("{package}/{version}/")).ok_or_else(foreign)?;
            let new = NewFile { path: asked.path.clone(), name: file.to_owned(), media_type: media::of(file) };
            out.keep(new).map_err(InspectError::Output)?;
            asked.coordinate.clone()
        }
        None => {
            let (coordinate, file) = named(claim)?;
            let path = names::address(&coordinate, file)?;
            let new = NewFile { path, name: file.to_owned(), media_type: media::of(file) };
            copy(input, out.create(new).map_err(InspectError::Output)?)?;
            coordinate
        }
    };
    Ok(Inspection {
        extent: Extent::Part,
        content: ContentId(String::new()),
        purl: format!("pkg:generic/{}@{}", coordinate.package, purl_version(&coordinate)),
        coordinate,
        checksums: BTreeMap::new(),
        metadata: serde_json::json!({}),
        dependencies: Vec::new(),
        labels: claim.labels.iter().map(|label| (keeper_core::artifact::LabelKind::Name, label.clone())).collect(),
        warnings: Vec::new(),
        about: About::default(),
    })
}

/// An address that no route of this format has.
fn foreign() -> Failure {
    Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("an upstream's file outside its version")
}

/// A `+` has a meaning of its own in addresses (package URL specification, "character encoding").
fn purl_version(coordinate: &Coordinate) -> String {
    coordinate.version.as_str().replace('+', "%2B")
}

fn named<'a>(claim: &'a Claim<'_>) -> Result<(Coordinate, &'a str), Failure> {
    let mut problems = Vec::new();
    let mut keep = |problem: Problem| problems.push(problem);
    let missing = |code, field: &str| Problem::new(code, format!("the field {field:?} is missing")).field(field);
    let package = claim.name.ok_or_else(|| missing(&codes::NAME_MISSING, "name")).and_then(names::package);
    let version = claim.version.ok_or_else(|| missing(&codes::VERSION_MISSING, "version")).and_then(names::version);
    let file = claim.fields.get(PATH_FIELD).map(String::as_str);
    let file = file.ok_or_else(|| missing(&FILE_PATH_MISSING, PATH_FIELD)).and_then(names::file);
    let (package, version) = (package.map_err(&mut keep).ok(), version.map_err(&mut keep).ok());
    match (package, version, file.map_err(keep).ok(), Failure::from_problems(problems)) {
        (Some(package), Some(version), Some(file), None) => Ok((Coordinate { package, version }, file)),
        (.., Some(failure)) => Err(failure),
        _ => Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a name is lost without a problem")),
    }
}

/// `io::copy` cannot tell which side failed; the caller is told different things.
fn copy(input: &mut dyn ReadSeek, out: &mut dyn Write) -> Result<(), InspectError> {
    let mut buffer = vec![0; IO_CHUNK_BYTES];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => out.write_all(&buffer[..read]).map_err(InspectError::Output)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(InspectError::Input(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use jiff::Timestamp;
    use keeper_core::repository::Settings;

    use super::*;

    #[derive(Default)]
    struct Kept(Vec<(String, Vec<u8>)>);

    impl FileSink for Kept {
        fn keep(&mut self, file: NewFile) -> io::Result<()> {
            self.create(file).map(drop)
        }

        fn create(&mut self, file: NewFile) -> io::Result<&mut dyn Write> {
            self.0.push((format!("{} {}", file.path, file.media_type.as_str()), Vec::new()));
            Ok(&mut self.0.last_mut().expect("it was just put there").1)
        }
    }

    fn inspected(
        name: Option<&str>,
        version: Option<&str>,
        path: Option<&str>,
    ) -> Result<(Inspection, Kept), Vec<&'static str>> {
        let fields = path.map(|path| (PATH_FIELD.to_owned(), path.to_owned())).into_iter().collect();
        let claim = Claim {
            name,
            version,
            labels: &["stable".to_owned()],
            origin_url: None,
            origin_ref: None,
            fields: &fields,
            received_at: Timestamp::UNIX_EPOCH,
            size: 5,
            settings: &Settings::default(),
            upstream: None,
        };
        let mut kept = Kept::default();
        match inspect(&claim, &mut Cursor::new(b"bytes"), &mut kept) {
            Ok(inspection) => Ok((inspection, kept)),
            Err(InspectError::Refused(failure)) => Err(failure.problems().map(|problem| problem.code.name).collect()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn bytes_are_kept_under_their_address() {
        let (inspection, kept) = inspected(Some("tool"), Some("1.2+x"), Some("linux/tool.gz")).expect("kept");
        assert_eq!(kept.0, [("tool/1.2+x/linux/tool.gz application/gzip".to_owned(), b"bytes".to_vec())]);
        assert_eq!((inspection.extent, inspection.purl.as_str()), (Extent::Part, "pkg:generic/tool@1.2%2Bx"));
        assert_eq!(inspection.labels.len(), 1);
    }

    #[test]
    fn an_upstreams_file_is_kept_under_the_address_that_was_asked_for() {
        let version = |text| keeper_core::artifact::VersionName::try_from(text).expect("a version");
        let coordinate = Coordinate { package: names::package("tool").expect("a name"), version: version("1.0") };
        let recorded = keeper_core::format::Recorded::default();
        for (path, wanted) in [("tool/1.0/linux/tool.gz", Some("linux/tool.gz")), ("tool/1.1/tool.gz", None)] {
            let path = keeper_core::artifact::FilePath::try_from(path).expect("short");
            let claim = Claim {
                name: None,
                version: None,
                labels: &[],
                origin_url: None,
                origin_ref: None,
                fields: &BTreeMap::new(),
                received_at: Timestamp::UNIX_EPOCH,
                size: 5,
                settings: &Settings::default(),
                upstream: Some(keeper_core::format::UpstreamFile {
                    path: &path,
                    coordinate: &coordinate,
                    recorded: &recorded,
                }),
            };
            let mut kept = Kept::default();
            let inspection = inspect(&claim, &mut Cursor::new(b"bytes"), &mut kept);
            assert_eq!(inspection.as_ref().ok().map(|found| &found.coordinate), wanted.map(|_| &coordinate), "{path}");
            let media_type = format!("{path} application/gzip");
            assert_eq!(kept.0, wanted.map(|_| (media_type, Vec::new())).into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_faults_of_the_names_are_told_at_once() {
        let faults = |name, version, path| inspected(name, version, path).map(|_| ()).expect_err("refused");
        assert_eq!(faults(None, None, None), ["name_missing", "version_missing", "file_path_missing"]);
        assert_eq!(
            faults(Some("a/b"), Some(""), Some("../x")),
            ["package_name_invalid", "version_name_invalid", "file_path_invalid"]
        );
    }
}
