//! Users, what they were given, and the credentials that they come with.
//!
//! Everybody here has the same password. A cookie is sent the way a page of the server sends it.

use serde_json::{Value, json};

use super::http::{Response, send};
use super::server::Server;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "tests-only-Kx7pQ2vNw9";

/// What is sent with a request.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// `Authorization: Bearer`.
    Bearer(String),
    /// `Authorization: Basic`, the token as the password.
    Basic(String),
    /// The cookie of a session, from a page of the server.
    Cookie(String),
}

/// A request with a credential; the body is JSON or nothing.
pub(crate) fn ask(server: &Server, method: &str, path: &str, who: &Credential, body: Option<&Value>) -> Response {
    let body = body.map(Value::to_string).unwrap_or_default();
    ask_with(server, method, path, who, "application/json", body.as_bytes())
}

/// The same with any body.
pub(crate) fn ask_with(
    server: &Server,
    method: &str,
    path: &str,
    who: &Credential,
    content_type: &str,
    body: &[u8],
) -> Response {
    let mut headers = Vec::new();
    match who {
        Credential::None => {}
        Credential::Bearer(token) => headers.push(("Authorization", format!("Bearer {token}"))),
        Credential::Basic(token) => headers.push(("Authorization", basic(token))),
        Credential::Cookie(pair) => {
            headers.push(("Cookie", pair.clone()));
            headers.push(("Sec-Fetch-Site", "same-origin".to_owned()));
            headers.push(("X-Keeper-Request", "1".to_owned()));
        }
    }
    if !body.is_empty() {
        headers.push(("Content-Type", content_type.to_owned()));
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(method, &format!("{}{path}", server.url), &headers, body)
}

/// A token as the password of whatever login.
pub(crate) fn basic(token: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("ci:{token}").as_bytes()))
}

/// A new person with the password of everybody.
pub(crate) fn person(server: &Server, login: &str) {
    let body = json!({"login": login, "password": PASSWORD});
    server.api("POST", "/api/users", Some(&body)).expect(201);
}

/// Gives a role on repositories to a user; its id.
pub(crate) fn grant(server: &Server, login: &str, repositories: &str, role: &str) -> String {
    let body = json!({"user": login, "repositories": repositories, "role": role});
    id(&server.api("POST", "/api/grants", Some(&body)).expect(201).json())
}

/// A new token of a user, and its id.
pub(crate) fn token(server: &Server, owner: &str, actions: &[&str], repositories: &[&str]) -> (String, String) {
    let body = json!({"name": owner, "owner": owner, "actions": actions, "repositories": repositories});
    let made = server.api("POST", "/api/tokens", Some(&body)).expect(201).json();
    (made["token"].as_str().expect("a text").to_owned(), id(&made["details"]))
}

/// A try to sign in.
pub(crate) fn sign_in(server: &Server, login: &str, password: &str) -> Response {
    ask(server, "POST", "/api/session", &Credential::None, Some(&json!({"login": login, "password": password})))
}

/// A new session of a person: its cookie, as it is sent back.
pub(crate) fn session(server: &Server, login: &str) -> String {
    cookie(&sign_in(server, login, PASSWORD).expect(201))
}

/// The cookie that an answer sets, as it is sent back.
pub(crate) fn cookie(answer: &Response) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("a pair").to_owned()
}

/// The id in an answer.
pub(crate) fn id(record: &Value) -> String {
    record["id"].as_str().unwrap_or_else(|| panic!("no id in {record}")).to_owned()
}
