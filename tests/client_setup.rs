//! The set-up texts of the API work as they are.
//!
//! Every text is run by the real `bash`, `go`, `git` and `curl`: what is shell as a whole, of the definitions for
//! continuous integration and of the Dockerfile the parts that a shell gets (`shell_of`).

mod generic;
mod seen;
pub(crate) mod shell_of;

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::company::{Company, MYMODULE, everything_at_once, main_of, source};
use crate::harness::git::Repository;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// The texts of a Go repository for the holder of a token, or for a stranger.
fn texts(server: &Server, repository: &str, token: Option<&str>) -> Texts {
    texts_of(server, "go", repository, token)
}

/// The same of any format.
fn texts_of(server: &Server, format: &str, repository: &str, token: Option<&str>) -> Texts {
    let machine = trusting(server);
    let url = format!("{}/api/repositories/{format}/{repository}/setup", server.url);
    let header = format!("Authorization: Bearer {}", token.unwrap_or_default());
    let credential = ["-H", header.as_str()];
    let arguments = [&["-sS", "--fail-with-body", url.as_str()], &credential[..2 * usize::from(token.is_some())]];
    let answer = machine.run(&machine.work(), "curl", &arguments.concat()).succeeded();
    Texts(serde_json::from_str(answer.stdout()).expect("JSON"))
}

struct Texts(Value);

impl Texts {
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.0["texts"].as_array().expect("texts").iter()
    }

    fn ids(&self, purpose: &str, language: &str) -> Vec<&str> {
        let fits = |text: &&Value| text["purpose"] == purpose && text["language"] == language;
        self.all().filter(fits).map(|text| text["id"].as_str().expect("an id")).collect()
    }

    /// The text of this id; empty if there is none.
    fn text(&self, id: &str) -> &str {
        let found = self.all().find(|text| text["id"] == id);
        found.map_or("", |text| text["text"].as_str().expect("a text"))
    }
}

/// A machine with nothing on it that trusts the server's authority, if it has one.
fn trusting(server: &Server) -> Machine {
    let authority = server.authority();
    let machine = Machine::new();
    if authority.exists() { machine.with("CURL_CA_BUNDLE", authority) } else { machine }
}

/// A server whose `go/local` knows which modules are private.
fn server(settings: &[(&str, &str)]) -> Server {
    let server = Server::with(settings);
    let settings = json!({"settings": {"nosumdb": ["github.com/yourcompany"]}}).to_string();
    let machine = trusting(&server);
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let url = format!("{}/api/repositories/go/local", server.url);
    let json = "Content-Type: application/json";
    let arguments = ["-sS", "--fail-with-body", "-X", "PATCH", "-H", &authorization, "-H", json, "-d", &settings, &url];
    machine.run(&machine.work(), "curl", &arguments).succeeded();
    server
}

/// A machine with a token, and with the server's authority where the texts expect it.
fn prepared(server: &Server, token: &str) -> Machine {
    let machine = Machine::new().with("ARTIFACT_KEEPER_TOKEN", token);
    if server.authority().exists() {
        let copy = machine.home().join("artifact-keeper-ca.pem");
        std::fs::copy(server.authority(), copy).expect("a file to copy");
    }
    machine
}

/// Runs each shell text for reading on a machine of its own, with what it needs beside it, and gets a module.
fn each_reading_text_gets_a_module(server: &Server, token: &str) -> Vec<String> {
    let texts = texts(server, "local", Some(token));
    let get = format!("go mod init example.com/app\ngo get {MYMODULE}@v1.0.0\ngo mod download {MYMODULE}@v1.0.0");
    let ids = texts.ids("read", "sh");
    for id in &ids {
        let beside = match *id {
            "trust" => vec!["shell"],
            "shell" => vec!["trust"],
            "environment" => vec!["trust", "netrc"],
            _ => vec!["trust", "environment"],
        };
        let beside: Vec<_> = beside.into_iter().map(|id| texts.text(id)).collect();
        let machine = prepared(server, token);
        let script = format!("{}\n{}\n{get}", beside.join("\n"), texts.text(id));
        let followed = machine.sh(&machine.work(), &script).succeeded();
        followed.says(&["added github.com/yourcompany/mymodule v1.0.0"]).never_says(&[token]);
    }
    ids.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_shell_text_for_an_open_repository_works() {
    let server = server(&[]);
    Company::new().publish(&server);
    let token = server.token("--name publisher --actions read,publish --repositories go/local");
    assert_eq!(each_reading_text_gets_a_module(&server, &token), ["shell", "environment"]);
}

#[test]
fn every_shell_text_for_a_private_repository_works() {
    let server = server(&[("KEEPER_TLS_SELF_SIGNED", "true"), ("KEEPER_ANONYMOUS_READ", "false")]);
    let token = server.token("--name ci --actions read,publish --repositories go/local");
    publishes(&server, &token, "publish", "sh");
    let ids = each_reading_text_gets_a_module(&server, &token);
    assert_eq!(ids, ["trust", "shell", "environment", "netrc", "goauth"]);
}

/// Runs the recipe of this text in a clone, with this shell, on a machine that trusts the server.
fn publishes(server: &Server, token: &str, id: &str, shell: &str) {
    let texts = texts(server, "local", Some(token));
    let clone = everything_at_once();
    let machine = prepared(server, token);
    let script = format!("{}\n{}", texts.text("trust"), texts.text(id));
    for _once_and_again in 0..2 {
        machine.run(&clone.path(), shell, &["-c", &script]).succeeded().says(&["\"h1\""]).never_says(&[token]);
    }
    let refused =
        prepared(server, "akp_0000000000000000000000000000000000000").run(&clone.path(), shell, &["-c", &script]);
    refused.failed().says(&["token_malformed"]);
}

#[test]
fn the_recipe_publishes_with_every_shell_and_fails_when_the_server_refuses() {
    let server = server(&[]);
    let token = server.token("--name publisher --actions publish --repositories go/local");
    for shell in ["bash", "sh"] {
        publishes(&server, &token, "publish", shell);
    }
    let list = http::get(&format!("{}/{MYMODULE}/@v/list", server.go("local"))).expect(200);
    assert_eq!(list.text(), "v1.0.0\n");
}

fn a_module_that_builds() -> Repository {
    let clone = Repository::new();
    clone.write("go.mod", format!("module {MYMODULE}\n\ngo 1.21\n")).write("m.go", source("mymodule", "v1.0.0"));
    clone.release("v1.0.0");
    clone
}

/// Runs what a shell gets of a text, one piece after the other as its system would, in this folder.
fn run_pieces(machine: &Machine, folder: &Path, pieces: &[String]) {
    for piece in pieces {
        machine.run(folder, "sh", &["-e", "-c", piece]).succeeded();
    }
}

#[test]
fn what_continuous_integration_runs_builds_and_publishes() {
    let server = server(&[]);
    let token = server.token("--name ci --actions read,publish --repositories go/local");
    let texts = texts(&server, "local", Some(&token));
    let definitions = [("read", "yaml", 2), ("read", "groovy", 1), ("publish", "yaml", 2), ("publish", "groovy", 1)];
    for (purpose, language, count) in definitions {
        let ids = texts.ids(purpose, language);
        assert_eq!(ids.len(), count, "{ids:?}");
        for id in ids {
            let pieces = shell_of::text(language, texts.text(id));
            assert!(pieces.len() >= 2, "{id}: {pieces:?}");
            let clone = a_module_that_builds();
            let version = "v1.0.0";
            let machine = prepared(&server, &token).with("TAG", version).with("TAG_NAME", version);
            run_pieces(&machine, &clone.path(), &pieces);
            let set = machine.go(&clone.path(), "env GOPROXY").succeeded();
            assert!(set.stdout().starts_with(&server.go("local")), "{id}: {set}");
        }
    }
    let list = http::get(&format!("{}/{MYMODULE}/@v/list", server.go("local"))).expect(200);
    assert_eq!(list.text(), "v1.0.0\n", "the publishing ones published");
}

#[test]
fn what_an_image_is_built_of_downloads_and_builds() {
    let server = server(&[]);
    Company::new().publish(&server);
    let texts = texts(&server, "local", None);
    let machine = Machine::new();
    let project = machine.project("app");
    machine.write(&project, "main.go", &main_of(MYMODULE));
    let set_up = texts.text("shell");
    machine
        .sh(&project, &format!("{set_up}\ngo get {MYMODULE}@v1.0.0\ngo env -u GOPROXY\ngo env -u GONOSUMDB"))
        .succeeded();
    let pieces = shell_of::text("dockerfile", texts.text("dockerfile"));
    let script = pieces.join("\n").replace("/app", &project.join("app").display().to_string());
    assert!(script.contains("go mod download") && script.contains("export GOPROXY="), "{script}");
    machine.sh(&project, &format!("go clean -modcache\n{script}")).succeeded();
    machine.sh(&project, "./app").succeeded().says(&["mymodule v1.0.0"]);
}

#[test]
fn setup_tells_each_caller_what_applies_to_them() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    let reader = server.token("--name reader --actions read --repositories go/*");
    let stranger = texts(&server, "local", None);
    let flags = |texts: &Texts| ["credential_needed", "may_publish", "https"].map(|key| texts.0[key] == true);
    assert_eq!(flags(&stranger), [false; 3]);
    assert_eq!(stranger.0["repository_url"], server.go("local"));
    assert!(stranger.text("publish").is_empty());
    let private = texts(&server, "private", Some(&reader));
    assert_eq!(flags(&private), [true, false, false]);
    assert!(private.text("shell").contains("only over https"), "{}", private.text("shell"));
    let admin = texts(&server, "private", Some(ADMIN_TOKEN));
    assert!(admin.text("publish").contains("repository=private"));

    let setup = |name: &str| http::get(&format!("{}/api/repositories/go/{name}/setup", server.url));
    for name in ["private", "absent"] {
        setup(name).expect(401);
    }
    server.api("GET", "/api/repositories/npm/local/setup", None).expect(400);
}

#[test]
fn who_names_his_private_modules_gets_texts_that_keep_them_from_the_database() {
    let server = Server::start();
    let setup = |private: &str| http::get(&format!("{}/api/repositories/go/local/setup?private={private}", server.url));
    let texts = Texts(setup("git.corp.example,github.com/own*").expect(200).json());
    let machine = Machine::new();
    machine.sh(&machine.work(), texts.text("shell")).succeeded();
    machine.go(&machine.work(), "env GONOSUMDB").succeeded().says(&["git.corp.example,github.com/own*"]);
    // There is no PowerShell here; these lines mean the same to every shell.
    let lines: Vec<_> = texts.text("powershell").lines().filter(|line| line.starts_with("go env")).collect();
    let other = Machine::new();
    other.sh(&other.work(), &lines.join("\n")).succeeded();
    for name in ["GOPROXY", "GONOSUMDB"] {
        let of =
            |machine: &Machine| machine.go(&machine.work(), &format!("env {name}")).succeeded().stdout().to_owned();
        assert_eq!(of(&other), of(&machine));
    }
    for bad in ["a%3Bb", "%24(x)", "a%27b", "a//b", "a%0ab"] {
        assert_eq!(setup(bad).json()["code"], "invalid_query", "{bad}");
    }
}

#[test]
fn the_formats_of_this_server_are_described() {
    let server = Server::with(&[("KEEPER_MAX_UPLOAD_BYTES", "1MiB")]);
    let page = http::get(&format!("{}/api/formats", server.url)).expect(200).json();
    let go = page["items"].as_array().expect("items").iter().find(|format| format["key"] == "go").expect("go");
    assert_eq!((&go["name"], &go["limits"]["upload_bytes"]), (&json!("Go modules"), &json!(1024 * 1024)));
    assert_eq!(go["settings_schema"]["properties"]["nosumdb"]["type"], "array");
    assert_eq!(go["upload_fields"][0]["name"], "fork");
    for capability in ["publish", "labels", "authority", "doctor"] {
        assert!(go["capabilities"].as_array().expect("a list").contains(&json!(capability)), "{capability}");
    }
}
