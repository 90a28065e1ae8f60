//! Publishing from the browser.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use super::{publish, scenario, server, server_with};
use crate::harness::archives::{self, zip};
use crate::harness::machine::Machine;

const M: &str = "github.com/yourcompany/mymodule";

/// A module's zip in a file.
fn file(folder: &TempDir, name: &str, module: &str, more: &[(&str, &[u8])]) -> PathBuf {
    let go_mod = format!("module {module}\n\ngo 1.21\n");
    let files = [&[("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n".as_slice())], more].concat();
    let path = folder.path().join(name);
    fs::write(&path, zip(&files)).expect("a fresh folder");
    path
}

#[test]
fn a_module_is_checked_published_and_used() {
    let (server, folder) = (server(), tempfile::tempdir().expect("a folder"));
    let go_mod = format!("module {M}\n\ngo 1.21\n");
    // In the short folder of the guide, with what modules do not hold.
    let noise = archives::noise(400_000);
    let files: [(&str, &[u8]); 5] = [
        ("mymodule@v1.0.0/go.mod", go_mod.as_bytes()),
        ("mymodule@v1.0.0/m.go", b"package m\n"),
        ("mymodule@v1.0.0/data.bin", &noise),
        ("mymodule@v1.0.0/vendor/x.y/z/z.go", b"package z\n"),
        ("mymodule@v1.0.0/vendor/modules.txt", b""),
    ];
    let file = folder.path().join("good.zip");
    fs::write(&file, archives::stored(&files)).expect("a fresh folder");
    let findings = [("dropped", "vendor"), ("warning", "no LICENSE")];
    let facts = json!({"file": file, "name": M, "version": "v1.0.0", "findings": findings});
    scenario(&server, "publish/good", &facts);
    let machine = Machine::of_a_user_of(&server);
    machine.go(&machine.project("app"), &format!("get {M}@v1.0.0")).succeeded();
}

#[test]
fn each_refusal_has_its_code_and_stores_nothing() {
    let (server, folder) = (server(), tempfile::tempdir().expect("a folder"));
    publish(&server, M, "v1.0.0", &[]);
    let other = file(&folder, "other.zip", "example.com/other", &[]);
    let changed = file(&folder, "changed.zip", M, &[("more.go", b"package m\n")]);
    let clash = file(&folder, "clash.zip", M, &[("README.md", b"a"), ("Readme.md", b"b")]);
    let outside = file(&folder, "outside.zip", M, &[("../../etc/passwd", b"root")]);
    let cases = [
        (other, M, "v1.1.0", "module_mismatch"),
        (changed, M, "v1.0.0", "version_exists"),
        (clash, M, "v1.1.0", "case_collision"),
        (outside, M, "v1.1.0", "path_unclean"),
    ];
    scenario(&server, "publish/refused", &json!({"cases": cases}));
    let versions = server.api("GET", &format!("/api/artifacts?name={M}"), None).expect(200).json();
    assert_eq!(versions["items"].as_array().expect("items").len(), 1, "{versions}");
}

#[test]
fn a_broken_connection_leaves_nothing_and_another_try_works() {
    let (server, folder) = (server(), tempfile::tempdir().expect("a folder"));
    let file = file(&folder, "m.zip", M, &[("data.bin", &archives::noise(600_000))]);
    scenario(&server, "publish/broken", &json!({"file": file, "name": M, "version": "v1.0.0"}));
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_sent() {
    let (server, folder) =
        (server_with(&[("KEEPER_MAX_UPLOAD_BYTES", "1MiB")]), tempfile::tempdir().expect("a folder"));
    let file = file(&folder, "large.zip", M, &[("data.bin", &archives::noise(1_200_000))]);
    scenario(&server, "publish/tooLarge", &json!({"file": file, "name": M}));
}

#[test]
fn a_folder_is_packed_in_the_browser() {
    let (server, folder) = (server(), tempfile::tempdir().expect("a folder"));
    let module = folder.path().join("mymodule");
    fs::create_dir_all(module.join("inner")).expect("a fresh folder");
    fs::create_dir_all(module.join(".git")).expect("a fresh folder");
    for (name, text) in [("go.mod", format!("module {M}\n\ngo 1.21\n")), ("m.go", "package m\n".to_owned())] {
        fs::write(module.join(name), text).expect("a fresh folder");
    }
    fs::write(module.join("inner/grüße.go"), "package inner\n").expect("a fresh folder");
    fs::write(module.join(".git/config"), "secret\n").expect("a fresh folder");
    let facts = json!({"path": module, "name": M, "version": "v1.0.0"});
    scenario(&server, "publish/folder", &facts);
}

#[test]
fn an_empty_repository_says_how_something_comes_here() {
    scenario(&server(), "publish/empty", &json!({}));
}
