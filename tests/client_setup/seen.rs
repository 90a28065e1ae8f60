//! Whether somebody's client arrives: what the set-up page shows of it.

use serde_json::{Value, json};

use crate::harness::people::{Credential, ask, grant, person, session, token};
use crate::harness::server::Server;

#[test]
fn a_client_is_seen_by_its_owner_and_by_nobody_else() {
    let server = Server::with(&[]);
    for (name, anonymous_read) in [("private", false), ("open", true)] {
        let repository = json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": anonymous_read});
        server.create_repository(&repository);
    }
    for login in ["ann", "bob"] {
        person(&server, login);
        grant(&server, login, "go/*", "reader");
    }
    let (text, id) = token(&server, "ann", &["read"], &["go/*"]);
    let (client, browser) = (Credential::Basic(text), Credential::Cookie(session(&server, "ann")));
    let other = Credential::Cookie(session(&server, "bob"));
    let last = |who: &Credential, repository: &str| -> Value {
        let path = format!("/api/repositories/go/{repository}/setup/seen");
        ask(&server, "GET", &path, who, None).expect(200).json()["last_read"].clone()
    };
    assert_eq!(last(&browser, "private"), Value::Null, "nothing came yet");

    let path = "/go/private/example.com/m/@v/v1.0.0.mod";
    ask(&server, "GET", path, &client, None).expect(404);
    let seen = last(&browser, "private");
    let told = ["path", "token_name", "code"].map(|field| seen[field].as_str().unwrap_or_default().to_owned());
    assert_eq!(told, [path, "ann", "module_not_found"], "also what was refused: {seen}");
    assert!(seen["display"].as_str().is_some_and(|display| display.starts_with("akp_")), "{seen}");
    assert_eq!(last(&client, "private"), seen, "the token sees it, too");
    assert_eq!(last(&other, "private"), Value::Null, "nobody else");
    assert_eq!(last(&browser, "open"), Value::Null, "no other repository");

    let list = "/go/open/example.com/m/@v/list";
    ask(&server, "GET", list, &Credential::None, None);
    ask(&server, "GET", list, &browser, None);
    assert_eq!(last(&browser, "open"), Value::Null, "what comes without a token is nobody's");
    assert_eq!(last(&Credential::None, "open"), Value::Null);
    server.api("DELETE", &format!("/api/tokens/{id}"), None).expect(204);
    assert_eq!(last(&browser, "private"), Value::Null, "a token that was revoked is no client's");
}
