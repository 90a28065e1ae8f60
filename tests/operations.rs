//! What the page for operators tells them to do, done.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::postgres;
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::upload::Form;

pub(crate) fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn publish(server: &Server, name: &str, content: u64) {
    let archive = archives::zip(&[("noise.bin", &Random::seeded(content).bytes(20_000))]);
    Form::go(archive).with("name", name).with("version", "v1.0.0").send(server).expect(201);
}

fn zip(server: &Server, name: &str) -> http::Response {
    http::get(&format!("{}/{name}/@v/v1.0.0.zip", server.go("local")))
}

/// The commands of the page, without their comments, in order.
fn commands() -> Vec<String> {
    let page = docs("operations.md");
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("it ends"));
    let lines = blocks.flat_map(str::lines).map(|line| line.split('#').next().unwrap_or("").trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    if postgres::is_wanted() {
        return;
    }
    let mut server = Server::start();
    publish(&server, "example.com/m", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let copies = folder.path().join("backup");
    fs::create_dir(&copies).expect("a fresh folder");
    let restored = folder.path().join("restored");
    let place = |command: &str| {
        let command = command.strip_prefix("artifact-keeper ").unwrap_or_else(|| panic!("not ours: {command}"));
        let command = command.replace("/backup/", &format!("{}/", copies.display()));
        command.replace("/var/lib/artifact-keeper", &restored.display().to_string())
    };
    let commands = commands();
    assert_eq!(commands.len(), 18, "{commands:?}");
    let athens = copies.join("athens/github.com/yourcompany/m/v1.0.0");
    fs::create_dir_all(&athens).expect("a fresh folder");
    let module = Module::new("github.com/yourcompany/m", "v1.0.0");
    fs::write(athens.join("go.mod"), module.go_mod()).expect("written");
    fs::write(athens.join("source.zip"), module.zip()).expect("written");
    fs::write(athens.join("v1.0.0.info"), module.info()).expect("written");
    for command in commands {
        if command.contains("migrate --check") {
            server.stop();
        }
        server.command(&place(&command)).succeeded();
        if command.ends_with("backup --to /backup/monday") {
            publish(&server, "example.com/later", 2);
        }
    }
    server.start_again();
    assert!(zip(&server, "github.com/yourcompany/m").expect(200).body == module.zip(), "taken over");
    server.stop();
    let linked = |name: &str| fs::read_dir(copies.join(name).join("blobs/sha256")).expect("a copy").count();
    assert!(linked("monday") == 1 && linked("tuesday") == 2);
    server.set("KEEPER_DATA_DIR", &restored.display().to_string());
    server.start_again();
    assert_eq!(zip(&server, "example.com/m").status, 200);
    assert_eq!(zip(&server, "example.com/later").status, 404, "it was published after the copy");
    let audit = server.api("GET", "/api/audit?action=instance.restore", None).expect(200).json();
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
}

#[test]
fn a_copy_that_is_not_whole_is_refused_and_a_folder_with_data_too() {
    if postgres::is_wanted() {
        return;
    }
    let server = Server::start();
    publish(&server, "example.com/m", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let (copy, empty) = (folder.path().join("copy"), folder.path().join("empty"));
    let (copy, empty) = (copy.display().to_string(), empty.display().to_string());
    server.command(&format!("backup --to {copy}")).succeeded().says(&["1 stored files"]);
    server.command(&format!("backup --to {copy}")).failed().says(&["is there already"]);
    let restore = |to: &str| server.command(&format!("restore --from {copy} --data-dir {to}"));
    let file =
        files(Path::new(&copy)).into_iter().find(|path| path.to_string_lossy().contains("sha256")).expect("a file");
    let whole = fs::read(&file).expect("a file");
    let mut permissions = fs::metadata(&file).expect("a file").permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of the test")]
    permissions.set_readonly(false);
    fs::set_permissions(&file, permissions).expect("ours");
    fs::write(&file, [&whole[1..], b"x"].concat()).expect("written");
    restore(&empty).failed().says(&["damaged"]);
    fs::remove_file(&file).expect("removed");
    restore(&empty).failed().says(&["the stored file", "is missing"]);
    fs::write(&file, &whole).expect("written");
    let database = Path::new(&copy).join("keeper.db");
    let rows = fs::read(&database).expect("a file");
    fs::write(&database, [&rows[..], b"x"].concat()).expect("written");
    restore(&empty).failed().says(&["was changed"]);
    assert!(!Path::new(&empty).join("keeper.db").exists());
    fs::write(&database, &rows).expect("written");
    restore(&empty).succeeded();
    restore(&empty).failed().says(&["is there already"]);
    server.command(&format!("verify --data-dir {empty}")).succeeded();
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).expect("a folder").flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}
