//! What publishers and users wrote is shown harmless wherever it is shown: script and markup, controls that turn the
//! order of a text, lines without an end (S13).

use serde_json::json;

use super::{plain_file, publish, scenario, server};
use crate::harness::people::person;

const M: &str = "github.com/yourcompany/mymodule";

/// A text that runs where it is taken for markup, and turns what stands behind it.
fn hostile(number: u32) -> String {
    format!("<img src=x onerror=\"globalThis.hostile={number}\"><script>globalThis.hostile={number}</script>\u{202e}x")
}

#[test]
fn a_readme_and_sources_run_nothing_and_fetch_nothing() {
    let server = server();
    let line = "x".repeat(20_000);
    let readme = format!(
        "# Hello\n\n<script>globalThis.hostile = 1</script>\n\n<img src=\"https://evil.example/x.png\" onerror=\"globalThis.hostile = 2\">\n\n\
         [click](javascript:globalThis.hostile=3) [data](data:text/html,<script>globalThis.hostile=4</script>)\n\n\
         ![pixel](https://evil.example/pixel.png) [fine](https://fine.example/)\n\n\
         <style>body {{ display: none }}</style><svg onload=\"globalThis.hostile = 5\"></svg>\n\n\
         <form action=\"https://evil.example\"><input name=\"password\"></form>\n\nThe rest can be read. {line}\n"
    );
    let source = "// Package m \u{202e}<img src=x onerror=\"globalThis.hostile = 6\"> does things.\npackage m\n";
    let odd = "docs/a&b $c=d (e).md";
    publish(
        &server,
        M,
        "v1.0.0",
        &[("README.md", &readme), ("m.go", source), (odd, "<script>globalThis.hostile = 7</script>\n")],
    );
    let entry = format!("{M}@v1.0.0/m.go");
    let facts = json!({"name": M, "version": "v1.0.0", "readable": "The rest can be read.", "entry": entry});
    scenario(&server, "hostile/readme", &facts);
}

#[test]
fn what_authors_say_of_versions_is_text() {
    let server = server();
    let long = "y".repeat(2_000);
    let go_mod = format!(
        "// Deprecated: {} {long}\nmodule {M}\n\ngo 1.21\n\nretract v1.0.0 // {} {long}\n",
        hostile(1),
        hostile(2)
    );
    let source = format!("// Package m {} {long}\npackage m\n", hostile(3));
    publish(&server, M, "v1.0.0", &[("m.go", &source)]);
    publish(&server, M, "v1.1.0", &[("go.mod", &go_mod), ("m.go", &source)]);
    let page = |rest: &str| format!("/r/go/local/p/{M}{rest}");
    let pages = [
        "/".to_owned(),
        "/r/go/local".to_owned(),
        "/search?q=mymodule".to_owned(),
        page(""),
        page("@v1.0.0"),
        page("?view=versions"),
        page("@v1.1.0?view=requiredby"),
    ];
    scenario(&server, "hostile/pages", &json!({"pages": pages, "turned": page("@v1.0.0")}));
}

#[test]
fn what_people_and_repositories_are_called_is_text() {
    let server = server();
    // The API takes one line of these; what it refuses is not there to be shown.
    let described = json!({
        "format": "generic", "name": "files", "kind": "hosted", "anonymous_read": true, "description": hostile(4)
    });
    server.api("POST", "/api/repositories", Some(&described)).expect(201);
    let long = "z".repeat(200);
    let names = [
        "a & b 'c' {{7+7}} ${x} #frag @at.txt".to_owned(),
        "javascript(globalThis.hostile=5).html".to_owned(),
        format!("{long}.txt"),
    ];
    for name in &names {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        plain_file(&server, &format!("tool/1.0.0/{encoded}"), b"<script>globalThis.hostile=6</script>");
    }
    person(&server, "ann");
    server.api("PATCH", "/api/users/ann", Some(&json!({"display_name": hostile(7)}))).expect(200);
    let group = json!({"name": "team", "description": hostile(8)});
    server.api("POST", "/api/groups", Some(&group)).expect(201);
    let made = json!({"name": "<b onclick=alert(9)>t</b>\u{202e}", "actions": ["read"], "repositories": ["*"]});
    server.api("POST", "/api/tokens", Some(&made)).expect(201);
    let file = |name: &str| format!("/r/generic/files/f/tool/1.0.0/{name}");
    let pages = [
        "/".to_owned(),
        "/r/generic/files".to_owned(),
        "/r/generic/files/f/tool/1.0.0".to_owned(),
        file("a%20%26%20b%20'c'%20%7B%7B7+7%7D%7D%20$%7Bx%7D%20%23frag%20@at.txt"),
        file("javascript(globalThis.hostile=5).html"),
        "/setup/generic?repo=files".to_owned(),
        "/admin/repositories".to_owned(),
        "/admin/repositories/generic/files".to_owned(),
        "/admin/users".to_owned(),
        "/admin/users/ann".to_owned(),
        "/admin/groups".to_owned(),
        "/admin/groups/team".to_owned(),
        "/admin/tokens".to_owned(),
        "/admin/audit".to_owned(),
        "/search?q=%3Cscript%3EglobalThis.hostile%3D10%3C%2Fscript%3E".to_owned(),
        "/no/%3Cimg%20src%3Dx%20onerror%3DglobalThis.hostile%3D11%3E".to_owned(),
    ];
    scenario(&server, "hostile/pages", &json!({"pages": pages, "as": "admin"}));
}
