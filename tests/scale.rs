//! Much: lists, search and the status page stay walks of an index and memory stays flat, with 100,000 packages and
//! 1,000,000 versions in `make test-long` and a fiftieth of that always. And lists stay right while others publish and
//! delete.
//!
//! The rows are written into the database beside the server, for publishing so many is not what is tested. No time is
//! asserted; which index a page follows is asserted in the store's own tests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::is_long;
use crate::harness::many::{self, Many};
use crate::harness::people;
use crate::harness::random::Random;
use crate::harness::server::{ON_SQLITE, Server};
use crate::harness::upload::Form;

/// Versions of each package.
const VERSIONS: u64 = 10;

/// What caches may still take after the first half of a walk over everything.
const GROWTH_KIB: u64 = 32 * 1024;

fn get(server: &Server, path: &str) -> Value {
    server.api("GET", path, None).expect(200).json()
}

/// Turns all pages of a list; gives what `key` finds in its items, in their order.
fn walk(server: &Server, path: &str, limit: u32, key: &str, mut between: impl FnMut()) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = get(server, &format!("{path}{sign}limit={limit}{cursor}"));
        let items = page["items"].as_array().expect("items");
        found.extend(items.iter().map(|item| item[key].as_str().expect("a text").to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), limit as usize, "a page is full while more follow: {path}");
                cursor = format!("&cursor={next}");
            }
            None => return found,
        }
        between();
    }
}

#[test]
fn every_list_is_whole_and_memory_stays_flat_however_much_there_is() {
    let packages: u64 = if is_long() { 100_000 } else { 2_000 };
    let mut server = Server::with(&[ON_SQLITE]);
    server.create_repository(&json!({"format": "go", "name": "second", "kind": "hosted"}));
    many::fill(&mut server, &Many { packages, versions_each: VERSIONS, share: 5 });

    let status = get(&server, "/api/status");
    assert_eq!(
        (&status["counts"]["packages"], &status["counts"]["artifacts"]),
        (&json!(packages), &json!(packages * VERSIONS))
    );
    let (mut peak, mut halfway) = (0, 0);
    let total = packages * VERSIONS;
    let mut pages = 0;
    let mut watch = || {
        pages += 1;
        peak = peak.max(server.memory_kib());
        if pages == total / 200 / 2 {
            halfway = peak;
        }
    };
    let artifacts = walk(&server, "/api/artifacts", 200, "id", &mut watch);
    assert_eq!(artifacts.len() as u64, total, "all of them");
    assert!(artifacts.is_sorted_by(|one, next| one > next), "each once, the newest first");
    assert!(peak < halfway + GROWTH_KIB, "memory grows with the list: {halfway} KiB halfway, {peak} KiB at the end");

    let names = walk(&server, "/api/packages", 200, "name", || ());
    assert_eq!(names.len() as u64, packages);
    assert!(names.is_sorted_by(|one, next| one < next), "each once, by name");
    let newest = walk(&server, "/api/packages?sort=newest", 200, "id", || ());
    assert_eq!(newest.len() as u64, packages);
    assert!(newest.is_sorted_by(|one, next| one > next), "each once, the newest first");
    let first = people::id(&get(&server, "/api/packages?name=example.com/team000/package000000")["items"][0]);
    let needed = walk(&server, &format!("/api/packages/{first}/dependents"), 200, "id", || ());
    assert_eq!(needed.len() as u64, total, "everybody needs the first one");
    let versions = walk(&server, &format!("/api/packages/{first}/versions"), 3, "version", || ());
    assert_eq!(versions[0], format!("v1.{}.0", VERSIONS - 1));
    assert_eq!(versions.len() as u64, VERSIONS);
    for (words, found) in
        [("package000123", 1), ("package000123%20example", 1), ("packge000123", 0), ("team001/package0001", 0)]
    {
        let page = get(&server, &format!("/api/search?q={words}&limit=50"));
        let items = page["items"].as_array().expect("items");
        assert!(items.len() >= found.max(1) && items.len() <= 50, "{words}: {page}");
    }
    let broad = walk(&server, "/api/search?q=example", 200, "id", || ());
    let distinct: BTreeSet<_> = broad.iter().collect();
    assert_eq!(broad.len(), distinct.len(), "nothing is found twice");
    assert_eq!(broad.len() as u64, packages.min(10_000), "as many as are ranked");
    assert!(server.memory_kib() < peak + 2 * GROWTH_KIB, "the other lists take no more");
}

/// Publishes a module of this number to `go/local`.
fn publish(server: &Server, number: usize) -> String {
    let name = format!("example.com/p{number:03}");
    let archive = archives::module(format!("module {name}\n").as_bytes());
    let form = Form::go(archive).with("name", &name).with("version", "v1.0.0").with("repository", "local");
    form.send(server).expect(201).text("id").to_owned()
}

/// Nothing twice, and nothing left out that was there from the first page to the last (I3): for all lists of artifacts,
/// packages, search, and people.
#[test]
fn pages_stay_right_while_others_publish_and_delete() {
    let mut random = Random::of("pages");
    let server = Server::start();
    let mut there: Vec<(usize, String)> = (0..20).map(|number| (number, publish(&server, number))).collect();
    let mut next = there.len();
    for number in 0..20 {
        server.api("POST", "/api/users", Some(&json!({"login": format!("u{number:03}"), "kind": "robot"}))).expect(201);
    }
    let lists = [
        ("/api/artifacts", "name"),
        ("/api/packages", "name"),
        ("/api/packages?sort=newest", "name"),
        ("/api/search?q=example", "name"),
        ("/api/users", "login"),
    ];
    for (path, key) in lists {
        let of_people = key == "login";
        let before: BTreeSet<String> = walk(&server, path, 200, key, || ()).into_iter().collect();
        let mut touched = BTreeSet::new();
        let seen = walk(&server, path, 3, key, || {
            if of_people {
                let login = format!("u{:03}", random.below(20));
                // It may have gone already.
                server.api("DELETE", &format!("/api/users/{login}"), None);
                touched.insert(login);
                let new = format!("v{:03}", random.below(1_000));
                server.api("POST", "/api/users", Some(&json!({"login": new, "kind": "robot"})));
                return;
            }
            let at = usize::try_from(random.below(there.len() as u64)).expect("few");
            let (number, id) = there.swap_remove(at);
            server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
            touched.insert(format!("example.com/p{number:03}"));
            there.push((next, publish(&server, next)));
            next += 1;
        });
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "{path}: nothing twice: {seen:?}");
        let expected: BTreeSet<_> = before.difference(&touched).cloned().collect();
        assert!(touched.len() > 3 && !expected.is_empty(), "{path}: something was changed and something was not");
        let missed: Vec<_> = expected.difference(&distinct).collect();
        assert!(missed.is_empty(), "{path}: left out: {missed:?}");
    }
}
