//! The server tells an administrator how it is, and nobody else.

use super::workshop::{gc, publish, server};
use crate::harness::http;

#[test]
fn the_status_tells_totals_and_how_the_last_runs_ended() {
    let server = server(&[]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    gc(&server, "--confirm");
    let status = server.api("GET", "/api/status", None).expect(200).json();
    assert_eq!((&status["counts"]["repositories"], &status["counts"]["artifacts"]), (&3.into(), &1.into()), "{status}");
    assert_eq!(status["upstreams"][0]["repository"], "go/upstream");
    assert_eq!(status["upstreams"][0]["sources"][0]["state"], "ok", "nobody has asked it: {status}");
    for number in [&status["database"]["bytes"], &status["storage"]["total_bytes"], &status["counts"]["bytes"]] {
        assert!(number.as_u64().is_some_and(|number| number > 0), "{status}");
    }
    let job = status["jobs"].as_array().expect("jobs").iter().find(|job| job["name"] == "gc").expect("it has run");
    assert!(job["running"] == false && job["failed"] == false && job["ended_at"].is_string(), "{job}");
    assert_eq!(http::get(&format!("{}/api/status", server.url)).status, 401);
    let reader = server.token("--name reader --actions read,manage --repositories *");
    let headers = [("Authorization", &*format!("Bearer {reader}"))];
    let refused = http::send("GET", &format!("{}/api/status", server.url), &headers, b"").expect(403);
    assert_eq!(refused.json()["code"], "admin_required");
}
