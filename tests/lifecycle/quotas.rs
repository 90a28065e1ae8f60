//! A repository takes what fits and nothing more, whoever comes at the same moment.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use super::workshop::{assert_sound, blobs, delete, publish, server, set_quota};
use crate::harness::refusal::{self, Refusals};
use crate::harness::server::Server;

fn quota(server: &Server) -> Value {
    server.api("GET", "/api/repositories/go/local/quota", None).expect(200).json()
}

#[test]
fn a_full_repository_refuses_what_comes_and_says_why() {
    let server = server(&[]);
    assert!(quota(&server)["max_bytes"].is_null() && quota(&server)["used_artifacts"] == 0, "{}", quota(&server));
    let first = publish(&server, "example.com/m", 0, 0).expect(201);
    let used = quota(&server)["used_bytes"].as_u64().expect("a number");
    let set = set_quota(&server, &json!(used + 100), &Value::Null).expect(200).json();
    assert_eq!(
        (&set["max_bytes"], &set["set_by"], &set["max_artifacts"]),
        (&json!(used + 100), &json!("admin"), &Value::Null)
    );
    let before = blobs(&server);
    let refused = publish(&server, "example.com/m", 1, 1).expect(413);
    assert_eq!(refused.text("code"), "quota_exceeded");
    for part in [&used.to_string(), &(used + 100).to_string(), "admin"] {
        assert!(refused.text("detail").contains(part), "{part}: {refused}");
    }
    assert_eq!(blobs(&server), before, "a refused upload leaves no copy");
    publish(&server, "example.com/m", 0, 0).expect(200);
    delete(&server, &first);
    publish(&server, "example.com/m", 1, 1).expect(201);
    set_quota(&server, &Value::Null, &json!(1)).expect(200);
    assert_eq!(publish(&server, "example.com/n", 0, 2).expect(413).text("code"), "quota_exceeded");
    set_quota(&server, &Value::Null, &Value::Null).expect(200);
    publish(&server, "example.com/n", 0, 2).expect(201);
    assert_sound(&server);
}

#[test]
fn of_many_publishers_at_once_as_many_win_as_there_are_places() {
    let server = server(&[]);
    set_quota(&server, &Value::Null, &json!(5)).expect(200);
    let barrier = &Barrier::new(16);
    let statuses: Vec<_> = thread::scope(|scope| {
        let publishers: Vec<_> = (0..16)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    barrier.wait();
                    publish(server, &format!("example.com/m{number}"), 0, number).status
                })
            })
            .collect();
        publishers.into_iter().map(|one| one.join().expect("a publisher that does not panic")).collect()
    });
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(201), count(413)), (5, 11), "{statuses:?}");
    assert_eq!(quota(&server)["used_artifacts"], 5);
    assert_eq!(blobs(&server).len(), 5, "the refused left no copy");
    assert_sound(&server);
}

#[test]
fn a_size_is_a_number_of_bytes_or_says_its_unit() {
    let server = server(&[refusal::LOG]);
    let text = set_quota(&server, &json!("10GiB"), &Value::Null).expect(200).json();
    assert_eq!(text["max_bytes"], 10_u64 << 30);
    let refusals = Refusals::by(&server);
    for bad in [json!(-1), json!(1e30), json!("10GB"), json!("ten"), json!({})] {
        let refused = set_quota(&server, &bad, &Value::Null);
        let document = refusals.api("D13", &refused, 400, &["invalid_field"]);
        assert!(document["detail"].as_str().is_some_and(|text| text.contains("10GiB")), "{document}");
    }
    assert_eq!(quota(&server)["max_bytes"], 10_u64 << 30);
    let reader = server.token("--name reader --actions read,publish --repositories go/local");
    let headers = [("Authorization", format!("Bearer {reader}")), ("Content-Type", "application/json".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let url = format!("{}/api/repositories/go/local/quota", server.url);
    let refused = crate::harness::http::send("PUT", &url, &headers, br#"{"max_bytes":1}"#);
    refusals.api("L18", &refused, 403, &["admin_required"]);
}
