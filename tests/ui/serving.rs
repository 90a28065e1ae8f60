//! How the pages are served, and what they do when the server is not there.

use std::fs;
use std::thread;

use serde_json::json;

use super::{Known, publish, scenario, server};
use crate::harness::http::send;
use crate::harness::machine::Machine;
use crate::harness::server::{Server, faulty_program};
use crate::harness::wait;

const M: &str = "github.com/yourcompany/mymodule";
const BROWSER: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn with_module() -> Server {
    let server = server();
    publish(&server, M, "v1.0.0", &[("README.md", "# Hello\n")]);
    server
}

#[test]
fn a_browser_gets_the_page_for_every_address_and_a_program_for_none() {
    let server = server();
    let get = |path: &str, headers: &[(&str, &str)]| send("GET", &format!("{}{path}", server.url), headers, b"");
    for path in ["/", "/r/go/local", "/r/go/local/p/a.b/c@v1.0.0", "/no/such/page"] {
        let page = get(path, &[BROWSER]).expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-cache"), "{path}");
    }
    for path in ["/r/go/local", "/goo/local/a.b/c/@v/list", "/_app/immutable/none.js"] {
        assert_eq!(get(path, &[]).expect(404).header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
    }
    get("/_app/none.js", &[BROWSER]).expect(404);
    send("POST", &format!("{}/r/go/local", server.url), &[BROWSER], b"").expect(404);
}

#[test]
fn the_page_comes_with_its_policy_and_scripts_stay_for_ever() {
    let server = server();
    let get = |path: &str, headers: &[(&str, &str)]| send("GET", &format!("{}{path}", server.url), headers, b"");
    let page = get("/", &[BROWSER]).expect(200);
    let policy = page.header("content-security-policy").expect("a policy");
    for part in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let text = page.text();
    let script = text.split('"').find(|part| part.starts_with("/_app/immutable/chunks/")).expect("a script");
    let small = get(script, &[("Accept-Encoding", "gzip, br")]).expect(200);
    assert_eq!(small.header("content-encoding"), Some("br"));
    assert_eq!(small.header("vary"), Some("accept-encoding"));
    assert_eq!(small.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let tag = page.header("etag").expect("an entity tag");
    get("/", &[BROWSER, ("If-None-Match", tag)]).expect(304);
    let api = get("/api/formats", &[]).expect(200);
    assert_eq!(api.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(api.header("cache-control"), Some("no-store"));
}

/// The program of the fault tests is built without them.
#[test]
fn a_build_without_pages_says_so_and_serves_all_the_rest() {
    let server = Server::of(&faulty_program());
    let page = send("GET", &format!("{}/r/go/local", server.url), &[BROWSER], b"").expect(200);
    assert!(page.text().contains("This build has no web UI"), "{}", page.text());
    publish(&server, M, "v1.0.0", &[]);
    let machine = Machine::of_a_user_of(&server);
    machine.go(&machine.project("app"), &format!("get {M}@v1.0.0")).succeeded();
    send("GET", &format!("{}/goo/local/{M}/@v/list", server.url), &[], b"").expect(404);
}

#[test]
fn a_server_that_comes_back_is_used_again_without_a_reload() {
    scenario(&with_module(), "serving/offline", &json!({"name": M}));
}

/// A cold visit asks for one script beside the page, its style, three fonts and three questions; a package's page for what
/// only it needs as well.
#[test]
fn a_first_visit_asks_for_little() {
    let pages = json!([["/", 8, 1], ["/r/go/local", 10, 1], [format!("/r/go/local/p/{M}"), 23, 4]]);
    scenario(&with_module(), "serving/requests", &json!({"pages": pages}));
}

#[test]
fn a_server_that_was_stopped_and_started_again_is_used_again_without_a_reload() {
    let (mut server, folder) = (with_module(), tempfile::tempdir().expect("a folder"));
    let sign = |name: &str| folder.path().join(name);
    let (open, gone, lost) = (sign("open"), sign("gone"), sign("lost"));
    let facts = json!({"name": M, "open": open, "gone": gone, "lost": lost});
    let known = Known::of(&server, &facts);
    thread::scope(|scope| {
        let watching = scope.spawn(|| known.run("serving/stopped"));
        wait::until("the page stands", || open.exists() || watching.is_finished());
        server.set("KEEPER_LISTEN", &server.address());
        server.stop();
        fs::write(&gone, "").expect("a fresh folder");
        wait::until("the page has noticed", || lost.exists() || watching.is_finished());
        server.start_again();
        watching.join().expect("the page goes on");
    });
}

#[test]
fn a_section_that_fails_leaves_the_rest_of_the_page() {
    scenario(&with_module(), "serving/sectionFails", &json!({"name": M}));
}

#[test]
fn a_server_that_wants_to_be_left_alone_is_asked_again_when_it_said() {
    scenario(&with_module(), "serving/limited", &json!({"name": M}));
}

#[test]
fn a_slow_server_is_waited_for_visibly() {
    scenario(&with_module(), "serving/slow", &json!({"name": M}));
}

#[test]
fn the_theme_follows_the_system_and_a_choice_stays() {
    scenario(&with_module(), "serving/theme", &json!({}));
}

#[test]
fn behind_a_proxy_with_a_path_everything_stays_below_it() {
    let server = Server::with(&[("KEEPER_PUBLIC_URL", "http://keeper.example/below/it")]);
    let upstream = format!("http://{}", server.address());
    scenario(
        &server,
        "serving/prefix",
        &json!({"upstream": upstream, "prefix": "/below/it", "host": "keeper.example"}),
    );
}
