//! Remote and virtual repositories as administrators make and keep them in the browser.

use serde_json::json;

use super::{publish, scenario, server_with};
use crate::harness::goproxy::Module;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::scripted::Scripted;

/// Leaves a source alone for the length of the test once it is in trouble.
const SETTINGS: [(&str, &str); 2] = [("KEEPER_NETWORK_ALLOW", "127.0.0.1"), ("KEEPER_UPSTREAM_REST", "1h")];

#[test]
fn a_copy_of_an_upstream_and_one_address_for_everything_are_made_in_the_browser() {
    let (down, upstream) = (Outside::answering(500, "no\n"), Scripted::start());
    let public = Module::new("example.com/public", "v1.2.3");
    let fresh = Module::new("example.com/fresh", "v1.4.0");
    let evil = Module::new("example.com/evil", "v1.0.0");
    upstream.offer(&[&public]);
    upstream.offer(&[&evil]);
    upstream.offer(&[&fresh]);
    let server = server_with(&SETTINGS);
    publish(&server, "example.com/ours", "v1.0.0", &[]);
    let chain = format!("{}|{}", down.url, upstream.url);
    let facts = json!({"chain": chain, "login": "ann", "password": "hunter2hunter2"});
    scenario(&server, "remote/made", &facts);

    let machine = Machine::new().with("GOPROXY", server.go("all")).with("GOSUMDB", "off");
    let project = machine.project("app");
    for module in ["example.com/public@v1.2.3", "example.com/ours@v1.0.0"] {
        machine.go(&project, &format!("get {module}")).succeeded();
    }
    machine.go(&project, "get example.com/evil@v1.0.0").failed().says(&["see the incident of March"]);
    let made = server.api("GET", "/api/repositories/go/fast", None).json();
    assert_eq!(made["upstream"]["redirect_hosts"], json!(["storage.example.com", "*.cdn.example.com"]));
    let sent = data_encoding::BASE64.encode(b"ann:hunter2hunter2").to_lowercase();
    let heads = down.heads();
    assert!(
        !heads.is_empty() && heads.iter().all(|head| head.contains(&sent)),
        "the first source gets them: {heads:?}"
    );
    assert!(upstream.heard().iter().all(|asked| asked.header("authorization").is_none()), "and no other");

    let ask = json!({
        "name": fresh.path, "version": fresh.version, "refused": "example.com/evil", "reason": "see the incident of March"
    });
    scenario(&server, "remote/fetched", &ask);
    assert_eq!(upstream.times_asked(&fresh.at("zip")), 1, "the upstream was asked by the page");
    assert_eq!(upstream.times_asked(&evil.at("zip")), 0, "and for nothing that is refused");

    let before = upstream.times_asked("/example.com/public/@v/list");
    scenario(&server, "remote/kept", &json!({"module": public.path, "secret": "hunter2"}));
    machine.go(&project, "list -m -versions example.com/public").succeeded().says(&["v1.2.3"]);
    assert!(upstream.times_asked("/example.com/public/@v/list") > before, "a refreshed list is asked for again");
    assert_eq!(server.api("GET", "/api/repositories/go/fast", None).json()["upstream"]["credentials"]["set"], false);
}
