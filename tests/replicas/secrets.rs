//! The key of secrets is one for all servers, or credentials are trouble where they cannot be opened; they are never left
//! out.

use serde_json::json;

use super::pair::Pair;
use crate::harness::outside::Outside;
use crate::harness::server::Server;
use crate::harness::wait;

const NETWORK: (&str, &str) = ("KEEPER_NETWORK_ALLOW", "127.0.0.1");

/// A repository whose upstream wants credentials, made at one of them.
fn make(server: &Server, upstream: &Outside) {
    let upstream = json!({"url": upstream.url, "allow_http": true, "credentials": {"token": "abc"}});
    let made = json!({
        "format": "generic", "name": "up", "kind": "remote", "anonymous_read": true, "upstream": upstream
    });
    server.api("POST", "/api/repositories", Some(&made)).expect(201);
}

fn fetch(server: &Server, file: &str) -> (u16, String) {
    let answer = server.send(None, "GET", &format!("/generic/up/tool/1/{file}"), &[], b"");
    (answer.status, answer.header("x-error-code").unwrap_or_default().to_owned())
}

#[test]
fn servers_that_start_at_once_on_one_key_file_have_one_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("secrets.key").display().to_string();
    let pair = Pair::start(&[NETWORK, ("KEEPER_SECRETS_KEY_FILE", &key)]);
    let [one, other] = pair.servers();
    let upstream = Outside::answering(404, "no\n");
    make(one, &upstream);
    wait::until("the other knows the repository", || fetch(other, "a").1 != "repository_not_found");
    for server in [one, other] {
        assert_eq!(fetch(server, "b").0, 404);
    }
    let heads = upstream.heads();
    assert!(!heads.is_empty() && heads.iter().all(|head| head.contains("authorization: bearer abc")), "{heads:?}");
}

#[test]
fn a_server_with_another_key_asks_nobody_and_says_so() {
    let mut pair = Pair::start(&[NETWORK]);
    let upstream = Outside::answering(404, "no\n");
    let [one, other] = pair.servers();
    make(one, &upstream);
    wait::until("the other knows the repository", || {
        let status = other.api("GET", "/api/repositories/generic/up", None).status;
        status == 200
    });
    assert_eq!(fetch(one, "a").0, 404);
    let asked = upstream.heads().len();
    for file in ["a", "b"] {
        assert_eq!(fetch(other, file), (502, "upstream_auth".to_owned()), "not the absence that a stranger hears of");
    }
    assert_eq!(upstream.heads().len(), asked, "nobody is asked without credentials");
    assert!(other.output().contains("KEEPER_SECRETS_KEY_FILE"), "{}", other.output());
    // It does not start again so, and does with the key.
    let key = one.data().join("secrets.key").display().to_string();
    let other = pair.server(1);
    other.stop();
    let refused = other.command("serve").says(&["generic/up", "all servers on one database need the same"]);
    assert_eq!(refused.code(), Some(2));
    other.set("KEEPER_SECRETS_KEY_FILE", &key);
    other.start_again();
    assert_eq!(fetch(other, "b").0, 404);
    let heads = upstream.heads();
    assert!(heads.len() > asked && heads.iter().all(|head| head.contains("authorization: bearer abc")), "{heads:?}");
}
