//! The API's document is what the program says of itself, a valid one, and good enough to generate a client from.
//!
//! The validator (`openapi-spec-validator`) and the generator (`openapi-python-client`) are Python packages
//! in `target/venv`, where `make test` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::archives;
use crate::harness::command::{Finished, run};
use crate::harness::http;
use crate::harness::server::{ADMIN_TOKEN, PROGRAM, Server};

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
