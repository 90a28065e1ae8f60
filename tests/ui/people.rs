//! Signing in, tokens, rights and administration in the browser.

use std::fs;

use serde_json::json;

use super::{publish, scenario, server, server_with};
use crate::harness::archives;
use crate::harness::machine::Machine;
use crate::harness::people::{grant, person, session, token};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::wait;

/// With the private repositories `go/private` and `go/hidden`, and a reader of the first.
fn company() -> Server {
    let server = server();
    for name in ["private", "hidden"] {
        server.create_repository(&json!({"format": "go", "name": name, "kind": "hosted"}));
    }
    person(&server, "rita");
    grant(&server, "rita", "go/private", "reader");
    server
}

#[test]
fn a_session_begins_with_the_right_password_and_leads_to_this_server_only() {
    scenario(&server(), "people/session", &json!({"login": "admin"}));
}

#[test]
fn a_form_outlives_the_session() {
    scenario(&server(), "people/expired", &json!({}));
}

#[test]
fn a_token_is_shown_once_works_and_ends_when_it_is_revoked() {
    let server = server();
    let token = scenario(&server, "people/tokenOnce", &json!({}))["token"].as_str().expect("a token").to_owned();
    server.send(Some(&token), "GET", "/api/me", &[], b"").expect(200);
    assert!(!server.output().contains(&token), "the token is in the log");
    scenario(&server, "people/revoke", &json!({}));
    server.send(Some(&token), "GET", "/api/me", &[], b"").expect(401);
}

/// Over TLS, for the `go` command sends nothing from `.netrc` otherwise.
#[test]
fn a_token_of_the_page_serves_the_go_command_until_it_is_revoked() {
    const M: &str = "example.com/m";
    let server = server_with(&[("KEEPER_TLS_SELF_SIGNED", "true"), ("KEEPER_ANONYMOUS_READ", "false")]);
    let token = scenario(&server, "people/tokenOnce", &json!({}))["token"].as_str().expect("a token").to_owned();
    let machine = Machine::new().with("SSL_CERT_FILE", server.authority()).with("CURL_CA_BUNDLE", server.authority());
    let machine = machine.with("GOPROXY", server.go("local")).with("GOSUMDB", "off").with("GOFLAGS", "-mod=mod");
    let publish = format!(
        "curl -sS --fail-with-body -H \"Authorization: Bearer $ADMIN\" -F file=@m.zip -F format=go -F name={M} \
         -F version=v1.0.0 {}/api/artifacts",
        server.url
    );
    let machine = machine.with("ADMIN", ADMIN_TOKEN);
    let netrc = format!("machine {} login any password {token}\n", server.host());
    fs::write(machine.home().join(".netrc"), netrc).expect("a home");
    fs::write(machine.work().join("m.zip"), archives::module(format!("module {M}\n").as_bytes())).expect("a folder");
    machine.sh(&machine.work(), &publish).succeeded();
    let project = machine.project("app");
    machine.go(&project, &format!("get {M}@v1.0.0")).succeeded().never_says(&[&token]);
    scenario(&server, "people/revoke", &json!({}));
    machine.go(&project, "clean -modcache").succeeded();
    machine.go(&project, &format!("list -m -versions {M}")).failed().says(&["401"]).never_says(&[&token]);
    assert!(!server.output().contains(&token), "the token is in the log");
}

#[test]
fn what_somebody_may_not_do_is_not_offered() {
    scenario(&company(), "people/rights", &json!({"reader": "rita"}));
}

#[test]
fn a_grant_shows_at_once_with_its_reason() {
    let server = company();
    person(&server, "paul");
    scenario(&server, "people/grants", &json!({"login": "paul"}));
}

#[test]
fn two_who_edit_one_repository_lose_nothing() {
    scenario(&server(), "people/conflict", &json!({}));
}

#[test]
fn every_page_of_the_administration_stands() {
    let server = company();
    publish(&server, "example.com/m", "v1.0.0", &[]);
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    server.api("PUT", "/api/groups/team/members/rita", None).expect(204);
    let paths = [
        "/admin/repositories",
        "/admin/repositories/new",
        "/admin/repositories/go/local",
        "/admin/users",
        "/admin/users/rita",
        "/admin/groups",
        "/admin/groups/team",
        "/admin/tokens",
        "/admin/permissions?repo=go/private",
        "/admin/system",
        "/me/tokens",
    ];
    scenario(&server, "people/administration", &json!({"paths": paths}));
}

#[test]
fn a_token_for_some_packages_publishes_these_and_no_other() {
    let server = server();
    let token = scenario(&server, "people/tokenForPackages", &json!({"packages": "example.com/team/*"}));
    let token = token["token"].as_str().expect("a token");
    let publish = |name: &str| {
        let form = RawForm::module(name, "v1.0.0");
        let form = form.file(archives::module(format!("module {name}\n").as_bytes())).finished();
        server.send(Some(token), "POST", "/api/artifacts", &[("Content-Type", &raw_form::content_type())], &form)
    };
    publish("example.com/team/m").expect(201);
    let refused = publish("example.com/other").expect(403).json();
    let told = refused.to_string();
    assert!(
        refused["code"] == "publish_denied" && told.contains("example.com/team/*"),
        "the rule that refused: {told}"
    );
}

#[test]
fn the_audit_shows_what_was_done_and_exports_it() {
    let server = company();
    publish(&server, "example.com/m", "v1.0.0", &[]);
    let (token, id) = token(&server, "rita", &["read"], &["go/private"]);
    let denied = server.send(Some(&token), "DELETE", "/api/repositories/go/private", &[], b"");
    assert_eq!(denied.status, 403);
    server.api("DELETE", &format!("/api/tokens/{id}"), None).expect(204);
    session(&server, "rita");
    // Refusals are written down a little later, many of a kind as one.
    let refusals = || server.api("GET", "/api/audit?actor=rita&outcome=denied", None).expect(200).json();
    wait::until("the refusal is in the audit", || refusals()["items"].as_array().is_some_and(|rows| !rows.is_empty()));
    let done = [
        ("publish", "admin", "example.com/m@v1.0.0"),
        ("repository.create", "admin", "go/hidden"),
        ("grant.create", "admin", "rita"),
        ("token.create", "admin", "akp_"),
        ("token.revoke", "admin", "akp_"),
        ("session.create", "rita", "rita"),
    ];
    scenario(&server, "people/audit", &json!({"done": done, "refused": "rita"}));
}

#[test]
fn an_administrator_sees_everybodys_tokens_and_ends_their_sessions() {
    let server = company();
    let body = json!({"name": "of-rita", "owner": "rita", "actions": ["read"], "repositories": ["go/private"]});
    server.api("POST", "/api/tokens", Some(&body)).expect(201);
    scenario(&server, "people/others", &json!({"login": "rita", "token": "of-rita"}));
}
