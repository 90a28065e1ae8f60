//! When a client does not get what it wants: the doctor finds what is wrong with its settings, and the explanation
//! says what the server does.

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::company::{Company, MYMODULE};
use crate::harness::database::sql;
use crate::harness::http::{self, Response};
use crate::harness::machine::Machine;
use crate::harness::raw_form::RawForm;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// What the doctor says of a machine whose reader does as the guide says.
fn diagnosis(machine: &Machine, server: &Server, more: &str) -> Value {
    let script = format!(
        "go env -json | curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary @- \
         '{}/api/doctor?format=go{more}'",
        server.url
    );
    serde_json::from_str(machine.sh(&machine.work(), &script).succeeded().stdout()).expect("JSON")
}

fn codes(diagnosis: &Value) -> Vec<&str> {
    let findings = diagnosis["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect()
}

#[test]
fn the_commands_of_the_doctor_mend_what_kept_go_from_a_module() {
    let server = Server::start();
    Company::new().publish(&server);
    let settings = json!({"settings": {"nosumdb": ["github.com/yourcompany"]}});
    server.api("PATCH", "/api/repositories/go/local", Some(&settings)).expect(200);
    let keeper = server.go("local");
    let rows = [
        ("", &["proxy_missing", "checksum_database_asked"][..]),
        (&*format!("go env -w GOPROXY={keeper}"), &["checksum_database_asked"]),
        (&format!("go env -w GOPROXY={keeper} GOPRIVATE=github.com/yourcompany"), &["proxy_bypassed"]),
        (&format!("go env -w GOPROXY=direct,{keeper} GONOSUMDB=github.com/yourcompany"), &["proxy_unreachable"]),
        (
            &format!("go env -w GOPROXY={}/go/lokal", server.url),
            &["proxy_unknown_repository", "checksum_database_asked"],
        ),
        (
            &format!("go env -w GOPROXY={}", keeper.replace("//", "//ci:secret@")),
            &["password_in_address", "checksum_database_asked"],
        ),
    ];
    for (broken, wanted) in rows {
        let machine = Machine::new();
        let project = machine.project("app");
        let get = format!("get {MYMODULE}@v1.0.0");
        machine.sh(&project, broken).succeeded();
        machine.go(&project, &get).failed();
        let found = diagnosis(&machine, &server, "");
        assert_eq!((codes(&found), &found["healthy"]), (wanted.to_vec(), &json!(false)), "{broken}: {found:#}");
        assert!(!found.to_string().contains("secret"), "{found:#}");
        let commands = found["findings"].as_array().expect("findings").iter().flat_map(|finding| {
            finding["commands"].as_array().expect("commands").iter().map(|command| command.as_str().expect("a text"))
        });
        machine.sh(&project, &commands.collect::<Vec<_>>().join("\n")).succeeded();
        machine.go(&project, &get).succeeded();
        let healed = diagnosis(&machine, &server, &format!("&repository=local&package={MYMODULE}"));
        assert_eq!((codes(&healed), &healed["healthy"]), (vec![], &json!(true)), "{broken}: {healed:#}");
    }
}

#[test]
fn the_doctor_is_for_those_who_may_read() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    let ask = |query: &str, body: &str| {
        let headers = [("Content-Type", "application/json")];
        http::send("POST", &format!("{}/api/doctor?{query}", server.url), &headers, body.as_bytes())
    };
    let rows = [
        ("format=go&repository=private", "{}", 401, "login_required"),
        ("format=go&repository=absent", "{}", 401, "login_required"),
        ("format=npm", "{}", 400, "unknown_format"),
        ("format=go", "{}", 400, "invalid_field"),
        ("format=go", "{", 400, "invalid_json"),
        ("format=go&package=%01", r#"{"GOPROXY": ""}"#, 400, "invalid_field"),
        ("", "{}", 400, "invalid_field"),
    ];
    for (query, body, status, code) in rows {
        let answer = ask(query, body);
        assert_eq!((answer.status, answer.header("x-error-code")), (status, Some(code)), "{query} {body}");
    }
    // A client that prints no JSON is reported as a text.
    let report = json!(r#"{"GOPROXY": "off"}"#).to_string();
    assert_eq!(codes(&ask("format=go", &report).expect(200).json()), ["proxy_off"]);
}

/// The explanation that this token gets; an empty one is a stranger's.
fn explained(server: &Server, token: &str, query: &str) -> Value {
    read(server, token, &format!("/api/explain?format=go&{query}")).expect(200).json()
}

fn read(server: &Server, token: &str, path: &str) -> Response {
    server.send(Some(token).filter(|token| !token.is_empty()), "GET", path, &[], &[])
}

/// Each answer of an explanation is what a real request for its path gets.
fn agrees(server: &Server, token: &str, explanation: &Value) {
    let answers = explanation["answers"].as_array().expect("answers");
    for answer in answers {
        let real = read(server, token, answer["path"].as_str().expect("a path"));
        let code = answer["code"].as_str();
        assert_eq!((json!(real.status), real.header("x-error-code")), (answer["status"].clone(), code), "{answer}");
    }
}

#[test]
fn every_state_is_explained_as_it_is_served() {
    let mut server = Server::start();
    for version in ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"] {
        let module = RawForm::module("example.com/m", version).file(archives::module(b"module example.com/m\n"));
        let artifact = module.send(&server).expect(201).json();
        if version == "v1.3.0" {
            let path = format!("/api/artifacts/{}?reason=a%20leak", artifact["id"].as_str().expect("an id"));
            server.api("DELETE", &path, None).expect(204);
        }
    }
    server.stop();
    for (version, state) in [("v1.1.0", "yanked"), ("v1.2.0", "blocked")] {
        let set = format!("UPDATE artifacts SET state = '{state}', state_reason = 'CVE-1' WHERE version = '{version}'");
        sql(&server, &set);
    }
    server.start_again();
    let rows = [
        ("package=example.com/m&version=v1.0.0", 200, None, "policy", "listed and served"),
        ("package=example.com/m&version=v1.1.0", 200, None, "policy", "left out of lists"),
        ("package=example.com/m&version=v1.2.0", 403, Some("blocked"), "policy", "CVE-1"),
        ("package=example.com/m&version=v1.3.0", 410, Some("deleted"), "policy", "a leak"),
        ("package=example.com/m&version=v9.0.0", 404, Some("version_not_found"), "version", "never published"),
        ("package=example.com/n&version=v1.0.0", 404, Some("module_not_found"), "package", "never published"),
        ("package=example.com/m&version=main", 404, Some("version_not_found"), "package", "1 of them listed"),
        ("package=example.com/m", 200, None, "package", "4 published"),
        ("package=no%20path", 404, Some("module_not_found"), "request", "no module path"),
    ];
    for (query, status, code, subject, said) in rows {
        let told = explained(&server, "", &format!("repository=local&{query}"));
        assert_eq!((told["status"].as_u64(), told["code"].as_str()), (Some(status), code), "{query}: {told:#}");
        let last = told["steps"].as_array().expect("steps").last().expect("a step");
        assert_eq!(last["subject"], subject, "{query}: {told:#}");
        assert!(last["detail"].as_str().expect("a text").contains(said), "{query}: {last:#}");
        agrees(&server, "", &told);
    }
}

#[test]
fn a_private_repository_is_explained_as_it_is_served() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    let module = RawForm::module("example.com/m", "v1.0.0").text("repository", "private");
    module.file(archives::module(b"module example.com/m\n")).send(&server).expect(201);
    let outsider = server.token("--name outsider --actions read --repositories go/local");
    let reader = server.token("--name reader --actions read --repositories go/private");
    let query = |name: &str| format!("repository={name}&package=example.com/m&version=v1.0.0");
    for (token, status, code) in [("", 401, "login_required"), (&outsider, 403, "repository_unavailable")] {
        let told = |name: &str| explained(&server, token, &query(name)).to_string().replace(name, "NAME");
        assert_eq!(told("private"), told("absent"), "what is hidden looks absent");
        let told = explained(&server, token, &query("private"));
        assert_eq!((told["status"].clone(), told["code"].clone()), (json!(status), json!(code)), "{told:#}");
        let real = read(&server, token, "/go/private/example.com/m/@v/v1.0.0.info");
        assert_eq!((real.status, real.header("x-error-code")), (status, Some(code)));
    }
    for token in [&*reader, ADMIN_TOKEN] {
        let told = explained(&server, token, &query("private"));
        assert_eq!(told["status"], 200, "{told:#}");
        assert_eq!(told["answers"].as_array().map(Vec::len), Some(3));
        agrees(&server, token, &told);
    }
}
