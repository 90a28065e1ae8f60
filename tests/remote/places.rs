//! Addresses that nobody may name as an upstream, an administrator included, however they are written.

use serde_json::json;

use crate::harness::outside::Outside;
use crate::harness::server::Server;

/// Spellings of addresses that are closed; the guard's own test has the same.
const ADDRESSES: &str = include_str!("../fixtures/closed-addresses.txt");

/// Names of this machine, which lead to such addresses.
const NAMES: [&str; 3] = ["localhost", "LOCALHOST", "%6c%6f%63%61%6c%68%6f%73%74"];

/// Addresses that are none for an upstream, whatever they lead to.
const MALFORMED: &[&str] = &[
    "ftp://upstream.example",
    "file:///etc/passwd",
    "gopher://upstream.example",
    "data:,x",
    "//upstream.example",
    "upstream.example",
    "https://",
    "https://user@upstream.example",
    "https://user:password@upstream.example",
    "https://upstream.example/?x=1",
    "https://upstream.example/#x",
    "https://[::1",
    "https://upstream.example:99999",
    "direct",
    "off",
    "",
    "off,https://upstream.example",
];

#[test]
fn no_spelling_of_a_closed_address_is_accepted_and_nobody_is_called() {
    let addresses = ADDRESSES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let closed: Vec<_> = addresses.chain(NAMES).collect();
    assert!(closed.len() >= 60, "S5 asks for sixty");
    let (server, there) = (Server::start(), Outside::without_modules());
    let port = there.url.rsplit(':').next().expect("a port");
    for (scheme, allow_http) in [("https", false), ("http", true)] {
        for host in &closed {
            let url = format!("{scheme}://{host}:{port}/go");
            let repository = json!({
                "format": "go", "name": "m", "kind": "remote",
                "upstream": { "url": url, "allow_http": allow_http },
            });
            let answer = server.api("POST", "/api/repositories", Some(&repository));
            assert_eq!(answer.status, 400, "S5 {url}: {}", answer.text());
            let document = answer.json();
            assert_eq!(
                (&document["code"], &document["errors"][0]["field"]),
                (&json!("invalid_field"), &json!("upstream.url")),
                "S5 {url}"
            );
        }
    }
    assert_eq!(there.requests(), [""; 0], "S5: a connection was made");
}

#[test]
fn what_is_no_address_of_an_upstream_is_refused_without_showing_a_password() {
    let server = Server::start();
    for url in MALFORMED {
        let repository = json!({ "format": "go", "name": "m", "kind": "remote", "upstream": { "url": url } });
        let answer = server.api("POST", "/api/repositories", Some(&repository));
        assert_eq!(answer.status, 400, "{url}: {}", answer.text());
        assert!(!answer.text().contains("password@") && !answer.text().contains(":password"), "{}", answer.text());
    }
    let plain =
        json!({ "format": "go", "name": "m", "kind": "remote", "upstream": { "url": "http://upstream.example" } });
    let answer = server.api("POST", "/api/repositories", Some(&plain)).expect(400);
    assert!(answer.text().contains("allow_http"), "{}", answer.text());
}

#[test]
fn an_address_that_was_allowed_once_is_checked_again_when_it_is_used() {
    let upstream = Outside::answering(200, "v1.0.0\n");
    let mut server = Server::with(&[("KEEPER_NETWORK_ALLOW", "127.0.0.1")]);
    let repository = json!({
        "format": "go", "name": "m", "kind": "remote", "anonymous_read": true,
        "upstream": { "url": upstream.url, "allow_http": true, "index_seconds": 0 },
    });
    server.create_repository(&repository);
    let list = |server: &Server| crate::harness::http::get(&format!("{}/example.com/m/@v/list", server.go("m")));
    list(&server).expect(200);
    let asked = upstream.requests().len();
    server.stop();
    server.set("KEEPER_NETWORK_ALLOW", "");
    server.start_again();
    assert_eq!(list(&server).expect(200).text(), "v1.0.0\n", "what is here is told, though it is old");
    let fresh = crate::harness::http::get(&format!("{}/example.com/n/@v/list", server.go("m")));
    assert_eq!((fresh.status, fresh.header("x-error-code")), (502, Some("upstream_unreachable")));
    assert_eq!(upstream.requests().len(), asked, "S5");
}
