//! What is taken from an upstream, what is refused, and what is kept when it changes its mind.

use super::Scene;
use crate::harness::goproxy::{Module, base};
use crate::harness::http;
use crate::harness::refusal::Refusals;
use crate::harness::scripted::{Reply, Scripted};

const PATH: &str = "example.com/m";

/// A scene with `go/m`, whose upstream has one module.
fn scene() -> (Scene, Scripted, Module) {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = Module::new(PATH, "v1.0.0");
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    (scene, upstream, module)
}

#[test]
fn files_come_as_they_are_and_only_once() {
    let (scene, upstream, module) = scene();
    let wanted: [(&str, Vec<u8>, &str); 3] = [
        ("info", module.info().into_bytes(), "application/json"),
        ("mod", module.go_mod().as_bytes().to_vec(), "text/plain; charset=utf-8"),
        ("zip", module.zip(), "application/zip"),
    ];
    for (extension, bytes, media_type) in wanted {
        for _ in 0..2 {
            let answer = scene.get("m", &module.at(extension)).expect(200);
            assert!(answer.body == bytes, ".{extension} came back with other bytes");
            assert_eq!(answer.header("content-type"), Some(media_type), ".{extension}");
            assert_eq!(answer.header("cache-control").map(|value| value.contains("max-age")), Some(true));
        }
        assert_eq!(upstream.times_asked(&module.at(extension)), 1, ".{extension} is kept");
    }
    let part =
        http::send("GET", &format!("{}{}", scene.server.go("m"), module.at("zip")), &[("Range", "bytes=0-3")], &[]);
    assert_eq!((part.status, part.body.as_slice()), (206, &module.zip()[..4]));
    assert_eq!(scene.get("m", "/example.com/m/@v/list").expect(200).text(), "v1.0.0\n");
    assert_eq!(scene.get("m", "/example.com/m/@latest").expect(200).json()["Version"], "v1.0.0");
    let artifacts = scene.server.api("GET", "/api/artifacts?format=go&repository=m", None).expect(200).json();
    assert_eq!(artifacts["items"][0]["checksums"]["h1"], module.h1(), "the sum that go will write into go.sum");
    assert_eq!(artifacts["items"][0]["checksums"]["go.mod h1"], module.go_mod_h1());
    assert_eq!(artifacts["items"].as_array().map(Vec::len), Some(1), "one version of three files");
}

#[test]
fn names_with_capital_letters_are_asked_for_as_go_does() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = Module::new("github.com/Azure/M", "v1.0.0-RC1");
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    scene.get("m", "/github.com/!azure/!m/@v/v1.0.0-!r!c1.mod").expect(200);
    scene.get("m", "/github.com/%21azure/%21m/@v/list").expect(200);
    assert_eq!(
        upstream.requests(),
        ["GET /github.com/%21azure/%21m/@v/v1.0.0-%21r%21c1.mod", "GET /github.com/%21azure/%21m/@v/list"]
    );
}

#[test]
fn nothing_of_a_client_reaches_the_upstream() {
    let (scene, upstream, module) = scene();
    let secrets = [
        ("Authorization", "Basic c2VjcmV0OnNlY3JldA=="),
        ("Cookie", "keeper_session=secret"),
        ("X-Forwarded-For", "10.1.2.3"),
        ("Referer", "http://intranet.example/secret"),
        ("Via", "1.1 secret"),
        ("If-None-Match", "\"secret\""),
    ];
    let admin = scene.server.token("--name reader --actions read --repositories go/m");
    let bearer = format!("Bearer {admin}");
    for header in secrets.iter().copied().chain([("Authorization", bearer.as_str())]) {
        let url = format!("{}/example.com/m/@v/list?secret=1", scene.server.go("m"));
        http::send("GET", &url, &[header], &[]);
        http::send("GET", &format!("{}{}", scene.server.go("m"), module.at("mod")), &[header], &[]);
    }
    let heard = upstream.heard();
    assert!(heard.len() >= 2);
    for asked in heard {
        let shown = format!("{asked:?}");
        for (_, secret) in secrets {
            assert!(!shown.contains(secret), "104: {shown}");
        }
        assert!(!shown.contains("secret") && !shown.contains(&admin), "104: {shown}");
        assert!(asked.header("user-agent").is_some_and(|agent| agent.starts_with("artifact-keeper/")), "{shown}");
        assert_eq!((asked.header("authorization"), asked.header("cookie")), (None, None), "{shown}");
    }
}

#[test]
fn what_is_no_such_file_is_refused_and_not_kept() {
    let (scene, upstream, module) = scene();
    let refusals = Refusals::by(&scene.server);
    let other = Module::new("example.com/other", "v1.0.0");
    let newer = Module::new(PATH, "v1.0.1");
    let nested = module.clone().with("sub/go.mod", "module example.com/m/sub\n");
    let twins = module.clone().with("a.txt", "a").with("A.txt", "A");
    let reserved = module.clone().with("con.go", "package m\n");
    let long_info = format!("{{\"Version\":\"v1.0.0\",\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let no_time = r#"{"Version":"v1.0.0","Time":"yesterday"}"#;
    let rows = [
        ("K5 .info", "info", Reply::login_page(), "upstream_invalid"),
        ("K5 .mod", "mod", Reply::login_page(), "upstream_invalid"),
        ("K5 .zip", "zip", Reply::login_page(), "upstream_invalid"),
        ("K5 .zip nothing", "zip", Reply::text(""), "upstream_invalid"),
        ("K15 .info of another version", "info", Reply::text(newer.info()), "upstream_invalid"),
        ("K15 .zip of another module", "zip", Reply::bytes(other.zip()), "upstream_invalid"),
        ("K15 .zip of another version", "zip", Reply::bytes(newer.zip()), "upstream_invalid"),
        ("K16 .info too long", "info", Reply::text(long_info), "upstream_too_large"),
        ("96 .info without a time", "info", Reply::text(no_time), "upstream_invalid"),
        ("96 .info without a version", "info", Reply::text("{}"), "upstream_invalid"),
        ("96 .info is no JSON", "info", Reply::text("v1.0.0"), "upstream_invalid"),
        ("97 nested go.mod", "zip", Reply::bytes(nested.zip()), "upstream_invalid"),
        ("97 collision", "zip", Reply::bytes(twins.zip()), "upstream_invalid"),
        ("97 reserved name", "zip", Reply::bytes(reserved.zip()), "upstream_invalid"),
        ("97 cut zip", "zip", Reply::bytes(&module.zip()[..200]), "upstream_invalid"),
    ];
    for (row, extension, reply, code) in rows {
        upstream.put(&module.at(extension), [reply]);
        upstream.forget();
        for _ in 0..2 {
            let said = refusals.text(row, &scene.get("m", &module.at(extension)), 502, code);
            assert!(
                said.contains("upstream") && !said.contains("127.0.0.1") && !said.contains("sign in"),
                "{row}: {said}"
            );
        }
        assert!(upstream.times_asked(&module.at(extension)) >= 2, "{row}: trouble is not remembered");
        upstream.offer(&[&module]);
    }
    for extension in ["info", "mod", "zip"] {
        scene.get("m", &module.at(extension)).expect(200);
    }
}

#[test]
fn a_go_mod_may_name_another_module_but_not_differ_from_the_one_in_the_zip() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let fork = Module::new(PATH, "v1.0.0").with_go_mod("module example.com/original\n");
    upstream.offer(&[&fork]);
    scene.remote("m", &upstream.url);
    scene.get("m", &fork.at("mod")).expect(200);
    scene.get("m", &fork.at("zip")).expect(200);

    let module = Module::new("example.com/two", "v1.0.0");
    upstream.offer(&[&module]);
    upstream.put(&module.at("mod"), [Reply::text("module example.com/two\n\nrequire example.com/evil v1.0.0\n")]);
    scene.get("m", &module.at("mod")).expect(200);
    let refusals = Refusals::by(&scene.server);
    refusals.text("another go.mod", &scene.get("m", &module.at("zip")), 502, "upstream_invalid");

    // A module of the time before modules: its go.mod is made up, by us as by everybody.
    let old = Module::new("example.com/old", "v1.0.0");
    upstream.offer(&[&old]);
    upstream.put(&old.at("mod"), [Reply::text("module example.com/old\n")]);
    let prefix = "example.com/old@v1.0.0";
    let zip = crate::harness::archives::zip(&[(&format!("{prefix}/old.go"), b"package old\n")]);
    upstream.put(&old.at("zip"), [Reply::bytes(zip)]);
    scene.get("m", &old.at("mod")).expect(200);
    scene.get("m", &old.at("zip")).expect(200);
}

#[test]
fn lists_hold_what_go_can_use_and_nothing_else() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("m", &upstream.url);
    let list = "/example.com/m/@v/list";
    let rows = [
        (
            "95",
            "v1.1.0 2024-03-04T03:06:07Z\r\nv1.0.0\nv1.0.0\nv1\nv1.0.0+meta\nv2.0.0\n\nv1.10.0\nv1.9.0\n\
                v0.0.0-20240304030607-0123456789ab\n",
            "v1.0.0\nv1.1.0\nv1.9.0\nv1.10.0\n",
        ),
        ("K17", "v1.0.0\nnot a version\nv1.0.1-\n../x\nv1.0.2\n", "v1.0.0\nv1.0.2\n"),
        ("prereleases", "v1.0.0\nv1.0.0-rc.2\nv1.0.0-rc.10\n", "v1.0.0-rc.2\nv1.0.0-rc.10\nv1.0.0\n"),
        ("incompatible", "v2.0.0+incompatible\nv1.0.0\n", "v1.0.0\nv2.0.0+incompatible\n"),
        ("known and empty", "", ""),
    ];
    for (row, upstreams, ours) in rows {
        upstream.put(list, [Reply::text(upstreams)]);
        let answer = scene.get("m", list).expect(200);
        assert_eq!(
            (answer.text().as_str(), answer.header("content-type")),
            (ours, Some("text/plain; charset=utf-8")),
            "{row}"
        );
    }
}

#[test]
fn an_index_that_is_none_is_refused_and_the_last_good_one_is_told() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("m", &upstream.url);
    let refusals = Refusals::by(&scene.server);
    let list = "/example.com/m/@v/list";
    upstream.put(list, [Reply::login_page()]);
    refusals.text("K5, K17 list", &scene.get("m", list), 502, "upstream_invalid");
    upstream.put(list, [Reply::text("v1.0.0\n")]);
    assert_eq!(scene.get("m", list).expect(200).text(), "v1.0.0\n");
    upstream.put(list, [Reply::login_page()]);
    assert_eq!(scene.get("m", list).expect(200).text(), "v1.0.0\n", "the last good one");

    for (row, revision, reply) in [
        ("G10 HTML", "main", Reply::login_page()),
        ("G10 no version", "main", Reply::text("{}")),
        ("G10 another major version", "main", Reply::text(r#"{"Version":"v2.0.0"}"#)),
        ("G10 no canonical version", "main", Reply::text(r#"{"Version":"v1.0"}"#)),
    ] {
        upstream.put(&format!("/example.com/m/@v/{revision}.info"), [reply]);
        refusals.text(row, &scene.get("m", &format!("/example.com/m/@v/{revision}.info")), 502, "upstream_invalid");
    }
}

#[test]
fn branches_tags_and_commits_are_the_upstreams_to_know() {
    let (scene, upstream, module) = scene();
    let pseudo = "v1.0.1-0.20240304030607-0123456789ab";
    let info = format!("{{\"Version\":\"{pseudo}\",\"Time\":\"2024-03-04T03:06:07Z\"}}");
    for revision in ["main", "0123456789ab"] {
        upstream.put(&format!("/example.com/m/@v/{revision}.info"), [Reply::text(info.clone())]);
        let answer = scene.get("m", &format!("/example.com/m/@v/{revision}.info")).expect(200);
        assert_eq!(answer.json()["Version"], pseudo, "G10 {revision}");
        assert!(answer.header("cache-control").is_some_and(|value| !value.contains("immutable")), "G10 it moves");
    }
    // Names that look like versions are the upstream's, too: a tag may be called so.
    for revision in ["v1.0.1+meta", "v1.0"] {
        let path = format!("/example.com/m/@v/{revision}.info");
        assert_eq!(scene.get("m", &path).status, 404, "G10 {revision}");
        assert_eq!(upstream.times_asked(&path), 1, "G10 {revision}: the upstream is asked");
    }
    upstream.put("/example.com/m/@v/v1.0.1+meta0.info", [Reply::text(info.clone())]);
    assert_eq!(scene.get("m", "/example.com/m/@v/v1.0.1+meta0.info").expect(200).json()["Version"], pseudo, "G10");
    let refusals = Refusals::by(&scene.server);
    refusals.text("G10 unknown", &scene.get("m", "/example.com/m/@v/nobody.info"), 404, "module_not_found");
    upstream.forget();
    for path in ["latest.info", "%3E=v1.info", "v1.0.mod", "v1.0.zip", "v1.0.0+meta.zip"] {
        assert_eq!(scene.get("m", &format!("/example.com/m/@v/{path}")).status, 404, "G11 {path}");
    }
    assert_eq!(upstream.requests(), [""; 0], "G11: what no upstream can know is not asked for");
    drop(module);
}

#[test]
fn an_absence_is_believed_for_a_while_and_trouble_is_not() {
    let (scene, upstream, module) = scene();
    let refusals = Refusals::by(&scene.server);
    let rows = [
        ("K6 file", module.at("zip"), 404, 404, "module_not_found"),
        ("K6 file gone", module.at("mod"), 410, 410, "deleted"),
        ("K6 list", format!("{}/@v/list", base("example.com/none")), 404, 404, "module_not_found"),
        ("K6 revision", format!("{}/@v/main.info", base("example.com/none")), 404, 404, "module_not_found"),
    ];
    for (row, path, upstreams, status, code) in rows {
        upstream.put(&path, [Reply::status(upstreams)]);
        for _ in 0..3 {
            refusals.text(row, &scene.get("m", &path), status, code);
        }
        assert_eq!(upstream.times_asked(&path), 1, "{row} is remembered");
    }
}

#[test]
fn what_is_kept_stays_when_the_upstream_forgets_or_changes_it() {
    let (scene, upstream, module) = scene();
    for extension in ["info", "mod", "zip"] {
        scene.get("m", &module.at(extension)).expect(200);
    }
    let refusals = Refusals::by(&scene.server);
    let changed = module.clone().with("evil.go", "package m\n");
    for (row, status) in [("K7", 404), ("K7 gone", 410), ("K13", 200)] {
        for extension in ["info", "mod"] {
            upstream.put(&module.at(extension), [Reply::status(status)]);
        }
        upstream.put(&module.at("zip"), [Reply::bytes(changed.zip()).of(status)]);
        for path in ["/example.com/m/@v/list", "/example.com/m/@latest"] {
            upstream.put(path, [Reply::status(if status == 200 { 404 } else { status })]);
        }
        assert!(scene.get("m", &module.at("zip")).expect(200).body == module.zip(), "{row}");
        assert_eq!(scene.get("m", &module.at("mod")).expect(200).text(), module.go_mod(), "{row}");
        assert_eq!(scene.get("m", "/example.com/m/@v/list").expect(200).text(), "v1.0.0\n", "101 {row}");
        assert_eq!(scene.get("m", "/example.com/m/@latest").expect(200).json()["Version"], "v1.0.0", "{row}");
        refusals.unchanged(row);
    }
}

#[test]
fn what_the_upstream_has_no_more_is_told_once_and_stays_here() {
    let (scene, upstream, module) = scene();
    let list = "/example.com/m/@v/list";
    for path in [list.to_owned(), module.at("info"), module.at("mod")] {
        scene.get("m", &path).expect(200);
    }
    for path in [list.to_owned(), module.at("zip"), "/example.com/m/@v/v1.9.0.zip".to_owned()] {
        upstream.put(&path, [Reply::status(404)]);
    }
    for _ in 0..3 {
        assert_eq!(scene.get("m", list).expect(200).text(), "v1.0.0\n");
        scene.get("m", &module.at("mod")).expect(200);
        scene.get("m", &module.at("zip")).expect(404);
        scene.get("m", "/example.com/m/@v/v1.9.0.zip").expect(404);
    }
    let mut told: Vec<_> = scene
        .audited("upstream_missing")
        .iter()
        .map(|row| row["resource"].as_str().expect("a text").to_owned())
        .collect();
    told.sort();
    assert_eq!(told, ["go/m example.com/m", "go/m example.com/m@v1.0.0"], "what it never had is not missed");
    let metrics = scene.server.api("GET", "/metrics", None).expect(200).text();
    let counted = "keeper_upstream_contradictions_total{format=\"go\",what=\"upstream_missing\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn other_bytes_after_a_purge_are_refused_and_told() {
    let (scene, upstream, module) = scene();
    for extension in ["info", "mod", "zip"] {
        scene.get("m", &module.at(extension)).expect(200);
    }
    let listed = scene.server.api("GET", "/api/artifacts?format=go&repository=m", None).expect(200).json();
    let id = listed["items"][0]["id"].as_str().expect("an id");
    scene.server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    let refusals = Refusals::by(&scene.server);
    let changed = module.clone().with("evil.go", "package m\n");
    upstream.put(&module.at("zip"), [Reply::bytes(changed.zip())]);
    refusals.text("99", &scene.get("m", &module.at("zip")), 502, "upstream_checksum_mismatch");
    let told = scene.audited("upstream_changed");
    assert_eq!(told.len(), 1, "99, K13: {told:?}");
    assert!(told[0].to_string().contains(&module.h1()) && told[0].to_string().contains("example.com/m@v1.0.0"));
    assert_eq!(scene.audited("upstream_checksum_mismatch").len(), 0, "no database said anything");
    upstream.put(&module.at("zip"), [Reply::bytes(module.zip())]);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == module.zip(), "the same bytes come back");
}

#[test]
fn others_may_believe_an_index_as_long_as_it_is_believed_here() {
    let (scene, upstream, _module) = scene();
    upstream.put("/example.com/m/@v/main.info", [Reply::text(r#"{"Version":"v1.0.0"}"#)]);
    for (name, seconds) in [("long", 3600), ("short", 20)] {
        scene.remote_with(name, &upstream.url, &serde_json::json!({ "index_seconds": seconds }), &super::unverified());
        for path in ["/example.com/m/@v/list", "/example.com/m/@latest", "/example.com/m/@v/main.info"] {
            let answer = scene.get(name, path).expect(200);
            let told = answer.header("cache-control").expect("a header").strip_prefix("public, max-age=");
            let told: u64 = told.and_then(|told| told.parse().ok()).unwrap_or_else(|| panic!("{name} {path}"));
            assert!(told <= seconds.min(60) && told > 0, "{name} {path}: {told}");
            assert!(name == "short" || told == 60, "{name} {path}: {told}");
        }
    }
    let asked_each_time = scene.get("m", "/example.com/m/@v/list").expect(200);
    assert_eq!(asked_each_time.header("cache-control"), Some("public, no-cache"));
}

#[test]
fn clients_that_want_nothing_fetched_get_what_is_there() {
    let (scene, upstream, module) = scene();
    scene.get("m", &module.at("mod")).expect(200);
    scene.get("m", "/example.com/m/@v/list").expect(200);
    upstream.forget();
    let refusals = Refusals::by(&scene.server);
    let ask = |path: &str, value: &str| {
        http::send("GET", &format!("{}{path}", scene.server.go("m")), &[("Disable-Module-Fetch", value)], &[])
    };
    for value in ["1", "t", "T", "TRUE", "true", "True"] {
        let row = format!("G23, 31 {value}");
        for path in [module.at("zip"), "/example.com/m/@v/v1.9.9.info".to_owned()] {
            refusals.text(&row, &ask(&path, value), 404, "version_not_found");
        }
        refusals.text(&row, &ask("/example.com/none/@v/list", value), 404, "module_not_found");
        assert_eq!(ask(&module.at("mod"), value).expect(200).text(), module.go_mod(), "{row}");
        assert_eq!(ask("/example.com/m/@v/list", value).expect(200).text(), "v1.0.0\n", "{row}");
    }
    assert_eq!(scene.get("m", &format!("/cached-only{}", module.at("zip"))).status, 404);
    assert_eq!(scene.get("m", &format!("/cached-only{}", module.at("mod"))).expect(200).text(), module.go_mod());
    assert_eq!(upstream.requests(), [""; 0], "G23: no connection");
    // Nothing of it was remembered as an absence.
    scene.get("m", &module.at("zip")).expect(200);
}
