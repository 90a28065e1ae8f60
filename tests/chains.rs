//! Chains of two servers in GOPROXY: what is unknown at the first is asked at the second, trouble is not.
//!
//! ```text
//! keeper,other    the next one is asked after "not found" (404) and "gone" (410), and after nothing else
//! keeper|other    the next one is asked after any failure
//! ```
//!
//! Where a test says that the other one is not asked, it stands outside and would have written it down.

use std::path::PathBuf;

use serde_json::json;

use crate::harness::archives;
use crate::harness::command::Finished;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::server::Server;
use crate::harness::upload::{Answer, Form};

const OURS: &str = "example.com/team/ours";
const THEIRS: &str = "example.com/team/theirs";

fn publish(server: &Server, module: &str, version: &str) -> Answer {
    let archive = archives::module(format!("module {module}\n\ngo 1.21\n").as_bytes());
    Form::go(archive).with("name", module).with("version", version).send(server).expect(201)
}

/// A project on a machine whose GOPROXY is this chain.
fn project(chain: &str) -> (Machine, PathBuf) {
    let machine = Machine::new().with("GOPROXY", chain).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    (machine, project)
}

fn get(chain: &str, query: &str) -> Finished {
    let (machine, project) = project(chain);
    machine.go(&project, &format!("get {query}"))
}

/// The two ways to write a chain.
fn chains(first: &str, second: &str) -> [String; 2] {
    [format!("{first},{second}"), format!("{first}|{second}")]
}

/// A server with our module, and another one with theirs.
fn two_servers() -> (Server, Server) {
    let (keeper, other) = (Server::start(), Server::start());
    publish(&keeper, OURS, "v1.0.0");
    publish(&other, THEIRS, "v1.2.0");
    (keeper, other)
}

#[test]
fn a_module_unknown_to_the_first_comes_from_the_second() {
    let (keeper, other) = two_servers();
    for chain in chains(&keeper.go("local"), &other.go("local")) {
        let (machine, project) = project(&chain);
        for query in [OURS, THEIRS, "example.com/team/theirs@v1.2.0", "example.com/team/theirs@v1"] {
            machine.go(&project, &format!("get {query}")).succeeded();
        }
        machine.write(
            &project,
            "main.go",
            &format!("package main\n\nimport (\n\t_ \"{OURS}\"\n\t_ \"{THEIRS}\"\n)\n\nfunc main() {{}}\n"),
        );
        machine.go(&project, "mod tidy").succeeded();
        machine.go(&project, "run .").succeeded();
        let all = machine.go(&project, "list -m all").succeeded();
        assert_eq!(all.stdout(), format!("example.com/app\n{OURS} v1.0.0\n{THEIRS} v1.2.0"));
    }
}

#[test]
fn what_nobody_has_is_reported_by_the_last_one_asked() {
    let (keeper, other) = two_servers();
    for chain in chains(&keeper.go("local"), &other.go("local")) {
        get(&chain, "example.com/team/nobody@latest").failed().says(&[&other.url, "code=module_not_found"]);
    }
}

#[test]
fn a_module_the_first_knows_is_not_looked_for_behind_it() {
    let (keeper, mirror) = (Server::start(), Outside::without_modules());
    publish(&keeper, OURS, "v1.0.0");
    let (machine, project) = project(&format!("{},{}", keeper.go("local"), mirror.url));
    machine.go(&project, &format!("mod download {OURS}@v1.0.0")).succeeded();
    machine.go(&project, &format!("list -m -versions {OURS}")).succeeded();
    assert_eq!(mirror.requests(), [""; 0]);
}

#[test]
fn the_first_one_that_knows_a_module_decides_what_is_latest() {
    let (keeper, other) = two_servers();
    publish(&other, OURS, "v1.9.9-rc.1");
    publish(&other, OURS, "v1.9.0");
    let (machine, project) = project(&format!("{},{}", keeper.go("local"), other.go("local")));
    machine.go(&project, &format!("get {OURS}@latest")).succeeded();
    assert_eq!(machine.go(&project, &format!("list -m {OURS}")).succeeded().stdout(), format!("{OURS} v1.0.0"));
    // A version by its number is looked for in one after the other.
    machine.go(&project, &format!("get {OURS}@v1.9.0")).succeeded();
}

#[test]
fn a_version_that_was_deleted_may_come_from_the_second() {
    let (keeper, other) = two_servers();
    publish(&other, OURS, "v1.0.0");
    let id = publish(&keeper, OURS, "v1.1.0").text("id").to_owned();
    publish(&other, OURS, "v1.1.0");
    assert!(keeper.api("DELETE", &format!("/api/artifacts/{id}"), None).status < 300);
    get(&keeper.go("local"), &format!("{OURS}@v1.1.0")).failed().says(&["410 Gone"]);
    for chain in chains(&keeper.go("local"), &other.go("local")) {
        get(&chain, &format!("{OURS}@v1.1.0")).succeeded();
    }
}

#[test]
fn a_refused_login_ends_a_chain_with_a_comma_only() {
    let other = Server::start();
    let mirror = Outside::without_modules();
    let keeper = Server::with(&[("KEEPER_ANONYMOUS_READ", "false")]);
    publish(&keeper, OURS, "v1.0.0");
    publish(&other, OURS, "v1.0.0");
    let query = format!("{OURS}@v1.0.0");
    get(&format!("{},{}", keeper.go("local"), mirror.url), &query)
        .failed()
        .says(&["401 Unauthorized", "code=login_required"]);
    assert_eq!(mirror.requests(), [""; 0]);
    get(&format!("{}|{}", keeper.go("local"), other.go("local")), &query).succeeded();
}

#[test]
fn a_mistyped_repository_ends_a_chain_with_a_comma() {
    let (keeper, mirror) = (Server::start(), Outside::without_modules());
    publish(&keeper, OURS, "v1.0.0");
    let chain = format!("{},{}", keeper.go("locall"), mirror.url);
    get(&chain, &format!("{OURS}@v1.0.0")).failed().says(&["401 Unauthorized", "go/local"]);
    assert_eq!(mirror.requests(), [""; 0]);
}

#[test]
fn a_server_that_is_down_ends_a_chain_with_a_comma_only() {
    let (mut keeper, other) = two_servers();
    let mirror = Outside::without_modules();
    publish(&other, OURS, "v1.0.0");
    let first = keeper.go("local");
    keeper.kill();
    let query = format!("{OURS}@v1.0.0");
    get(&format!("{first},{}", mirror.url), &query).failed().says(&["connection refused"]);
    assert_eq!(mirror.requests(), [""; 0]);
    get(&format!("{first}|{}", other.go("local")), &query).succeeded();

    keeper.start_again();
    get(&keeper.go("local"), &query).succeeded();
    assert!(keeper.stop().success(), "asked to stop, it ends without an error");
}

#[test]
fn trouble_with_stored_bytes_ends_a_chain_with_a_comma_only() {
    let (keeper, other) = (Server::start(), Server::start());
    let mirror = Outside::without_modules();
    let archive = archives::zip(&[("go.mod", format!("module {OURS}\n").as_bytes()), ("large.bin", &large_file())]);
    for server in [&keeper, &other] {
        Form::go(&*archive).with("name", OURS).with("version", "v1.0.0").send(server).expect(201);
    }
    lose_blobs(&keeper);
    let query = format!("{OURS}@v1.0.0");
    get(&format!("{},{}", keeper.go("local"), mirror.url), &query)
        .failed()
        .says(&["500 Internal Server Error", "code=blob_missing"]);
    let asked: Vec<_> = mirror.requests().into_iter().filter(|request| request.contains("/ours/")).collect();
    assert_eq!(asked, [""; 0]);
    get(&format!("{}|{}", keeper.go("local"), other.go("local")), &query).succeeded();
}

#[test]
fn a_repository_that_nobody_may_read_does_not_stand_in_the_way_of_an_open_one() {
    let keeper = Server::start();
    keeper.create_repository(&json!({"format": "go", "name": "closed", "kind": "hosted", "anonymous_read": false}));
    publish(&keeper, OURS, "v1.0.0");
    get(&format!("{}|{}", keeper.go("closed"), keeper.go("local")), OURS).succeeded();
    get(&format!("{},{}", keeper.go("closed"), keeper.go("local")), OURS).failed().says(&["code=login_required"]);
}

/// Bytes that do not compress, more than are kept in the database.
fn large_file() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    (0..20_000).flat_map(|_| next()).collect()
}

/// Takes away every stored blob, as a broken disk would.
fn lose_blobs(server: &Server) {
    let mut folders = vec![server.data().join("blobs/sha256")];
    let mut lost = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                std::fs::remove_file(&path).expect("a file of ours");
                lost += 1;
            }
        }
    }
    assert!(lost > 0, "there were no blobs");
}
