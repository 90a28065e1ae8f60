//! The set-up texts of raw files, and those that a format gets that writes none.

use std::fs;

use serde_json::{Value, json};

use super::{Texts, prepared, run_pieces, shell_of, texts_of, trusting};
use crate::harness::machine::Machine;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// Bytes of the file that travels.
const BYTES: &[u8] = b"a tool\n\0\xff";

/// A server with the repository `generic/files`, and a token that may read and publish there.
fn server(settings: &[(&str, &str)], is_open: bool) -> (Server, String) {
    let server = Server::with(settings);
    let body = json!({"format": "generic", "name": "files", "kind": "hosted", "anonymous_read": is_open}).to_string();
    let machine = trusting(&server);
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let url = format!("{}/api/repositories", server.url);
    let json = "Content-Type: application/json";
    let arguments = ["-sS", "--fail-with-body", "-H", &authorization, "-H", json, "-d", &body, &url];
    machine.run(&machine.work(), "curl", &arguments).succeeded();
    let token = server.token("--name ci --actions read,publish --repositories generic/files");
    (server, token)
}

/// A machine with the token, the names that texts ask for, and what a build makes.
fn builder(server: &Server, token: &str, version: &str) -> Machine {
    let machine = prepared(server, token).with("NAME", "tool").with("VERSION", version).with("FILE", "dist/tool.bin");
    fs::create_dir_all(machine.work().join("dist")).expect("a folder");
    fs::write(machine.work().join("dist/tool.bin"), BYTES).expect("a file");
    fs::write(machine.work().join("Makefile"), "dist:\n\ttest -s dist/tool.bin\n").expect("a file");
    machine
}

/// Publishes with every text that does, each a version of its own; then each reading text gets a file.
fn every_text_works(server: &Server, token: &str, reading: &[&str]) {
    let texts = texts_of(server, "generic", "files", Some(token));
    let trust = texts.text("trust");
    let mut versions = vec!["1.0.0".to_owned()];
    for shell in ["bash", "sh"] {
        let machine = builder(server, token, "1.0.0");
        let script = format!("{trust}\n{}", texts.text("publish"));
        machine.run(&machine.work(), shell, &["-c", &script]).succeeded().never_says(&[token]);
        let other = builder(server, "akp_0000000000000000000000000000000000000", "1.0.0");
        other.run(&other.work(), shell, &["-c", &script]).failed().says(&["token_malformed"]);
    }
    for (language, count) in [("yaml", 2), ("groovy", 1)] {
        let ids = texts.ids("publish", language);
        assert_eq!(ids.len(), count, "{ids:?}");
        for id in ids {
            let version = format!("1.0.{}", versions.len());
            let machine = builder(server, token, &version);
            let mut pieces = shell_of::text(language, texts.text(id));
            assert!(pieces.len() >= 2, "{id}: {pieces:?}");
            pieces.iter_mut().for_each(|piece| piece.insert_str(0, &format!("{trust}\n")));
            run_pieces(&machine, &machine.work(), &pieces);
            versions.push(version);
        }
    }
    assert_eq!(texts.ids("read", "sh"), reading);
    for id in reading {
        let machine = builder(server, token, "1.0.0").with("FILE", "tool.bin");
        let script = [trust, texts.text("netrc"), texts.text(id)].join("\n");
        let script = if *id == "netrc" { script.replacen(texts.text(id), "", 1) } else { script };
        machine.sh(&machine.work(), &script).succeeded().never_says(&[token]);
        if matches!(*id, "curl" | "fetch") {
            assert_eq!(fs::read(machine.work().join("tool.bin")).expect("a file"), BYTES, "{id}");
        }
    }
    let machine = prepared(server, token);
    let pieces = shell_of::text("dockerfile", texts.text("dockerfile"));
    let script = [trust, texts.text("netrc"), &pieces.join("\n")].join("\n");
    let script = script.replace("/tmp/", &format!("{}/", machine.work().display()));
    machine.sh(&machine.work(), &script).succeeded();
    assert_eq!(fs::read(machine.work().join("tool.bin")).expect("a file"), BYTES, "the image's file");
}

#[test]
fn every_text_for_open_files_works() {
    let (server, token) = server(&[], true);
    every_text_works(&server, &token, &["curl", "fetch"]);
}

#[test]
fn every_text_for_private_files_works() {
    let (server, token) = server(&[("KEEPER_TLS_SELF_SIGNED", "true")], false);
    every_text_works(&server, &token, &["trust", "curl", "netrc", "fetch"]);
}

#[test]
fn a_format_that_writes_no_texts_has_some_all_the_same() {
    let server = Server::with_hostile_format();
    server.create_repository(&json!({"format": "hostile", "name": "r", "kind": "hosted"}));
    let token = server.token("--name ci --actions read,publish --repositories hostile/r");
    let texts: Texts = texts_of(&server, "hostile", "r", Some(&token));
    assert_eq!(texts.ids("read", "sh"), ["curl", "netrc"]);
    let machine = builder(&server, &token, "1.0").with("FILE", "dist/tool.bin");
    // The format asks for a field that no text can know; the platform's note says where fields are listed.
    let publish = texts.text("publish").replace("-F \"format=hostile\"", "-F \"format=hostile\" -F filename=tool.bin");
    machine.sh(&machine.work(), &publish).succeeded().never_says(&[&token]);
    let script = format!("{}\n{}", texts.text("netrc"), texts.text("curl"));
    machine.sh(&machine.work(), &script).succeeded().never_says(&[&token]);
    assert_eq!(fs::read(machine.work().join("tool.bin")).expect("a file"), BYTES);
    let stranger: Value = server.send(None, "GET", "/api/repositories/hostile/r/setup", &[], &[]).json();
    assert_eq!(stranger["code"], "login_required");
}
