//! The set-up pages as people follow them: what is printed is run in an empty home, and the page sees the client come.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use super::{scenario, server_with};
use crate::client_setup::shell_of;
use crate::harness::archives;
use crate::harness::git::Repository;
use crate::harness::machine::Machine;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::wait;

const M: &str = "github.com/yourcompany/mymodule";

/// What a page prints, by id: the texts for a shell that read, in their order.
struct Printed(Vec<(String, String)>);

impl Printed {
    fn of(found: &Value) -> Self {
        let texts = found["texts"].as_array().expect("texts").iter();
        let field = |text: &Value, name: &str| text[name].as_str().expect("a text").to_owned();
        Self(texts.map(|text| (field(text, "id"), field(text, "text"))).collect())
    }

    fn text(&self, id: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| name == id);
        found.map(|(_, text)| text.as_str()).unwrap_or_else(|| panic!("no {id} among {:?}", self.0))
    }
}

/// A server with a private repository, a token that reads it, and a machine that fills it.
fn private(format: &str, name: &str) -> (Server, String, Machine) {
    let server = server_with(&[("KEEPER_TLS_SELF_SIGNED", "true")]);
    let machine = Machine::new().with("CURL_CA_BUNDLE", server.authority()).with("ADMIN", ADMIN_TOKEN);
    let settings = if format == "go" { json!({"nosumdb": ["github.com/yourcompany"]}) } else { json!({}) };
    let body = json!({"format": format, "name": name, "kind": "hosted", "settings": settings}).to_string();
    let make = format!(
        "curl -sS --fail-with-body -H \"Authorization: Bearer $ADMIN\" -H 'Content-Type: application/json' \
         -d '{body}' {}/api/repositories",
        server.url
    );
    machine.sh(&machine.work(), &make).succeeded();
    let token = server.token(&format!("--name client --actions read --repositories {format}/{name}"));
    (server, token, machine)
}

/// A machine with nothing but the token, and the server's authority where the texts expect it.
fn empty_home(server: &Server, token: &str) -> Machine {
    let machine = Machine::new().with("ARTIFACT_KEEPER_TOKEN", token);
    fs::copy(server.authority(), machine.home().join("artifact-keeper-ca.pem")).expect("a file to copy");
    machine
}

/// Runs a client when the page says that none has come; the page must see it then.
fn seen(server: &Server, path: &str, client: impl FnOnce()) {
    let folder = tempfile::tempdir().expect("a folder");
    let waiting = folder.path().join("waiting");
    thread::scope(|scope| {
        let watching = scope.spawn(|| scenario(server, "setup/seen", &json!({"path": path, "waiting": waiting})));
        wait::until("the page waits for a client", || waiting.exists() || watching.is_finished());
        client();
        watching.join().expect("the page saw the client");
    });
}

#[test]
fn every_shell_line_for_a_private_repository_of_modules_works_as_printed() {
    let (server, token, machine) = private("go", "private");
    let go_mod = format!("module {M}\n\ngo 1.21\n");
    fs::write(machine.work().join("m.zip"), archives::module(go_mod.as_bytes())).expect("a file");
    let publish = format!(
        "curl -sS --fail-with-body -H \"Authorization: Bearer $ADMIN\" -F file=@m.zip -F format=go \
         -F repository=private -F name={M} -F version=v1.0.0 {}/api/artifacts",
        server.url
    );
    machine.sh(&machine.work(), &publish).succeeded();
    let printed = Printed::of(&scenario(&server, "setup/printed", &json!({"path": "/setup/go?repo=private"})));
    let first = [printed.text("trust"), printed.text("shell"), printed.text("netrc")];
    let client = |lines: &[&str]| {
        let machine = empty_home(&server, &token);
        let project = machine.project("app");
        let script = format!("{}\n{}\ngo get {M}@v1.0.0\n", lines.join("\n"), printed.text("seen"));
        machine.sh(&project, &script).succeeded().says(&["v1.0.0"]).never_says(&[&token]);
    };
    seen(&server, "/setup/go?repo=private", || client(&first));
    client(&[first[0], printed.text("environment"), printed.text("goauth")]);
}

#[test]
fn every_shell_line_for_private_files_works_as_printed() {
    let (server, token, machine) = private("generic", "files");
    let send = format!(
        "printf 'a tool' | curl -sS --fail-with-body -H \"Authorization: Bearer $ADMIN\" -T - {}/generic/files/tool/1.0.0/a",
        server.url
    );
    machine.sh(&machine.work(), &send).succeeded();
    let printed = Printed::of(&scenario(&server, "setup/printed", &json!({"path": "/setup/generic?repo=files"})));
    let client = || {
        let machine = empty_home(&server, &token);
        let machine = machine.with("NAME", "tool").with("VERSION", "1.0.0").with("FILE", "a");
        let script = [printed.text("trust"), printed.text("netrc"), printed.text("curl"), printed.text("fetch")];
        machine.sh(&machine.work(), &script.join("\n")).succeeded().never_says(&[&token]);
        assert_eq!(fs::read(machine.work().join("a")).expect("a file"), b"a tool");
    };
    seen(&server, "/setup/generic?repo=files", client);
}

#[test]
fn what_the_page_prints_for_builds_images_and_publishing_works_as_printed() {
    let (server, _, _) = private("go", "private");
    let token = server.token("--name ci --actions read,publish --repositories go/private");
    let printed = Printed::of(&scenario(&server, "setup/printed", &json!({"path": "/setup/go?repo=private"})));
    let clone = || {
        let clone = Repository::new();
        let go_mod = format!("module {M}\n\ngo 1.21\n");
        clone.write("go.mod", go_mod).write("go.sum", "").write("m.go", "package main\n\nfunc main() {}\n");
        clone.release("v1.0.0");
        clone
    };
    let run = |pieces: &[String]| {
        let (machine, clone) = (empty_home(&server, &token).with("TAG", "v1.0.0").with("TAG_NAME", "v1.0.0"), clone());
        let app = machine.home().join("app").display().to_string();
        let trust = printed.text("trust");
        for piece in pieces {
            let script = format!("{trust}\n{}", piece.replace("/app", &app));
            machine.run(&clone.path(), "sh", &["-e", "-c", &script]).succeeded().never_says(&[&token]);
        }
    };
    run(&[printed.text("publish").to_owned()]);
    for (id, language) in [
        ("github-actions", "yaml"),
        ("gitlab-ci", "yaml"),
        ("jenkins", "groovy"),
        ("github-actions-publish", "yaml"),
        ("gitlab-ci-publish", "yaml"),
        ("jenkins-publish", "groovy"),
        ("dockerfile", "dockerfile"),
    ] {
        let pieces = shell_of::text(language, printed.text(id));
        assert!(pieces.len() >= 2, "{id}: {pieces:?}");
        let whole = if id == "dockerfile" { vec![pieces.join("\n")] } else { pieces };
        run(&whole);
    }
}

#[test]
fn private_paths_and_the_shell_are_chosen_on_the_page() {
    let server = server_with(&[]);
    let shown = scenario(&server, "setup/chosen", &json!({"own": "git.corp.example/*"}));
    let machine = Machine::new();
    machine.sh(&machine.work(), shown["shell"].as_str().expect("lines")).succeeded();
    machine.go(&machine.work(), "env GONOSUMDB").succeeded().says(&["git.corp.example/*"]);
}
