//! Files of upstreams, good and bad.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};

use jiff::Timestamp;
use keeper_core::artifact::{Extent, FilePath, LabelKind};
use keeper_core::error::Failure;
use keeper_core::format::{Claim, FileSink, InspectError, Inspection, NewFile, Recorded, UpstreamFile};
use keeper_core::repository::Settings;
use serde_json::json;

use crate::inspect::inspect;
use crate::inspect::raw_zip::{RawEntry, RawZip};
use crate::limits::{GO_MOD_BYTES, LICENSE_BYTES, UPSTREAM_INFO_BYTES};
use crate::testing::coordinate;

const GO_MOD_H1: &str = "h1:hMYnDhGnDX+LM6Dm6IXUXPU9+J590fW/Sn0EH6Q94To=";

/// Keeps what is kept as it came.
#[derive(Default)]
struct Sink(Vec<NewFile>);

impl FileSink for Sink {
    fn create(&mut self, file: NewFile) -> io::Result<&mut dyn Write> {
        panic!("{} is kept as it is", file.name)
    }

    fn keep(&mut self, file: NewFile) -> io::Result<()> {
        self.0.push(file);
        Ok(())
    }
}

/// A version, what is recorded of it, and what an upstream sends for a file of it.
struct Copy<'a> {
    module: &'a str,
    version: &'a str,
    recorded: Recorded,
}

impl Copy<'_> {
    fn usual() -> Self {
        Self { module: "ex.com/m", version: "v1.0.0", recorded: Recorded::default() }
    }

    fn inspect(&self, extension: &str, bytes: &[u8]) -> Result<Inspection, Failure> {
        let path = format!("{}/@v/{}.{extension}", self.module, self.version);
        let path = FilePath::try_from(path.as_str()).expect("short");
        let coordinate = coordinate(self.module, self.version);
        let claim = Claim {
            name: None,
            version: None,
            labels: &[],
            origin_url: None,
            origin_ref: None,
            fields: &BTreeMap::new(),
            received_at: Timestamp::UNIX_EPOCH,
            size: bytes.len() as u64,
            settings: &Settings::default(),
            upstream: Some(UpstreamFile { path: &path, coordinate: &coordinate, recorded: &self.recorded }),
        };
        let mut sink = Sink::default();
        match inspect(&claim, &mut Cursor::new(bytes), &mut sink) {
            Ok(inspection) => {
                let kept: Vec<_> = sink.0.iter().map(|file| (&file.path, file.name.clone())).collect();
                assert_eq!(kept, [(&path, format!("{}.{extension}", self.version))]);
                assert_eq!((inspection.extent, &inspection.coordinate), (Extent::Part, &coordinate));
                Ok(inspection)
            }
            Err(InspectError::Refused(failure)) => {
                assert!(sink.0.is_empty(), "nothing is kept of what is refused");
                Err(failure)
            }
            Err(fault) => panic!("memory does not fail: {fault:?}"),
        }
    }

    fn code(&self, extension: &str, bytes: &[u8]) -> &'static str {
        self.inspect(extension, bytes).map_or_else(|failure| failure.code().name, |_| "ok")
    }
}

fn entry(name: &str, content: &str) -> RawEntry {
    RawEntry::new(format!("ex.com/m@v1.0.0/{name}"), content)
}

fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    RawZip::of(entries.iter().map(|(name, content)| entry(name, content))).bytes()
}

#[test]
fn an_info_names_the_version_that_was_asked_for() {
    let rows: [(&[u8], &str); 6] = [
        (br#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z"}"#, "ok"),
        (br#"{"Version":"v1.0.0"}"#, "ok"),
        // 96, K15
        (br#"{"Version":"v1.0.1"}"#, "upstream_invalid"),
        (b"<html>login</html>", "upstream_invalid"),
        (b"", "upstream_invalid"),
        (br#"{"Version":"v1.0.0","Time":"soon"}"#, "upstream_invalid"),
    ];
    for (bytes, code) in rows {
        assert_eq!(Copy::usual().code("info", bytes), code, "{}", String::from_utf8_lossy(bytes));
    }
    // K16
    let large = format!(r#"{{"Version":"v1.0.0","x":"{}"}}"#, "x".repeat(UPSTREAM_INFO_BYTES as usize));
    assert_eq!(Copy::usual().code("info", large.as_bytes()), "upstream_too_large");
}

#[test]
fn an_info_tells_time_and_origin() {
    let commit = "0a1b2c3d".repeat(5);
    let info = format!(
        r#"{{"Version":"v1.0.0","Time":"2024-03-04T05:06:07+02:00","Origin":{{"VCS":"git","Hash":"{commit}","TagSum":"t1:x"}}}}"#
    );
    let found = Copy::usual().inspect("info", info.as_bytes()).expect("good");
    let wanted = json!({
        "time": "2024-03-04T03:06:07Z", "time_source": "upstream", "commit": commit,
        "origin": { "VCS": "git", "Hash": commit },
    });
    assert_eq!(found.metadata, wanted);
    assert_eq!(found.labels, [(LabelKind::Commit, commit)]);
    assert!(found.checksums.is_empty());
    let pseudo = "v0.0.0-20191109021931-daa7c04131f5";
    let copy = Copy { version: pseudo, ..Copy::usual() };
    let found = copy.inspect("info", format!(r#"{{"Version":"{pseudo}"}}"#).as_bytes()).expect("good");
    assert_eq!(found.metadata, json!({ "time": "2019-11-09T02:19:31Z", "time_source": "pseudo_version" }));
    let found = Copy::usual().inspect("info", br#"{"Version":"v1.0.0"}"#).expect("good");
    assert_eq!(found.metadata["time"], "");
}

#[test]
fn a_go_mod_is_kept_with_its_sum_and_what_it_says() {
    let text = "module ex.com/m\n\ngo 1.21\n\nrequire x.y/z v1.0.0 // indirect\n\nretract v0.9.0 // lost data\n";
    let found = Copy::usual().inspect("mod", text.as_bytes()).expect("good");
    assert_eq!(found.metadata["has_go_mod"], true);
    assert_eq!(found.metadata["retracts"], json!([{"low": "v0.9.0", "high": "v0.9.0", "rationale": "lost data"}]));
    assert_eq!((found.dependencies[0].package.as_str(), found.dependencies[0].kind.as_str()), ("x.y/z", "indirect"));
    assert!(found.metadata.get("time").is_none() && found.metadata.get("files").is_none(), "{}", found.metadata);
    let plain = Copy::usual().inspect("mod", b"module ex.com/m\n").expect("good");
    assert_eq!(plain.checksums, BTreeMap::from([("go.mod h1".to_owned(), GO_MOD_H1.to_owned())]));
    assert_eq!(plain.metadata["has_go_mod"], false);
    // A fork that is used through replace.
    let fork = Copy::usual().inspect("mod", b"module github.com/other/m\n").expect("good");
    assert_eq!((fork.warnings.len(), fork.purl.as_str()), (0, "pkg:golang/ex.com/m@v1.0.0"));
}

#[test]
fn doubts_about_a_go_mod_are_left_to_who_can_tell() {
    for text in ["<html>\n", "require (\n", "module a.b/c\nrequire x.y/z master\n"] {
        let found = Copy::usual().inspect("mod", text.as_bytes()).expect("kept for now");
        assert_eq!(found.warnings[0].code, "go_mod_unreadable", "{text}");
        assert_eq!(found.checksums.len(), 1);
    }
    let metadata = json!({ "go_mod_h1_in_zip": GO_MOD_H1 });
    let copy = Copy { recorded: Recorded { metadata, ..Recorded::default() }, ..Copy::usual() };
    assert!(copy.inspect("mod", b"module ex.com/m\n").expect("the same").warnings.is_empty());
    assert_eq!(copy.inspect("mod", b"module ex.com/n\n").expect("another").warnings[0].code, "go_mod_differs");
    let large = format!("module ex.com/m\n//{}", "x".repeat(GO_MOD_BYTES as usize));
    assert_eq!(Copy::usual().code("mod", large.as_bytes()), "upstream_too_large");
}

#[test]
fn a_zip_is_kept_with_the_sum_that_go_has_for_it() {
    let found = Copy::usual().inspect("zip", &zip(&[("go.mod", "module ex.com/m\n"), ("a.go", "package a\n")]));
    let found = found.expect("good");
    assert_eq!(found.checksums["h1"], "h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ=");
    assert_eq!(found.checksums.len(), 1, "the sum of go.mod is that of .mod");
    assert_eq!(found.metadata["go_mod_h1_in_zip"], GO_MOD_H1);
    assert_eq!((&found.metadata["files"], &found.metadata["packages"]), (&json!(2), &json!(["ex.com/m"])));
    // Folders are legal and part of the sum.
    let folders =
        Copy::usual().inspect("zip", &zip(&[("", ""), ("go.mod", "module ex.com/m\n"), ("a.go", "package a\n")]));
    assert_eq!(folders.expect("good").checksums["h1"], "h1:e+bIsM46t64GThZKygRhztxDYGk97m2odb6VvALFZH8=");
    // Without go.mod the made-up one counts.
    let none = Copy::usual().inspect("zip", &zip(&[("a.go", "package a\n")])).expect("good");
    assert_eq!(none.checksums["h1"], "h1:WQ55TnrJRREvzfA8xQQZ+cs0fAZTC9aDcraW8Pi+gSY=");
    assert_eq!((&none.metadata["go_mod_h1_in_zip"], &none.metadata["has_go_mod"]), (&json!(GO_MOD_H1), &json!(false)));
}

#[test]
fn a_zip_tells_what_people_read() {
    let files = [
        ("README.md", "# Ring\n\nA buffer.\n"),
        ("go.mod", "module ex.com/m\n\ngo 1.20\n"),
        ("doc.go", "// Package m has a ring. It turns.\npackage m\n"),
        ("LICENSE", "MIT\n"),
        ("vendor/x/y.go", "package x\n"),
    ];
    let found = Copy::usual().inspect("zip", &zip(&files)).expect("good");
    assert_eq!(found.about.description, "Package m has a ring.");
    let readme = found.about.readme.expect("a README");
    assert_eq!((readme.file.as_str(), readme.entry.as_str()), ("v1.0.0.zip", "ex.com/m@v1.0.0/README.md"));
    assert_eq!((&found.metadata["licenses"], &found.metadata["go"]), (&json!(["LICENSE"]), &json!("1.20")));
}

#[test]
fn a_zip_that_go_would_not_unpack_is_invalid() {
    let go_mod = ("go.mod", "module ex.com/m\n");
    let rows: [(&str, Vec<u8>); 16] = [
        ("a page", b"<html>login</html>".to_vec()),
        ("nothing", Vec::new()),
        ("cut", {
            let whole = zip(&[go_mod]);
            whole[..whole.len() / 2].to_vec()
        }),
        ("other version", RawZip::of([RawEntry::new("ex.com/m@v1.0.1/go.mod", "")]).bytes()),
        ("other module", RawZip::of([RawEntry::new("ex.com/n@v1.0.0/go.mod", "")]).bytes()),
        ("beside the folder", RawZip::of([entry("go.mod", ""), RawEntry::new("x", "")]).bytes()),
        ("nested go.mod", zip(&[go_mod, ("s/go.mod", "module ex.com/m/s\n")])),
        ("nested Go.Mod", zip(&[go_mod, ("s/Go.Mod", "")])),
        ("root Go.mod", zip(&[("Go.mod", "module ex.com/m\n")])),
        ("case", zip(&[go_mod, ("a.go", ""), ("A.go", "")])),
        ("case of folders", zip(&[go_mod, ("x/", ""), ("X/a", "")])),
        ("file and folder", zip(&[go_mod, ("x", ""), ("x/", "")])),
        ("twice", zip(&[go_mod, ("a.go", ""), ("a.go", "")])),
        ("device", zip(&[go_mod, ("con.go", "")])),
        ("unclean", zip(&[go_mod, ("../x", "")])),
        ("only folders", zip(&[("", ""), ("x/", "")])),
    ];
    for (what, bytes) in rows {
        assert_eq!(Copy::usual().code("zip", &bytes), "upstream_invalid", "{what}");
    }
    let failure = Copy::usual().inspect("zip", &zip(&[("con.go", ""), ("aux", "")])).expect_err("two devices");
    assert!(failure.cause.as_deref().is_some_and(|cause| cause.contains("con.go") && cause.contains("1 more")));
    assert!(!failure.first().detail.contains("con.go"), "what an upstream sends is for the log");
}

#[test]
fn a_zip_of_uneven_sums_or_sizes_is_refused() {
    let mut damaged = zip(&[("go.mod", "module ex.com/m\n"), ("a.go", "package a\n")]);
    let at = damaged.windows(9).position(|bytes| bytes == b"package a").expect("it is stored");
    damaged[at] = b'q';
    assert_eq!(Copy::usual().code("zip", &damaged), "upstream_invalid");
    let zeros = |name: &str, size: u64| RawEntry { is_deflated: true, ..entry(name, &"\0".repeat(size as usize)) };
    let zip = |entry: RawEntry| RawZip::of([entry]).bytes();
    assert_eq!(Copy::usual().code("zip", &zip(zeros("LICENSE", LICENSE_BYTES))), "ok");
    assert_eq!(Copy::usual().code("zip", &zip(zeros("LICENSE", LICENSE_BYTES + 1))), "upstream_too_large");
    assert_eq!(Copy::usual().code("zip", &zip(zeros("go.mod", GO_MOD_BYTES + 1))), "upstream_too_large");
}

#[test]
fn another_go_mod_than_the_recorded_one_is_a_doubt() {
    let checksums = BTreeMap::from([("go.mod h1".to_owned(), GO_MOD_H1.to_owned())]);
    let copy = Copy { recorded: Recorded { checksums, ..Recorded::default() }, ..Copy::usual() };
    let same = copy.inspect("zip", &zip(&[("go.mod", "module ex.com/m\n")])).expect("the same");
    assert!(same.warnings.is_empty() && same.metadata.get("has_go_mod").is_none(), "{}", same.metadata);
    assert!(copy.inspect("zip", &zip(&[("a.go", "")])).expect("the one made up").warnings.is_empty());
    let other = copy.inspect("zip", &zip(&[("go.mod", "module ex.com/n\n")])).expect("kept for now");
    assert_eq!(other.warnings[0].code, "go_mod_differs");
}

#[test]
fn what_cannot_be_a_version_of_the_module_is_not_taken_from_anyone() {
    let rows = [
        ("ex.com/m", "v2.0.0", "upstream_invalid"),
        ("ex.com/m/v2", "v1.0.0", "upstream_invalid"),
        ("ex.com/m", "v2.0.0+incompatible", "ok"),
        // Old caches hold some.
        ("ex.com/m", "v1.0.0+incompatible", "ok"),
        ("golang.org/toolchain", "v0.0.1-go1.21.0.linux-amd64", "ok"),
    ];
    for (module, version, code) in rows {
        let info = format!(r#"{{"Version":"{version}"}}"#);
        assert_eq!(Copy { module, version, ..Copy::usual() }.code("info", info.as_bytes()), code, "{module} {version}");
    }
}
