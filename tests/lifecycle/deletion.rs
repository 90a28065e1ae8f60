//! A deleted repository is gone at once, for good, and whole, also when the server is killed on the way.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::workshop::{assert_sound, blobs, gc, publish_to, server};
use crate::harness::http;
use crate::harness::random::Random;
use crate::harness::refusal;
use crate::harness::server::Server;
use crate::harness::wait::until;

const TEAM: &str = "/api/repositories/go/team";

fn with_team(settings: &[(&str, &str)]) -> Server {
    let server = server(settings);
    server.create_repository(&json!({ "format": "go", "name": "team", "kind": "hosted", "anonymous_read": true }));
    server
}

fn create(server: &Server) -> http::Response {
    let team = json!({ "format": "go", "name": "team", "kind": "hosted", "anonymous_read": true });
    server.api("POST", "/api/repositories", Some(&team))
}

fn live(server: &Server, repository: &str) -> usize {
    let page = server.api("GET", &format!("/api/artifacts?limit=200&repository={repository}"), None).expect(200).json();
    page["items"].as_array().map_or(0, Vec::len)
}

/// The removal is over when the name can be released and taken.
fn removed(server: &Server) {
    until("the name can be taken", || create(server).status == 201);
}

#[test]
fn a_repository_with_versions_is_deleted_only_when_that_is_said() {
    let server = with_team(&[("KEEPER_GC_MAX_PERCENT", "100"), refusal::LOG]);
    let url = format!("{}/example.com/m/@v/list", server.go("team"));
    for number in 0..3 {
        publish_to(&server, "team", "example.com/m", number, number).expect(201);
    }
    publish_to(&server, "local", "example.com/kept", 0, 9).expect(201);
    refusal::problem("D", &server.api("DELETE", TEAM, None), 409, &["repository_not_empty"]);
    assert_eq!(live(&server, "team"), 3);
    server.api("DELETE", &format!("{TEAM}?force=true"), None).expect(204);
    server.api("GET", TEAM, None).expect(404);
    assert_eq!(http::get(&url).status, 401, "a reader is told what he is told of one that never was");
    let absent = http::get(&url.replace("team", "neverwas"));
    assert_eq!(http::get(&url).text().replace("team", "neverwas").len(), absent.text().len());
    // It may be on its way out still, or gone; its name is not free in either case.
    let taken = create(&server);
    let code = taken.json()["code"].as_str().map(str::to_owned);
    assert!(
        taken.status == 409 && matches!(code.as_deref(), Some("repository_exists" | "repository_deleting")),
        "{code:?}"
    );
    until("the removal is over", || create(&server).json()["code"] == "repository_exists");
    assert!(create(&server).json()["hint"].as_str().is_some_and(|hint| hint.contains("release_name")));
    gc(&server, "--confirm");
    assert_eq!(blobs(&server).len(), 1, "its bytes are gone, the others are not");
    assert_sound(&server);

    server.api("DELETE", &format!("{TEAM}?release_name=true"), None).expect(204);
    create(&server).expect(201);
    let again = publish_to(&server, "team", "example.com/m", 0, 0).expect(410);
    assert_eq!(again.text("code"), "version_deleted", "a number used under this name stays taken");
    publish_to(&server, "team", "example.com/m", 3, 3).expect(201);
    let counts = server.api("GET", TEAM, None).expect(200).json()["counts"].clone();
    assert_eq!(counts["artifacts"], 1, "{counts}");
    assert_sound(&server);
}

#[test]
fn an_empty_one_goes_without_force_and_one_that_never_deletes_stays() {
    let server = with_team(&[]);
    server.api("DELETE", TEAM, None).expect(204);
    until("it is gone", || server.api("DELETE", TEAM, None).status == 404);
    let archive = json!({ "format": "go", "name": "archive", "kind": "hosted", "deletion": "never" });
    server.create_repository(&archive);
    publish_to(&server, "archive", "example.com/m", 0, 0).expect(201);
    let path = "/api/repositories/go/archive?force=true";
    assert_eq!(server.api("DELETE", path, None).expect(409).json()["code"], "deletion_forbidden");
    assert_eq!(live(&server, "archive"), 1);
}

#[test]
fn only_who_manages_a_repository_deletes_it_and_only_an_administrator_frees_its_name() {
    let server = with_team(&[]);
    let send = |actions: &str, query: &str| {
        let token = server.token(&format!("--name t --actions {actions} --repositories go/team"));
        let authorization = format!("Bearer {token}");
        let answer =
            http::send("DELETE", &format!("{}{TEAM}{query}", server.url), &[("Authorization", &authorization)], b"");
        (answer.status, answer.header("x-error-code").map(str::to_owned))
    };
    assert_eq!(send("read,publish,delete", ""), (403, Some("manage_denied".to_owned())));
    assert_eq!(send("manage", "?release_name=true"), (403, Some("admin_required".to_owned())));
    assert_eq!(send("manage", ""), (204, None));
}

#[test]
fn a_removal_that_was_killed_goes_on_where_it_was() {
    let mut chance = Random::of("killed removal");
    let mut server = with_team(&[("KEEPER_LOG", "info,keeper_core=error")]);
    let versions = 60;
    for round in 0..3_u64 {
        for number in 0..versions {
            publish_to(&server, "team", "example.com/m", 1_000 * round + number, number).expect(201);
        }
        server.api("DELETE", &format!("{TEAM}?force=true&release_name=true"), None).expect(204);
        // A moment that nobody can foresee is the point here.
        thread::sleep(Duration::from_millis(chance.below(20)));
        server.kill();
        server.start_again();
        assert_eq!(live(&server, "team"), 0, "it is hidden whatever was removed");
        removed(&server);
        assert_eq!(live(&server, "team"), 0, "nothing of it is left");
        let counts = server.api("GET", TEAM, None).expect(200).json()["counts"].clone();
        assert_eq!((&counts["artifacts"], &counts["bytes"]), (&Value::from(0), &Value::from(0)), "{counts}");
        assert_sound(&server);
    }
}
