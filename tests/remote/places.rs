//! Addresses that nobody may name as an upstream, an administrator included, however they are written.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use crate::harness::outside::Outside;
use crate::harness::server::Server;

/// What servers of the tests lack: else this rule alone would refuse everything here.
const PUBLIC: (&str, &str) = ("KEEPER_NETWORK_PUBLIC", "true");

/// Spellings of addresses that are closed; the guard's own test has the same.
const ADDRESSES: &str = include_str!("../fixtures/closed-addresses.txt");

/// Names of this machine, which lead to such addresses.
const NAMES: [&str; 4] = ["localhost", "LOCALHOST", "LOCALHOST.", "%6c%6f%63%61%6c%68%6f%73%74"];

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
    let (server, there) = (Server::with(&[PUBLIC]), Outside::without_modules());
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
fn a_name_is_judged_by_what_it_means_at_each_connection() {
    let there = TcpListener::bind("127.0.0.1:0").expect("a free port");
    there.set_nonblocking(true).expect("a listener");
    let port = there.local_addr().expect("a bound listener").port();
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts");
    let names = |address: &str| fs::write(&hosts, format!("{address} rebinding.example\n")).expect("written");
    // An address of the public network, at which nobody is called: an upstream is only looked up when it is named.
    names("192.0.1.1");
    let mut server = Server::with(&[PUBLIC]);
    server.stop();
    server.know_names_by(&hosts);
    server.start_again();
    for (number, later) in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"].iter().enumerate() {
        names("192.0.1.1");
        server.create_repository(&json!({
            "format": "go", "name": format!("m{number}"), "kind": "remote", "anonymous_read": true,
            "upstream": { "url": format!("https://rebinding.example:{port}") },
            "settings": { "checksum_database": "off", "verify": "off" },
        }));
        names(later);
        let list = format!("{}/example.com/m/@v/list", server.go(&format!("m{number}")));
        let answer = crate::harness::http::get(&list);
        assert_eq!((answer.status, answer.header("x-error-code")), (502, Some("upstream_unreachable")), "S5 {later}");
        assert!(server.output().contains("blocked_address: rebinding.example"), "S5 {later}");
    }
    assert!(there.accept().is_err(), "S5: a connection was made");
}

#[test]
fn no_server_of_the_tests_reaches_the_world() {
    let server = Server::start();
    let repository =
        json!({ "format": "go", "name": "m", "kind": "remote", "upstream": { "url": "https://192.0.1.1" } });
    let answer = server.api("POST", "/api/repositories", Some(&repository)).expect(400);
    assert!(answer.text().contains("192.0.1.1"), "{}", answer.text());
    let first = crate::harness::http::get(&format!("{}/golang.org/x/text/@v/list", server.go("upstream")));
    assert_eq!((first.status, first.header("x-error-code")), (502, Some("upstream_unreachable")));
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
