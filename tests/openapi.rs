//! The API's document is what the program says of itself, a valid one, and good enough to generate a client from.
//!
//! The validator (`openapi-spec-validator`), the generator (`openapi-python-client`) and the fuzzer (`schemathesis`) are
//! Python packages in `target/venv`, where `make test` puts them. The fuzzer has a short budget here and a long one in
//! `make test-long`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::archives;
use crate::harness::command::{Finished, run};
use crate::harness::server::{ADMIN_TOKEN, PROGRAM, Server};
use crate::harness::upload::Form;
use crate::harness::{http, is_long, people};

/// A file of this project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The committed document.
fn committed() -> PathBuf {
    project("api/openapi.json")
}

/// Runs a program of the virtual environment, which finds the others of it.
fn tool(name: &str, prepare: impl FnOnce(&mut Command) -> &mut Command) -> Finished {
    let folder = project("target/venv/bin");
    let program = folder.join(name);
    assert!(program.exists(), "there is no {}; `make tools-test` installs it", program.display());
    let path = std::env::join_paths([folder.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).expect("a path");
    run(prepare(Command::new(program).env("PATH", path)))
}

#[test]
fn the_committed_document_is_what_the_program_prints_and_serves() {
    let committed = std::fs::read_to_string(committed()).expect("the document");
    let printed = run(Command::new(PROGRAM).arg("openapi").env_clear()).succeeded();
    assert!(printed.stdout() == committed.trim_end_matches('\n'), "api/openapi.json is not current: `make generate`");
    let server = Server::start();
    let served = http::get(&format!("{}/api/openapi.json", server.url)).expect(200);
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert!(served.text() == committed, "the server serves another document");
}

#[test]
fn the_document_is_valid() {
    tool("openapi-spec-validator", |command| command.arg(committed())).succeeded().says(&["OK"]);
}

#[test]
fn every_example_fits_its_schema() {
    let script = project("tests/openapi/check_examples.py");
    tool("python", |command| command.arg(script).arg(committed())).succeeded().says(&[" 0 faults"]);
}

/// A server with something of everything, and the token of somebody who may read it.
fn furnished() -> (Server, String) {
    let server = Server::start();
    for (format, name) in [("go", "private"), ("generic", "files")] {
        server.create_repository(&json!({"format": format, "name": name, "kind": "hosted"}));
    }
    for (repository, version) in [("local", "v1.0.0"), ("local", "v1.1.0"), ("private", "v1.0.0")] {
        let archive = archives::module(b"module example.com/m\n\ngo 1.21\n");
        let form = Form::go(archive).with("name", "example.com/m").with("version", version);
        form.with("repository", repository).send(&server).expect(201);
    }
    server.api("POST", "/api/groups", Some(&json!({"name": "developers"}))).expect(201);
    people::person(&server, "ann");
    people::grant(&server, "ann", "*/*", "reader");
    let (reader, _) = people::token(&server, "ann", &["read"], &["*/*"]);
    (server, reader)
}

/// Operations that end what the others need: the fuzzer learns ids from answers, and would revoke its own token.
const ENDINGS: [&str; 6] =
    ["delete_artifact", "delete_group", "delete_repository", "delete_user", "revoke_token", "update_user"];

/// Sends all operations what their document allows and what it does not, as the holder of a token. Whatever comes:
/// no fault of the server, and no status, content type, header or body that the document does not declare.
fn fuzz(server: &Server, token: &str, examples: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |choice: &str| {
        tool("st", |command| {
            command.arg("run").arg(committed()).args(["--url", &format!("{}/api", server.url)]);
            command.args(["--checks", &CHECKS.join(","), "--phases", "examples,coverage,fuzzing", "--mode", "all"]);
            command.args(["-n", &examples.to_string(), "--seed", "1", "--workers", "2", "--no-color"]);
            command.args(["--continue-on-failure", "--generation-database", "none", "--warnings", "off"]);
            command.args(["--suppress-health-check", "all", "-H", &format!("Authorization: Bearer {token}")]);
            command.args(ENDINGS.iter().flat_map(|operation| [choice, operation])).current_dir(folder.path())
        })
        .succeeded()
        .says(&["No issues found"]);
    };
    run("--exclude-operation-id");
    server.send(Some(token), "GET", "/api/me", &[], &[]).expect(200);
    run("--include-operation-id");
    server.send(None, "GET", "/readyz", &[], &[]).expect(200);
    assert!(!server.output().contains("\"level\":\"ERROR\""), "a fault is in the log");
}

/// What the fuzzer judges of each answer.
const CHECKS: [&str; 5] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
];

#[test]
fn nothing_that_a_reader_sends_gets_an_undeclared_answer() {
    let (server, reader) = furnished();
    fuzz(&server, &reader, if is_long() { 200 } else { 2 });
}

#[test]
fn nothing_that_an_administrator_sends_gets_an_undeclared_answer() {
    let (server, _) = furnished();
    fuzz(&server, ADMIN_TOKEN, if is_long() { 200 } else { 2 });
}

#[test]
fn a_client_generated_from_the_document_uploads_lists_and_understands_refusals() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let client = folder.path().join("client");
    tool("openapi-python-client", |command| {
        command.args(["generate", "--meta", "none", "--path"]).arg(committed()).arg("--output-path").arg(&client);
        command.arg("--config").arg(project("tests/openapi/client.yml"))
    })
    .succeeded()
    .never_says(&["arning", "Skipping", "Unable"]);
    let archive = folder.path().join("module.zip");
    std::fs::write(&archive, archives::module(b"module example.com/generated\n")).expect("a temporary folder");
    let server = Server::start();
    tool("python", |command| {
        command.arg(project("tests/openapi/use_client.py")).env("PYTHONPATH", folder.path());
        command.arg(format!("{}/api", server.url)).arg(ADMIN_TOKEN).arg(archive)
    })
    .succeeded()
    .says(&["all calls went well"]);
}
