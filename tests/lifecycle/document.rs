//! Every command of the page `docs/lifecycle.md` works as it is written.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::workshop::{publish, publish_to, server};
use crate::harness::command::run;
use crate::harness::server::{ADMIN_TOKEN, PROGRAM};

/// The commands mean what they mean to a reader, and a refusal ends the script.
const PREAMBLE: &str = "set -eu
curl() { command curl --silent --show-error --fail-with-body \"$@\"; }
artifact-keeper() { \"$PROGRAM\" \"$@\"; }
";

/// The contents of the blocks that begin with ```console.
fn commands(page: &str) -> String {
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_of_the_page_works_as_it_is_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lifecycle.md");
    let commands = commands(&std::fs::read_to_string(page).expect("the page"));
    assert!(commands.matches("curl").count() >= 4 && commands.matches("artifact-keeper").count() >= 6, "{commands}");
    let server = server(&[]);
    server.create_repository(&json!({ "format": "go", "name": "old", "kind": "hosted" }));
    publish_to(&server, "old", "example.com/old", 0, 0).expect(201);
    publish(&server, "corp.example/nightly/m", 0, 1).expect(201);
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{PREAMBLE}{commands}")]).env("KEEPER", &server.url).env("TOKEN", ADMIN_TOKEN);
    bash.env("PROGRAM", PROGRAM).env("KEEPER_DATA_DIR", server.data());
    run(&mut bash).succeeded().says(&["10737418240", "would_remove", "stored:", "0 faults"]);
    server.api("GET", "/api/repositories/go/old", None).expect(404);
}
