//! Versions of which another place had the `go.mod` only.

use std::fs;
use std::path::Path;

use super::{Athens, get, holds, import, odd};
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::server::Server;
use crate::harness::upload::Form;

#[test]
fn what_only_had_its_go_mod_is_completed_by_its_publisher_and_by_nobody_else() {
    let server = Server::start();
    let archive = |go_mod: &str| archives::zip(&[("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n")]);
    for has_info in [false, true] {
        let version = if has_info { "v1.1.0" } else { "v1.0.0" };
        let module = Module::new("example.com/m", version).made_at("2020-01-02T03:04:05Z");
        let disk = Athens::with(&[&module]);
        let folder = disk.0.path().join("example.com/m").join(version);
        fs::remove_file(folder.join("source.zip")).expect("a file");
        if !has_info {
            fs::remove_file(folder.join(format!("{version}.info"))).expect("a file");
        }
        drop(import(&server, disk.at(), "").succeeded().says(&["taken over: 1\n"]));
        let upload = |go_mod: &str| Form::go(archive(go_mod)).with("version", version).send(&server);
        let other = upload(&format!("{}\n// another\n", module.go_mod())).expect(409).body;
        assert_eq!(other["code"], "version_exists", "{other}");
        assert_eq!(get(&server, &module.at("zip")).status, 404, "nothing of it is kept");
        let artifact = upload(module.go_mod()).expect(201).body;
        assert_eq!(artifact["files"].as_array().map(Vec::len), Some(3), "{artifact}");
        assert_eq!(artifact["checksums"]["go.mod h1"].as_str(), Some(module.go_mod_h1().as_str()), "{artifact}");
        get(&server, &module.at("zip")).expect(200);
        let info = get(&server, &module.at("info")).expect(200).json();
        assert_eq!(info["Time"] == "2020-01-02T03:04:05Z", has_info, "the time that users have stays: {info}");
        let told = &artifact["metadata"]["time"];
        assert_eq!(*told, info["Time"], "{artifact}");
        assert_eq!(upload(module.go_mod()).status, 200, "a repeat");
    }
    server.command("verify").succeeded();
}

#[test]
fn what_only_had_its_go_mod_is_completed_later() {
    let module = odd("example.com/m");
    let disk = Athens::with(&[&module]);
    let zip: &Path = &disk.0.path().join("example.com/m/v1.0.0/source.zip");
    let bytes = fs::read(zip).expect("a file");
    fs::remove_file(zip).expect("a file");
    let server = Server::start();
    drop(import(&server, disk.at(), "").succeeded().says(&["taken over: 1\n"]));
    assert_eq!(get(&server, &module.at("mod")).expect(200).text(), module.go_mod());
    assert_eq!(get(&server, &module.at("zip")).status, 404);
    fs::write(zip, bytes).expect("written");
    for wanted in ["taken over: 1\n", "there already: 1\n"] {
        drop(import(&server, disk.at(), "").succeeded().says(&[wanted]));
        holds(&server, &module);
    }
}
