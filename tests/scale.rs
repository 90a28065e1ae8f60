//! Much: lists, search and the status page stay walks of an index and memory stays flat, with 100,000 packages and
//! 1,000,000 versions in `make test-long` and a fiftieth of that always. And lists stay right while others publish and
//! delete.
//!
//! The rows are written into the database beside the server, for publishing so many is not what is tested. No time is
//! asserted; which index a page follows is asserted in the store's own tests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::database;
use crate::harness::is_long;
use crate::harness::people;
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::upload::Form;

/// Versions of each package.
const VERSIONS: u64 = 10;

/// What caches may still take after the first half of a walk over everything.
const GROWTH_KIB: u64 = 32 * 1024;

/// What publications would have left: packages in two repositories, each version needing the package before.
const ROWS: &str = "
CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < @packages)
    SELECT i, printf('example.com/team%03d/package%06d', i % 997, i) AS name FROM n;
CREATE TEMP TABLE v AS WITH RECURSIVE v(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM v WHERE j + 1 < @versions)
    SELECT j FROM v;
INSERT INTO packages (id, repository, name, name_folded, created_at, public_id, newest)
    SELECT i + 1, 1 + (i % 5 = 0), name, name, 0, printf('019355bf-7130-7000-8000-%012x', i),
    printf('019355bf-7130-7000-9000-%012x', i * @versions + @versions - 1) FROM n;
INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, published_at,
    published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest)
    SELECT printf('019355bf-7130-7000-9000-%012x', (p.id - 1) * @versions + j), p.repository, p.id,
    printf('v1.%d.0', j), CAST(printf('%04d', j) AS BLOB), 'active', '', 1700000000000000, 'a', 'c', 'pkg:golang/x', '{}', '@metadata',
    '[]', '[]', '' FROM packages p, v;
INSERT INTO dependencies (artifact, name, repository, needs, kind)
    SELECT id, 'example.com/team000/package000000', repository, 'v1.0.0', '' FROM artifacts;
INSERT INTO package_words (rowid, name, description, keywords)
    SELECT id, name, 'Package number ' || id, '' FROM packages;
INSERT INTO package_parts (rowid, name) SELECT id, name FROM packages;
UPDATE usage SET packages = (SELECT COUNT(*) FROM packages p WHERE p.repository = usage.repository),
    artifacts = (SELECT COUNT(*) FROM artifacts a WHERE a.repository = usage.repository);
ANALYZE;
";

fn get(server: &Server, path: &str) -> Value {
    server.api("GET", path, None).expect(200).json()
}

/// Private memory of the server, without files that are mapped.
fn memory_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line of it");
    line.trim_matches(['\t', ' ', 'k', 'B']).parse().expect("a number")
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
    let mut server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "second", "kind": "hosted"}));
    let module = Form::go(archives::module(b"module example.com/m\n")).with("name", "example.com/m");
    let judged = module.with("version", "v1.0.0").with("dry_run", "true").send(&server).expect(200);
    let metadata = judged.body["metadata"].to_string().replace('\'', "''");
    server.stop();
    let rows = ROWS
        .replace("@metadata", &metadata)
        .replace("@packages", &packages.to_string())
        .replace("@versions", &VERSIONS.to_string());
    database::sql(&server, &rows);
    server.start_again();

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
        peak = peak.max(memory_kib(&server));
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
    assert!(memory_kib(&server) < peak + 2 * GROWTH_KIB, "the other lists take no more");
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
