//! Upstreams that fail: what clients are told, that nothing of it is kept, and that an upstream in trouble is left
//! alone.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{NEAR, Scene, unverified};
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::http::{self, Response};
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::scripted::{Reply, Scripted};
use crate::harness::server::Server;
use crate::harness::wait::until;

const LIST: &str = "/example.com/m/@v/list";

fn module() -> Module {
    Module::new("example.com/m", "v1.0.0")
}

/// An upstream of its own for each row: how it fared before would count.
fn upstream_of(scene: &Scene, name: &str) -> (Scripted, Module) {
    let (upstream, module) = (Scripted::start(), module());
    upstream.offer(&[&module]);
    scene.remote(name, &upstream.url);
    (upstream, module)
}

/// A port at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("a bound listener"))
}

#[test]
fn an_upstream_that_cannot_be_reached_is_a_bad_gateway() {
    let scene = Scene::with(&[("KEEPER_UPSTREAM_CONNECT_TIMEOUT", "2s")]);
    let stranger = Scripted::over_tls();
    stranger.offer(&[&module()]);
    let plain = Scripted::start();
    for (row, name, url) in [
        ("K1 refused", "refused", nobody()),
        ("K1 unknown host", "unknown", "https://upstream.invalid/go".to_owned()),
        ("K1 bad certificate", "stranger", stranger.url.clone()),
        ("K1 no TLS", "plain", plain.url.replace("http://", "https://")),
    ] {
        scene.remote(name, &url);
        let refusals = Refusals::by(&scene.server);
        let path = if name == "refused" { LIST.to_owned() } else { module().at("zip") };
        let said = refusals.text(row, &scene.get(name, &path), 502, "upstream_unreachable");
        assert!(!said.contains("127.0.0.1") && !said.contains("invalid"), "{row}: {said}");
    }
    assert_eq!(stranger.requests(), [""; 0], "nothing is asked over a connection that is not trusted");
}

#[test]
fn a_certificate_of_an_own_authority_is_trusted_when_the_configuration_says_so() {
    let upstream = Scripted::over_tls();
    upstream.offer(&[&module()]);
    let scene = Scene::with(&[("KEEPER_NETWORK_CA_FILE", &upstream.authority())]);
    scene.remote("m", &upstream.url);
    assert!(scene.get("m", &module().at("zip")).expect(200).body == module().zip());
}

#[test]
fn an_upstream_that_takes_its_time_is_not_waited_for() {
    let scene = Scene::with(&[
        ("KEEPER_UPSTREAM_FIRST_BYTE_TIMEOUT", "500ms"),
        ("KEEPER_UPSTREAM_IDLE_TIMEOUT", "500ms"),
        ("KEEPER_UPSTREAM_RATE_WINDOW", "500ms"),
    ]);
    let never_opened = crate::harness::scripted::Gate::default();
    let rows = [
        ("K2 silent", "silent", Reply::silence()),
        ("K2 trickle", "trickle", Reply::bytes(module().zip()).trickling()),
        ("K2 silent in the middle", "middle", Reply::bytes(module().zip()).held(100, &never_opened)),
    ];
    for (row, name, reply) in rows {
        let (upstream, module) = upstream_of(&scene, name);
        upstream.put(&module.at("zip"), [reply]);
        let refusals = Refusals::by(&scene.server);
        refusals.text(row, &scene.get(name, &module.at("zip")), 504, "upstream_timeout");
        assert_eq!(upstream.times_asked(&module.at("zip")), 1, "{row}: who was slow once is not asked again at once");
    }
    never_opened.open();
}

#[test]
fn a_body_that_is_not_what_was_announced_is_not_kept() {
    let scene = Scene::new();
    let zip = module().zip();
    let rows = [
        ("K2 closed without a word", "hang-up", Reply::hang_up(), 3),
        ("K3 stops in the middle", "cut", Reply::bytes(zip.clone()).cut(zip.len() / 2), 1),
        ("K3 stops before the last byte", "last", Reply::bytes(zip.clone()).cut(zip.len() - 1), 1),
        ("K3 announces more", "more", Reply::bytes(zip.clone()).announcing(zip.len() + 1), 1),
        ("K2 stops before the body", "head", Reply::bytes(zip.clone()).cut(0), 1),
    ];
    for (row, name, reply, times) in rows {
        let (upstream, module) = upstream_of(&scene, name);
        upstream.put(&module.at("zip"), [reply]);
        let refusals = Refusals::by(&scene.server);
        refusals.text(row, &scene.get(name, &module.at("zip")), 502, "upstream_error");
        assert_eq!(upstream.times_asked(&module.at("zip")), times, "{row}");
        upstream.put(&module.at("zip"), [Reply::bytes(zip.clone())]);
        assert!(scene.get(name, &module.at("zip")).expect(200).body == zip, "{row}: the next one gets it");
    }
}

#[test]
fn more_bytes_than_are_wanted_are_not_taken() {
    const MEBIBYTE: u64 = 1024 * 1024;
    let scene = Scene::new();
    let filler = || Reply::bytes(vec![b' '; 64 * 1024]);
    let announced = |bytes: u64| Reply::text("").announcing(usize::try_from(bytes).expect("a 64-bit machine"));
    // What was written into a socket and never read counts for the upstream, too.
    let rows = [
        ("K4 endless list", "list", LIST.to_owned(), filler().endless(), "upstream_too_large", 40 * MEBIBYTE),
        ("K4 endless .info", "info", module().at("info"), filler().endless(), "upstream_too_large", 20 * MEBIBYTE),
        ("K4 endless .mod", "mod", module().at("mod"), filler().endless(), "upstream_too_large", 40 * MEBIBYTE),
        ("K4 announced zip", "zip", module().at("zip"), announced(501 * MEBIBYTE), "upstream_too_large", 0),
        ("K4 announced list", "l", LIST.to_owned(), announced(17 * MEBIBYTE), "upstream_too_large", 0),
        (
            "K4 gzip bomb",
            "gzip",
            module().at("zip"),
            filler().with("Content-Encoding", "gzip"),
            "upstream_invalid",
            MEBIBYTE,
        ),
    ];
    for (row, name, path, reply, code, most) in rows {
        let (upstream, _) = upstream_of(&scene, name);
        upstream.put(&path, [reply]);
        let refusals = Refusals::by(&scene.server);
        refusals.text(row, &scene.get(name, &path), 502, code);
        let sent = upstream.sent_bytes();
        assert!(sent <= most, "{row}: the upstream got rid of {sent} bytes");
    }
}

#[test]
fn refusals_of_the_upstream_are_told_apart() {
    let scene = Scene::new();
    let rows = [
        ("K8 401", 401, 502, "upstream_auth"),
        ("K8 407", 407, 502, "upstream_auth"),
        ("K9 403", 403, 403, "upstream_forbidden"),
        ("K9 451", 451, 403, "upstream_forbidden"),
        ("400", 400, 502, "upstream_error"),
        ("K19 204", 204, 502, "upstream_invalid"),
        ("K19 206", 206, 502, "upstream_invalid"),
        ("K19 304", 304, 502, "upstream_invalid"),
        ("203", 203, 502, "upstream_invalid"),
    ];
    for (row, upstreams, status, code) in rows {
        let (upstream, module) = upstream_of(&scene, &format!("s{upstreams}"));
        let refusals = Refusals::by(&scene.server);
        for path in [module.at("zip"), module.at("info"), LIST.to_owned()] {
            upstream.put(&path, [Reply::bytes(module.zip()).of(upstreams)]);
            let said = refusals.text(row, &scene.get(&format!("s{upstreams}"), &path), status, code);
            assert!(!said.contains("own words"), "{row}: {said}");
            let times = if code == "upstream_invalid" { 2 } else { 1 };
            assert_eq!(upstream.times_asked(&path), times, "{row} {path}: nonsense is asked once more");
        }
        upstream.offer(&[&module]);
        scene.get(&format!("s{upstreams}"), &module.at("zip")).expect(200);
    }
}

#[test]
fn a_refusal_may_mean_an_absence_when_the_settings_say_so() {
    let scene = Scene::new();
    let (upstream, behind) = (Scripted::answering(|_| Reply::status(403)), Scripted::start());
    behind.offer(&[&module()]);
    let chain = format!("{},{}", upstream.url, behind.url);
    let (more, settings) = (json!({ "forbidden_as_not_found": true }), unverified());
    scene.remote_with("m", &chain, &more, &settings);
    scene.remote_with("alone", &upstream.url, &more, &settings);
    scene.get("m", &module().at("zip")).expect(200);
    let refusals = Refusals::by(&scene.server);
    refusals.text("K9", &scene.get("alone", &module().at("zip")), 404, "module_not_found");
}

#[test]
fn trouble_that_passes_is_not_told() {
    let scene = Scene::new();
    let rows: [(&str, &str, Vec<Reply>); 4] = [
        ("K11", "errors", vec![Reply::status(500), Reply::status(502)]),
        ("K10 503", "busy", vec![Reply::status(503).with("Retry-After", "1")]),
        ("K10 429", "many", vec![Reply::status(429).with("Retry-After", "0")]),
        ("K19 once", "nonsense", vec![Reply::status(304)]),
    ];
    for (row, name, mut replies) in rows {
        let (upstream, module) = upstream_of(&scene, name);
        let attempts = replies.len() + 1;
        replies.push(Reply::bytes(module.zip()));
        upstream.put(&module.at("zip"), replies);
        assert!(scene.get(name, &module.at("zip")).expect(200).body == module.zip(), "{row}");
        assert_eq!(upstream.times_asked(&module.at("zip")), attempts, "{row}");
    }
}

#[test]
fn an_upstream_that_asks_for_a_long_pause_is_passed_on() {
    let scene = Scene::new();
    for (row, name, status) in [("K10 503", "busy", 503), ("K10 429", "many", 429)] {
        let (upstream, module) = upstream_of(&scene, name);
        upstream.put(&module.at("zip"), [Reply::status(status).with("Retry-After", "300")]);
        let refusals = Refusals::by(&scene.server);
        let answer = scene.get(name, &module.at("zip"));
        refusals.text(row, &answer, 503, "upstream_open");
        assert_eq!(answer.header("retry-after"), Some("300"), "{row}");
        assert_eq!(upstream.times_asked(&module.at("zip")), 1, "{row}");
    }
}

#[test]
fn trouble_that_stays_is_told_and_then_the_upstream_is_left_alone() {
    let scene = Scene::with(&[("KEEPER_UPSTREAM_REST", "1s")]);
    let (upstream, module) = upstream_of(&scene, "m");
    upstream.put(&module.at("zip"), [Reply::status(500)]);
    let refusals = Refusals::by(&scene.server);
    refusals.text("K11", &scene.get("m", &module.at("zip")), 502, "upstream_error");
    assert_eq!(upstream.times_asked(&module.at("zip")), 3, "K11: twice more");
    let resting = |answer: &Response| answer.header("x-error-code") == Some("upstream_open");
    until("the upstream is left alone", || resting(&scene.get("m", &module.at("zip"))));

    upstream.offer(&[&module]);
    upstream.forget();
    let answer = scene.get("m", &module.at("info"));
    if resting(&answer) {
        refusals.text("K12", &answer, 503, "upstream_open");
        assert!(answer.header("retry-after").is_some(), "K12");
        assert_eq!(upstream.requests(), [""; 0], "K12: no connection");
    }
    until("after its rest it is asked again", || scene.get("m", &module.at("zip")).status == 200);
}

#[test]
fn while_an_upstream_rests_nobody_connects_to_it() {
    let scene = Scene::with(&[("KEEPER_UPSTREAM_REST", "1h")]);
    let (upstream, module) = upstream_of(&scene, "m");
    scene.get("m", LIST).expect(200);
    scene.get("m", &module.at("mod")).expect(200);
    upstream.put(&module.at("zip"), [Reply::status(500)]);
    assert_eq!(scene.get("m", &module.at("zip")).header("x-error-code"), Some("upstream_error"));
    until("it rests", || scene.get("m", &module.at("zip")).header("x-error-code") == Some("upstream_open"));
    assert_eq!(upstream.times_asked(&module.at("zip")), 5, "K12: five failures");
    upstream.offer(&[&module]);
    upstream.forget();
    let refusals = Refusals::by(&scene.server);
    for path in [module.at("zip"), module.at("info"), "/example.com/new/@v/list".to_owned()] {
        let answer = scene.get("m", &path);
        refusals.text("K12", &answer, 503, "upstream_open");
        let seconds: u32 = answer.header("retry-after").and_then(|value| value.parse().ok()).expect("K12: seconds");
        assert!((3_000..=3_600).contains(&seconds), "K12: {seconds}");
    }
    scene.get("m", &module.at("mod")).expect(200);
    assert_eq!(scene.get("m", LIST).expect(200).text(), "v1.0.0\n", "what was told before is told on");
    assert_eq!(upstream.requests(), [""; 0], "K12: no connection");
}

#[test]
fn the_bodies_of_refusals_are_not_read_to_the_end() {
    let scene = Scene::new();
    let (upstream, module) = upstream_of(&scene, "m");
    upstream.put(&module.at("zip"), [Reply::bytes(vec![b'x'; 64 * 1024]).of(404).endless()]);
    let refusals = Refusals::by(&scene.server);
    refusals.text("K20", &scene.get("m", &module.at("zip")), 404, "module_not_found");
    // The buffers of both sockets take some.
    let sent = upstream.sent_bytes();
    assert!(sent < 20 * 1024 * 1024, "K20: {sent} bytes");
}

#[test]
fn the_next_source_is_asked_as_the_chain_says() {
    let scene = Scene::new();
    let (behind, module) = (Scripted::start(), module());
    behind.offer(&[&module]);
    let rows: [(&str, char, Reply, Result<(), &str>); 8] = [
        ("absent", ',', Reply::status(404), Ok(())),
        ("gone", ',', Reply::status(410), Ok(())),
        ("trouble", ',', Reply::status(500), Err("upstream_error")),
        ("forbidden", ',', Reply::status(403), Err("upstream_forbidden")),
        ("unauthorized", ',', Reply::status(401), Err("upstream_auth")),
        ("trouble", '|', Reply::status(500), Ok(())),
        ("forbidden", '|', Reply::status(403), Ok(())),
        ("hung up", '|', Reply::hang_up(), Ok(())),
    ];
    for (at, (row, separator, reply, wanted)) in rows.into_iter().enumerate() {
        let first = Scripted::answering(move |_| reply.clone());
        let name = format!("m{at}");
        scene.remote(&name, &format!("{}{separator}{}", first.url, behind.url));
        behind.forget();
        let refusals = Refusals::by(&scene.server);
        let (list, zip) = (scene.get(&name, LIST), scene.get(&name, &module.at("zip")));
        match wanted {
            Ok(()) => assert_eq!((list.status, zip.status), (200, 200), "{row} {separator}: {}", zip.text()),
            Err(code) => {
                refusals.text(row, &list, if code == "upstream_forbidden" { 403 } else { 502 }, code);
                assert!(zip.status >= 400 && zip.status != 404, "{row}: {}", zip.status);
                refusals.unchanged(row);
                assert_eq!(behind.requests(), [""; 0], "{row} {separator}: the next source is not asked");
            }
        }
    }
}

#[test]
fn two_keepers_that_are_each_others_upstream_notice_it() {
    let settings = [LOG, NEAR];
    let (one, other) = (Scene { server: Server::with(&settings) }, Scene { server: Server::with(&settings) });
    one.remote("m", &other.server.go("m"));
    other.remote("m", &one.server.go("m"));
    for path in [LIST.to_owned(), module().at("zip")] {
        let refusals = Refusals::by(&one.server);
        refusals.text("K21", &one.get("m", &path), 508, "proxy_loop");
    }
    for hops in ["6", "4294967295"] {
        let url = format!("{}{LIST}", one.server.go("m"));
        let answer = http::send("GET", &url, &[("X-Artifact-Keeper-Hops", hops)], &[]);
        assert_eq!((answer.status, answer.header("x-error-code")), (508, Some("proxy_loop")), "K21 {hops}");
    }
    // Nor does one that is its own upstream come to be.
    let itself: Value = json!({
        "format": "go", "name": "self", "kind": "remote",
        "upstream": { "url": one.server.go("local"), "allow_http": true },
    });
    let answer = one.server.api("POST", "/api/repositories", Some(&itself)).expect(409).json();
    assert_eq!(answer["code"], "member_cycle");
}

/// Half a file, then what is asked for of the rest.
fn breaking_off(body: Vec<u8>, etag: &'static str, later: &'static str) -> Scripted {
    Scripted::answering(move |asked| {
        let range =
            asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match range {
            None => Reply::bytes(body.clone()).with("ETag", etag).cut(body.len() / 2),
            Some(_) if asked.header("if-range") != Some(later) => Reply::bytes(body.clone()).with("ETag", later),
            Some(start) => {
                let part: usize = start;
                let range = format!("bytes {part}-{}/{}", body.len() - 1, body.len());
                Reply::bytes(&body[part..]).of(206).with("ETag", etag).with("Content-Range", &range)
            }
        }
    })
}

#[test]
fn a_zip_that_breaks_off_is_continued_if_it_is_still_the_same() {
    let scene = Scene::new();
    let module = Module::new("example.com/large", "v1.0.0").with("noise", archives::noise(3_000_000));
    let upstream = breaking_off(module.zip(), "\"one\"", "\"one\"");
    scene.remote("m", &upstream.url);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == module.zip(), "103");
    let heard = upstream.heard();
    assert_eq!(heard.len(), 2, "103: {heard:?}");
    assert_eq!(heard[1].header("if-range"), Some("\"one\""), "103");

    until("it is kept", || scene.relays("go", "kept") == 1);
    let refusals = Refusals::by(&scene.server);
    for (row, etag, later) in [("weak", "W/\"one\"", "W/\"one\""), ("another file by now", "\"one\"", "\"two\"")] {
        let upstream = breaking_off(module.zip(), etag, later);
        let name = row.replace(' ', "-");
        scene.remote(&name, &upstream.url);
        // Whoever wants a part waits for the whole, and is told how it ended.
        let path = format!("/go/{name}{}", module.at("zip"));
        let answer = scene.server.send(None, "GET", &path, &[("Range", "bytes=0-9")], b"");
        refusals.text(row, &answer, 502, "upstream_error");
    }
}

#[test]
fn the_state_of_each_source_is_in_the_api_and_in_the_metrics() {
    let scene = Scene::with(&[("KEEPER_UPSTREAM_REST", "1h")]);
    let (upstream, module) = upstream_of(&scene, "well");
    let broken = Scripted::answering(|_| Reply::status(500));
    scene.remote("m", &format!("{}|{}", broken.url, upstream.url));
    let states = || {
        let scrape = scene.server.api("GET", "/metrics", None).expect(200).text();
        let of = |repository: &str, source: u32| {
            let labels = format!("format=\"go\",repository=\"{repository}\",source=\"{source}\"");
            let series = format!("keeper_upstream_source_resting{{{labels}}} ");
            scrape.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned)
        };
        assert!(!scrape.contains(&broken.url) && !scrape.contains("127.0.0.1"), "no address is told: {scrape}");
        [of("m", 1), of("m", 2), of("m", 3), of("well", 1), of("local", 1)]
    };
    let told = |states: [Option<&str>; 5]| states.map(|state| state.map(str::to_owned));
    assert_eq!(states(), told([Some("0"), Some("0"), None, Some("0"), None]));
    until("the first one rests", || {
        scene.get("m", &module.at("info")).expect(200);
        scene.get("m", "/example.com/m/@v/list").expect(200);
        states() == told([Some("1"), Some("0"), None, Some("0"), None])
    });
    let shown = scene.server.api("GET", "/api/repositories/go/m", None).expect(200).json();
    let sources = shown["upstream"]["sources"].as_array().expect("sources");
    let states_of: Vec<_> = sources.iter().map(|source| source["state"].as_str().expect("a state")).collect();
    assert_eq!(states_of, ["resting", "ok"], "{shown}");
    assert!(sources[0]["resting_until"].is_string() && sources[0]["last_trouble"] == "upstream_error", "{shown}");
}
