//! What is there, as it is sent: bodies, headers, verbs, and the pages for people.

use serde_json::json;

use super::{COMMIT, PSEUDO, Scene};
use crate::harness::http;
use crate::harness::refusal::{problem, text};

const LIST: &str = "/github.com/%21azure/m/@v/list";
const ZIP: &str = "/github.com/!azure/m/@v/v1.0.0.zip";

#[test]
fn every_endpoint_answers_with_its_type_and_how_long_it_may_be_believed() {
    const FOR_EVER: &str = "public, max-age=31536000, immutable";
    const ASK: &str = "public, no-cache";
    let plain = "text/plain; charset=utf-8";
    let scene = Scene::new();
    let rows = [
        ("1", LIST, plain, ASK),
        ("2", "/github.com/!azure/m/@v/list", plain, ASK),
        ("8", "/github.com/!azure/m/@v/v1.0.0.info", "application/json", "public, max-age=86400"),
        ("13", "/github.com/!azure/m/@latest", "application/json", ASK),
        ("G9, 16", "/github.com/!azure/m/@v/0a1b2c3.info", "application/json", ASK),
        (".mod", "/github.com/!azure/m/@v/v1.0.0.mod", plain, FOR_EVER),
        (".zip", ZIP, "application/zip", FOR_EVER),
        ("cached-only", "/cached-only/github.com/!azure/m/@v/list", plain, ASK),
        ("G1, 26", "", plain, ASK),
        ("G1, 26", "/", plain, ASK),
        ("32", "/x.y/z?go-get=1", "text/html; charset=utf-8", ASK),
    ];
    for (row, path, media_type, cached) in rows {
        let row = format!("{row} {path}");
        let get = scene.get(path).expect(200);
        assert_eq!(get.header("content-type"), Some(media_type), "{row}");
        assert_eq!(get.header("cache-control"), Some(cached), "{row}");
        assert_eq!(get.header("x-content-type-options"), Some("nosniff"), "{row}");
        assert!(!get.body.is_empty() && get.header("x-error-code").is_none(), "{row}");
        let head = http::send("HEAD", &scene.url(path), &[], &[]).expect(200);
        assert!(head.body.is_empty(), "{row}: HEAD has no body");
        assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{row}: HEAD");
        for header in ["content-type", "cache-control", "etag", "accept-ranges", "last-modified"] {
            assert_eq!(head.header(header), get.header(header), "{row}: HEAD, {header}");
        }
        let etag = get.header("etag").unwrap_or_else(|| panic!("{row}: no ETag"));
        let again = http::send("GET", &scene.url(path), &[("If-None-Match", etag)], &[]);
        assert_eq!(again.status, 304, "{row}: 24");
    }
}

#[test]
fn lists_and_versions_say_what_was_published() {
    let scene = Scene::new();
    for path in [LIST, "/github.com/!azure/m/@v/list"] {
        assert_eq!(scene.get(path).expect(200).text(), "v1.0.0\nv1.1.0-rc.1\n", "1, 2");
    }
    let origin = json!({"VCS": "git", "Hash": COMMIT});
    let revisions = ["@v/v1.0.0.info", "@latest", "@v/0a1b2c3.info", "@v/branch-v1.0.0.info"];
    for revision in revisions.into_iter().map(str::to_owned).chain([format!("@v/{COMMIT}.info")]) {
        let info = scene.get(&format!("/github.com/!azure/m/{revision}")).expect(200).json();
        assert_eq!((&info["Version"], &info["Origin"]), (&json!("v1.0.0"), &origin), "8, 13, 16, G9 {revision}");
        let time = info["Time"].as_str().expect("a time");
        assert!(time.len() == "2024-03-04T03:06:07Z".len() && time.ends_with('Z'), "8 {revision}: {time}");
    }

    // 40: versions without a tag are not listed, and still found.
    assert_eq!(scene.get("/example.com/untagged/@v/list").expect(200).text(), "", "40");
    assert_eq!(scene.get("/example.com/untagged/@latest").expect(200).json()["Version"], PSEUDO[0], "40");

    // 39: a list that was kept ready is not given any more.
    scene.publish("github.com/Azure/m", "v1.0.1", None);
    assert_eq!(scene.get(LIST).expect(200).text(), "v1.0.0\nv1.0.1\nv1.1.0-rc.1\n", "39");
    assert_eq!(scene.get("/github.com/!azure/m/@latest").expect(200).json()["Version"], "v1.0.1", "39");
}

#[test]
fn parts_of_a_zip_can_be_asked_for() {
    let scene = Scene::new();
    let ranged = |path: &str, range: &str| http::send("GET", &scene.url(path), &[("Range", range)], &[]);
    let whole = scene.get(ZIP).expect(200).body;
    let part = ranged(ZIP, "bytes=0-9").expect(206);
    assert_eq!((part.body.as_slice(), part.header("content-length")), (&whole[..10], Some("10")), "22");
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 0-9/{}", whole.len())), "22");
    let beyond = ranged(ZIP, "bytes=999999999-");
    text("23", &beyond, 416, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{}", whole.len())), "23");
}

#[test]
fn a_list_that_travels_compressed_is_the_same() {
    let scene = Scene::new();
    let answer = http::send("GET", &scene.url(LIST), &[("Accept-Encoding", "gzip")], &[]).expect(200);
    // Compression is allowed and not made use of: lists are small.
    assert_eq!((answer.header("content-encoding"), &*answer.text()), (None, "v1.0.0\nv1.1.0-rc.1\n"), "33");
}

#[test]
fn other_verbs_are_not_available() {
    let scene = Scene::new();
    for path in ["", "/", LIST, ZIP, "/example.com/unknown/@v/list", "/sumdb/sum.golang.org/supported"] {
        for verb in ["PUT", "POST", "DELETE", "PATCH"] {
            let row = format!("25, A22 {verb} {path}");
            let answer = http::send(verb, &scene.url(path), &[], b"x");
            text(&row, &answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{row}");
        }
    }
}

#[test]
fn queries_do_not_matter_but_for_the_import_page() {
    let scene = Scene::new();
    for query in ["?x=1", "?x=%00", "?", "?go-get=0", "?go-get=1", "?a=b&go-get=1"] {
        let list = scene.get(&format!("{LIST}{query}")).expect(200);
        assert_eq!(list.text(), "v1.0.0\nv1.1.0-rc.1\n", "G13 {query}");
    }
    let known = scene.get("/github.com/Azure/m?go-get=1").expect(200);
    let host = scene.server.host().split(':').next().expect("a name");
    let tag = format!("<meta name=\"go-import\" content=\"{host}/go/r mod {}\">", scene.server.go("r"));
    let page = known.text();
    let (head, _) = page.split_once("</head>").expect("a head");
    assert!(head.contains(&tag) && page.matches("go-import").count() == 1, "32: {tag} is not in {page}");
    for path in ["/x.y/z?go-get=1", "/x.y?go-get=1", "?go-get=1", "/github.com/Azure/m/sub?x=1&go-get=1"] {
        assert_eq!(scene.get(path).expect(200).body, known.body, "G13, 32 {path}: equal for known and unknown");
    }
    text("G13 without it", &scene.get("/x.y/z?go-get=2"), 404, "file_not_found");
}

#[test]
fn the_address_of_the_repository_says_what_it_is() {
    let scene = Scene::new();
    for path in ["", "/"] {
        let page = scene.get(path).expect(200).text();
        assert!(page.contains(&format!("GOPROXY={}", scene.server.go("r"))), "G1, 26: {page}");
    }
}

#[test]
fn only_what_is_stored_is_all_there_is() {
    let scene = Scene::new();
    for value in ["true", "1", "false"] {
        let headers = [("Disable-Module-Fetch", value)];
        let there = http::send("GET", &scene.url(LIST), &headers, &[]).expect(200);
        assert_eq!(there.text(), "v1.0.0\nv1.1.0-rc.1\n", "2.5 {value}");
        let absent = http::send("GET", &scene.url("/example.com/unknown/@v/list"), &headers, &[]);
        text("2.5 of a hosted repository", &absent, 404, "module_not_found");
    }
}

#[test]
fn a_file_that_an_artifact_lacks_is_not_found_in_the_api() {
    let scene = Scene::new();
    let page = scene.server.api("GET", "/api/artifacts?limit=1", None).expect(200).json();
    let id = page["items"][0]["id"].as_str().expect("an id");
    let answer = scene.server.api("GET", &format!("/api/artifacts/{id}/files/nope"), None);
    problem("L15", &answer, 404, &["file_not_found"]);
    for path in ["../x", "..", "a/../../x", "/etc/passwd", "./x", "..%5Cx", "%2e%2e/x"] {
        let answer = scene.server.api("GET", &format!("/api/artifacts/{id}/contents?path={path}"), None);
        problem("L15 contents", &answer, 400, &["invalid_field"]);
    }
    let answer = scene.server.api("GET", &format!("/api/artifacts/{id}/contents?path=..x/"), None);
    assert_eq!(answer.status, 404, "two dots in a name are no way up: {}", answer.text());
}
