//! Answers that are kept ready are those of the repository that was asked, for the one who asks, and no longer true
//! than what they tell.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::Scene;
use super::members::publish;
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::http::{self, Response};
use crate::harness::random::Random;
use crate::harness::raw_form::RawForm;
use crate::harness::scripted::Scripted;
use crate::harness::wait::{RaiseAtEnd, until};

/// Requests of all clients together.
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 8;

/// Readers that hammer what is taken away.
const READERS: usize = 64;

const ZIP: &str = "/example.com/m/@v/v1.0.0.zip";

/// One connection over which a client asks again and again.
struct Client<'a> {
    host: &'a str,
    stream: TcpStream,
}

impl<'a> Client<'a> {
    fn of(scene: &'a Scene) -> Self {
        let host = scene.server.host();
        Self { host, stream: TcpStream::connect(host).expect("a listening server") }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str) -> Response {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host);
        let answer = http::ask(&mut self.stream, request.as_bytes());
        if answer.header("connection") == Some("close") {
            self.stream = TcpStream::connect(self.host).expect("a listening server");
        }
        answer
    }
}

/// A repository, what is in it under the one address, and who may read it.
struct Place {
    repository: &'static str,
    zip: Vec<u8>,
    token: Option<String>,
}

#[test]
fn the_same_address_in_several_repositories_is_never_mixed_up() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.create(&json!({ "format": "go", "name": "open", "kind": "hosted", "anonymous_read": true }));
    scene.create(&json!({ "format": "go", "name": "one", "kind": "hosted", "anonymous_read": false }));
    scene.create(&json!({ "format": "go", "name": "two", "kind": "hosted", "anonymous_read": false }));
    let module = Module::new("example.com/m", "v1.0.0").with("of.txt", "of the upstream");
    upstream.offer(&[&module]);
    scene.remote("copies", &upstream.url);
    // Before the name belongs to somebody here: afterwards no upstream is asked for it.
    scene.get("copies", ZIP).expect(200);
    scene.combined("all", &["two", "copies"], &json!({ "anonymous_read": false }));
    for repository in ["open", "one", "two"] {
        let files: [(&str, &[u8]); 2] = [("go.mod", b"module example.com/m\n"), ("of.txt", repository.as_bytes())];
        let form = RawForm::module("example.com/m", "v1.0.0").text("repository", repository);
        form.file(archives::zip(&files)).send(&scene.server).expect(201);
    }
    let token = |repositories: &str| {
        Some(scene.server.token(&format!("--name reader --actions read --repositories {repositories}")))
    };
    let places = [
        ("open", None),
        ("one", token("go/one")),
        ("two", token("go/two")),
        ("copies", None),
        ("all", token("go/all,go/two")),
    ];
    let places: Vec<_> = places
        .into_iter()
        .map(|(repository, token)| {
            let credential =
                token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
            let zip = Client::of(&scene).ask("GET", &format!("/go/{repository}{ZIP}"), &credential).expect(200).body;
            Place { repository, zip, token }
        })
        .collect();
    assert!(places[4].zip == places[2].zip, "the virtual one has it from its first member");
    assert_eq!((1..4).filter(|at| places[*at].zip == places[0].zip).count(), 0, "the others differ");

    let mut random = Random::of("caches");
    let forks: Vec<_> = (0..CLIENTS).map(|_| random.fork()).collect();
    thread::scope(|scope| {
        for mut random in forks {
            let (scene, places) = (&scene, &places);
            scope.spawn(move || {
                let mut client = Client::of(scene);
                for _ in 0..REQUESTS / CLIENTS {
                    interleaved(&mut client, places, &mut random);
                }
            });
        }
    });
}

/// A request of any kind, to any of the places, by any of those who may read one of them.
fn interleaved(client: &mut Client<'_>, places: &[Place], random: &mut Random) {
    let place = random.one_of(places).expect("a place");
    let bearer = random.one_of(places).expect("a place");
    let is_head = random.below(4) == 0;
    let range = (random.below(4) == 0).then(|| random.below(place.zip.len() as u64) as usize);
    let mut headers =
        bearer.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    headers.extend(range.map(|first| format!("Range: bytes={first}-\r\n")));
    let path = format!("/go/{}{ZIP}", place.repository);
    let answer = client.ask(if is_head { "HEAD" } else { "GET" }, &path, &headers);
    let may = match (place.repository, bearer.repository) {
        ("two", "all") => true,
        // Open to strangers; a token that is for others only is told so.
        (_, by) if place.token.is_none() => bearer.token.is_none() || by == place.repository || answer.status < 400,
        (wanted, by) => wanted == by,
    };
    let what = format!("S4 {} by {} {headers}", place.repository, bearer.repository);
    if !may {
        assert!(matches!(answer.status, 401 | 403), "{what}: {}", answer.status);
        assert!(!answer.body.starts_with(b"PK"), "{what}");
        return;
    }
    // HEAD takes no range.
    let range = range.filter(|_| !is_head);
    let wanted = &place.zip[range.unwrap_or(0)..];
    assert_eq!(answer.status, if range.is_some() { 206 } else { 200 }, "{what}");
    assert_eq!(answer.header("content-length"), Some(wanted.len().to_string().as_str()), "{what}");
    assert!(is_head || answer.body == wanted, "{what}: the bytes of another repository");
    let cached = answer.header("cache-control").unwrap_or_default();
    assert_eq!(cached.starts_with("public"), place.token.is_none(), "{what}: {cached}");
}

/// What is taken away is gone for every request that begins after the answer.
fn taken_away(scene: &Scene, paths: &[String], stale_text: &str, take: impl FnOnce()) {
    let (is_taken, is_over, begun) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _over = RaiseAtEnd(&is_over);
        for number in 0..READERS {
            let (is_taken, is_over, begun) = (&is_taken, &is_over, &begun);
            scope.spawn(move || {
                let mut client = Client::of(scene);
                let path = &paths[number % paths.len()];
                while !is_over.load(Ordering::SeqCst) {
                    let after = is_taken.load(Ordering::SeqCst);
                    let answer = client.ask("GET", path, "");
                    begun.fetch_add(1, Ordering::SeqCst);
                    let text = String::from_utf8_lossy(&answer.body);
                    let tells = answer.status == 200 && (path.ends_with(".zip") || text.contains(stale_text));
                    assert!(!(after && tells), "S17 {path} after it was taken away");
                }
            });
        }
        until("readers are at work", || begun.load(Ordering::SeqCst) > 4 * READERS);
        take();
        is_taken.store(true, Ordering::SeqCst);
        let at = begun.load(Ordering::SeqCst);
        until("they went on after it", || begun.load(Ordering::SeqCst) > at + 4 * READERS);
    });
}

#[test]
fn what_is_blocked_or_deleted_is_gone_at_once_while_many_read_it() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = Module::new("example.com/copied", "v1.0.0");
    upstream.offer(&[&module]);
    scene.remote("copies", &upstream.url);
    scene.combined("all", &["local", "copies"], &json!({}));
    publish(&scene, "local", "example.com/m", "v1.0.0");
    let deleted = publish(&scene, "local", "example.com/m", "v1.1.0");
    let blocked = publish(&scene, "local", "example.com/m", "v1.2.0");
    scene.get("copies", &module.at("zip")).expect(200);
    let artifacts = scene.server.api("GET", "/api/artifacts?format=go&repository=copies", None).expect(200).json();
    let copied = artifacts["items"][0]["id"].as_str().expect("an id").to_owned();
    let paths = |repositories: [&str; 2], module: &str, version: &str| -> Vec<String> {
        let of = |repository| {
            [format!("/@v/{version}.zip"), "/@v/list".to_owned(), "/@latest".to_owned()]
                .map(|what| format!("/go/{repository}/{module}{what}"))
        };
        repositories.into_iter().flat_map(of).collect()
    };
    let block = |id: &str| {
        let body = json!({ "state": "blocked", "reason": "a bad one" });
        scene.server.api("PATCH", &format!("/api/artifacts/{id}"), Some(&body)).expect(200);
    };
    taken_away(&scene, &paths(["local", "all"], "example.com/m", "v1.2.0"), "v1.2.0", || block(&blocked));
    taken_away(&scene, &paths(["local", "all"], "example.com/m", "v1.1.0"), "v1.1.0", || {
        scene.server.api("DELETE", &format!("/api/artifacts/{deleted}"), None).expect(204);
    });
    taken_away(&scene, &paths(["copies", "all"], "example.com/copied", "v1.0.0")[..1], "v1.0.0", || block(&copied));
    assert_eq!(scene.get("all", &module.at("zip")).header("x-error-code"), Some("blocked"));
}

#[test]
fn what_a_remote_repository_answered_by_is_counted() {
    let (mut scene, mut upstream) = (Scene::new(), Scripted::start());
    let module = Module::new("example.com/m", "v1.0.0");
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    let count = |scene: &Scene, result: &str| {
        let series = format!("keeper_remote_requests_total{{format=\"go\",result=\"{result}\"}} ");
        let scrape = scene.server.api("GET", "/metrics", None).expect(200).text();
        let line = scrape.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series}in {scrape}")).parse::<u64>().expect("a number")
    };
    scene.get("m", &module.at("zip")).expect(200);
    scene.get("m", "/example.com/m/@v/list").expect(200);
    assert_eq!(scene.get("m", "/example.com/none/@v/list").status, 404);
    assert_eq!(["fetched", "stored", "stale"].map(|result| count(&scene, result)), [2, 0, 0]);
    assert!(count(&scene, "absent") >= 1);
    // Nothing is in memory after a restart.
    scene.server.stop();
    scene.server.start_again();
    upstream.stop();
    scene.get("m", &module.at("zip")).expect(200);
    scene.get("m", "/example.com/m/@v/list").expect(200);
    assert_eq!(scene.get("m", "/example.com/other/@v/list").status, 502);
    assert_eq!(["fetched", "stored", "stale"].map(|result| count(&scene, result)), [0, 1, 1]);
    assert!(count(&scene, "failed") >= 1);
}
