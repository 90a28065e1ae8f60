//! What the owner of the data folder can do without any credential: with a server that runs, and without one.

use serde_json::json;

use super::server;
use crate::harness::people::{Credential, ask};
use crate::harness::people::{PASSWORD, person, session, sign_in, token};

#[test]
fn tokens_are_listed_and_revoked() {
    let mut server = server(&[]);
    person(&server, "ann");
    server.api("PATCH", "/api/users/ann", Some(&json!({"admin": true}))).expect(200);
    let [(one, one_id), (other, other_id)] =
        ["go/private", "go/local"].map(|at| token(&server, "ann", &["read"], &[at]));
    let listed = server.command("token list --user ann").succeeded();
    let lines: Vec<_> = listed.stdout().lines().map(str::to_owned).collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&one_id) && lines[1].starts_with(&other_id), "{lines:?}");
    assert!(!listed.stdout().contains(&one) && lines[0].contains("go/private"), "{lines:?}");

    let status = |server: &crate::harness::server::Server, token: &str| {
        ask(server, "GET", "/api/me", &Credential::Bearer(token.to_owned()), None).status
    };
    assert_eq!(status(&server, &one), 200);
    server.command(&format!("token revoke {one_id}")).succeeded();
    assert_eq!(status(&server, &one), 401, "at once, in the running server");
    server.command(&format!("token revoke {one_id}")).failed();
    server.command("token revoke x").failed();
    server.stop();
    server.command(&format!("token revoke {other_id}")).succeeded();
    assert_eq!(server.command("token list --user ann").succeeded().stdout(), "");
    server.start_again();
    assert_eq!(status(&server, &other), 401);
}

#[test]
fn whoever_is_locked_out_gets_a_new_password() {
    let mut server = server(&[]);
    person(&server, "ann");
    let cookie = Credential::Cookie(session(&server, "ann"));
    ask(&server, "GET", "/api/me", &cookie, None).expect(200);
    server.api("PATCH", "/api/users/ann", Some(&json!({"disabled": true}))).expect(200);
    let online = server.command("user set-password ann").succeeded();
    sign_in(&server, "ann", PASSWORD).expect(401);
    sign_in(&server, "ann", online.stdout().trim()).expect(201);
    ask(&server, "GET", "/api/me", &cookie, None).expect(401);
    server.command("user set-password nobody").failed();
    assert!(!server.output().contains(online.stdout().trim()), "a secret is in the log");
    server.stop();
    let offline = server.command("user set-password admin").succeeded();
    server.start_again();
    sign_in(&server, "admin", offline.stdout().trim()).expect(201);
}
