//! Spellings of addresses.
//!
//! *absent* is the answer that an absent repository gives that caller; *404* is the format's, given to those who
//! may read the repository and to nobody else. Each row is sent by all callers: strangers, a token for another
//! repository, one for `go/private`, and the administrator.

use super::{BELOW, MODULE, SECRET, refused, server};
use crate::harness::http::{Response, raw};
use crate::harness::refusal::Refusals;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// Who asks.
struct Callers([(&'static str, Option<String>); 4]);

impl Callers {
    fn of(server: &Server) -> Self {
        let token = |name: &str, repository: &str| {
            Some(server.token(&format!("--name {name} --actions read --repositories {repository}")))
        };
        Self([
            ("stranger", None),
            ("outsider", token("outsider", "go/other*")),
            ("insider", token("insider", "go/private")),
            ("administrator", Some(ADMIN_TOKEN.to_owned())),
        ])
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).and_then(|(_, token)| token.as_deref())
    }
}

/// Asks for a target as it is, which need not be text.
fn ask(server: &Server, target: &[u8], token: Option<&str>) -> Response {
    let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let rest = format!(" HTTP/1.1\r\nHost: {}\r\n{credential}Connection: close\r\n\r\n", server.host());
    raw(server.host(), &[b"GET ", target, rest.as_bytes()].concat())
}

/// All of an answer but the request's id, the time, and the name that was asked for.
fn but_for_the_name(answer: &Response) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    let headers = answer.headers().filter(|(name, _)| !matches!(*name, "date" | "content-length"));
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    let text = answer.text();
    let (before, rest) = text.split_once("\"go/").unwrap_or((&text, "\""));
    let (_name, after) = rest.split_once('"').unwrap_or_default();
    format!("{} {headers:?} {before}\"NAME\"{after}", answer.status).replace(id, "ID")
}

/// What an absent repository gets.
fn absent(caller: &str) -> (u16, &'static str) {
    match caller {
        "stranger" => (401, "login_required"),
        "administrator" => (404, "repository_not_found"),
        _ => (403, "repository_unavailable"),
    }
}

#[test]
fn an_odd_repository_name_is_an_absent_repository() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let callers = Callers::of(&server);
    let long = "a".repeat(101);
    let rows: [(&str, &[u8]); 33] = [
        ("B2", b"%2e%2e"),
        ("B2", b".."),
        ("B2", b"."),
        ("B3", b"priv%61te"),
        ("B3", b"%70rivate"),
        ("B4", b"private%2f"),
        ("B4", b"private%2fx"),
        ("B4", b"x%2fprivate"),
        ("B4", b"private%5c"),
        ("B4", b"private\\"),
        ("B5", b"private%00"),
        ("B5", b"private%0a"),
        ("B5", b"%1b[31m"),
        ("B6", b"private%zz"),
        ("B6", b"private%4"),
        ("B6", b"private%"),
        ("B7", b"%ff%fe"),
        // The table says 404 here. That would send a user of GOPROXY=…/go//local on to the next proxy.
        ("B8", b""),
        ("B9", b"private;x=1"),
        ("B9", b"private;jsessionid=7"),
        ("B10", b"%252e%252e"),
        ("B10", b"priv%2561te"),
        ("B11", "privat\u{e9}".as_bytes()),
        ("B11", "private\u{202e}".as_bytes()),
        ("B11", "\u{ff0e}\u{ff0e}".as_bytes()),
        ("B13", b"CON"),
        ("B13", b"PRIVATE"),
        ("B13", b".hidden"),
        ("B13", b"-x"),
        ("B13", long.as_bytes()),
        ("B13", b"private."),
        ("B13", b"private~"),
        ("B13", b"private+"),
    ];
    for (row, name) in rows {
        for (caller, token) in &callers.0 {
            let row = format!("{row} {:?} by {caller}", String::from_utf8_lossy(name));
            let (status, code) = absent(caller);
            let target = [b"/go/", name, BELOW.as_bytes()].concat();
            let answer = ask(&server, &target, token.as_deref());
            refused(&refusals, &row, "/go", &answer, status, code);
            let expected = ask(&server, format!("/go/nothere{BELOW}").as_bytes(), token.as_deref());
            assert_eq!(but_for_the_name(&answer), but_for_the_name(&expected), "{row}");
        }
    }
}

#[test]
fn an_odd_rest_of_a_path_is_not_found_by_those_who_may_read() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let callers = Callers::of(&server);
    let long = format!("/example.com/{}/@v/list", "a/".repeat(2000));
    let (no_file, no_module) = ("file_not_found", "module_not_found");
    let rows: [(&str, &[u8], &str); 34] = [
        ("B1", b"/../private/example.com/secret/@v/list", no_file),
        ("B1", b"/../local/example.com/%21azure/m/@v/list", no_file),
        ("B1", b"/./example.com/secret/@v/list", no_file),
        ("B1", b"/example.com/x/../secret/@v/list", no_file),
        ("B2", b"/%2E%2E/x/@v/list", no_file),
        ("B2", b"/%2e%2e/private/example.com/secret/@v/list", no_file),
        ("B4", b"/example.com%2Fsecret/@v/list", no_file),
        ("B4", b"/example.com/%2e%2e%2fsecret/@v/list", no_file),
        ("B4", b"/example.com/a%5csecret/@v/list", no_file),
        ("B4", b"/example.com\\secret/@v/list", no_file),
        ("B5", b"/example.com/secret%00/@v/list", no_file),
        ("B5", b"/example.com/secret%0a/@v/list", no_file),
        ("B5", b"/example.com/%1b[2Jsecret/@v/list", no_file),
        ("B5", b"/example.com/secret/@v/list%00", no_file),
        ("B6", b"/example.com/secret%zz/@v/list", no_file),
        ("B6", b"/example.com/secret%4/@v/list", no_file),
        ("B6", b"/example.com/secret/@v/list%", no_file),
        ("B7", b"/example.com/%ff%fe/@v/list", no_file),
        ("B8", b"//example.com/secret/@v/list", no_file),
        ("B8", b"/example.com//secret/@v/list", no_file),
        ("B8", b"/example.com/secret/@v/list/", no_file),
        ("B8", b"/example.com/secret/@v/v1.0.0.zip/", no_file),
        ("B9", b"/example.com/secret;x=1/@v/list", no_file),
        ("B9", b"/example.com/secret/@v/list;jsessionid=7", no_file),
        ("B10", b"/%252e%252e/private/example.com/secret/@v/list", no_file),
        ("B10", b"/example.com/%2573ecret/@v/list", no_file),
        ("B11", "/example.com/s\u{e9}cret/@v/list".as_bytes(), no_module),
        ("B11", b"/example.com/s%C3%A9cret/@v/list", no_module),
        ("B11", "/example.com/\u{ff0e}\u{ff0e}/@v/list".as_bytes(), no_module),
        ("B11", "/example.com\u{2215}secret/@v/list".as_bytes(), no_module),
        ("B11", b"/example.com/%E2%80%AEterces/@v/list", no_module),
        ("B11", b"/example.com/Secret/@v/list", no_module),
        ("B13", b"/example.com/con/@v/list", no_module),
        ("B13", long.as_bytes(), no_file),
    ];
    for (row, rest, code) in rows {
        let row = format!("{row} {:?}", String::from_utf8_lossy(rest).chars().take(80).collect::<String>());
        for caller in ["insider", "administrator"] {
            let answer = ask(&server, &[b"/go/private", rest].concat(), callers.named(caller));
            refused(&refusals, &format!("{row} by {caller}"), "/go", &answer, 404, code);
        }
        // The others do not even learn that it is odd.
        for caller in ["stranger", "outsider"] {
            let row = format!("{row} by {caller}");
            let (status, code) = absent(caller);
            let answer = ask(&server, &[b"/go/private", rest].concat(), callers.named(caller));
            refused(&refusals, &row, "/go", &answer, status, code);
            let expected = ask(&server, &[b"/go/nothere", rest].concat(), callers.named(caller));
            assert_eq!(but_for_the_name(&answer), but_for_the_name(&expected), "{row}");
        }
        let answer = ask(&server, &[b"/go/local", rest].concat(), None);
        refused(&refusals, &format!("{row} of an open repository"), "/go", &answer, 404, code);
    }
}

#[test]
fn dots_after_a_readable_repository_do_not_lead_into_another() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    for spelling in ["/go/local/../private", "/go/private/../local/../private", "/go/./private", "//go/private"] {
        let answer = ask(&server, format!("{spelling}{BELOW}").as_bytes(), None);
        let row = format!("B1 {spelling}");
        assert!(matches!(answer.status, 401 | 404), "{row}: {}", answer.status);
        assert!(!answer.text().contains("v1.0.0"), "{row}: {}", answer.text());
        refusals.unchanged(&row);
    }
}

#[test]
fn an_escaped_exclamation_mark_is_an_exclamation_mark() {
    let server = server(&[]);
    for file in ["@v/list", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip", "@latest"] {
        let [plain, escaped] = ["!azure", "%21azure"]
            .map(|word| ask(&server, format!("/go/local/example.com/{word}/m/{file}").as_bytes(), None).expect(200));
        assert!(!plain.body.is_empty() && plain.body == escaped.body, "B12 {file} of {MODULE}");
    }
}

#[test]
fn a_repository_of_an_odd_name_cannot_be_made() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    for name in ["CON", ".hidden", "-x", "a b", "a/b", "a%41", "", &"a".repeat(101)] {
        let body = serde_json::json!({"format": "go", "name": name, "kind": "hosted"});
        let answer = server.api("POST", "/api/repositories", Some(&body));
        refused(&refusals, &format!("B13 {name:?}"), "/api/repositories", &answer, 400, "invalid_field");
    }
}

#[test]
fn addresses_outside_of_repositories_are_taken_by_the_letter() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let (not_found, invalid) = ((404, "not_found"), (400, "invalid_path"));
    let rows: [(&str, &str, (u16, &str)); 20] = [
        ("B8", "//go/local/example.com/%21azure/m/@v/list", not_found),
        ("B8", "//api/artifacts", not_found),
        ("B14", "/GO/local/example.com/%21azure/m/@v/list", not_found),
        ("B14", "/Api/artifacts", not_found),
        ("B14", "/g%6f/local/example.com/%21azure/m/@v/list", not_found),
        ("B14", "/%61pi/artifacts", not_found),
        ("B15", "/api/artifacts/../../etc/passwd", invalid),
        ("B15", "/api/%2e%2e/", invalid),
        ("B15", "/api/artifacts/%2e%2e%2f%2e%2e%2fetc%2fpasswd", invalid),
        ("B15", "/api/artifacts/..%5c..%5cetc", invalid),
        ("B15", "/api/artifacts/%00", invalid),
        ("B15", "/api/artifacts/a%0ab", invalid),
        ("B15", "/api/artifacts/%zz", invalid),
        ("B15", "/api/artifacts/%ff", invalid),
        ("B15", "/api/artifacts;x=1", invalid),
        ("B15", "/api//artifacts", invalid),
        ("B15", "/api/artifacts/", invalid),
        ("B15", "/_app/..%2f..%2fCargo.toml", not_found),
        ("B15", "/_app/../../Cargo.toml", not_found),
        ("B15", "/..%5c..%5cetc%5cpasswd", not_found),
    ];
    for (row, target, (status, code)) in rows {
        let row = format!("{row} {target}");
        let answer = ask(&server, target.as_bytes(), None);
        refused(&refusals, &row, target, &answer, status, code);
        let text = answer.text();
        assert!(!text.contains("[package]") && !text.contains("root:"), "{row}: {text}");
    }
    for (target, right) in [("/GO/local", "/go/..."), ("/Api/artifacts", "/api/...")] {
        let text = ask(&server, target.as_bytes(), None).text();
        assert!(text.contains(right), "B14 {target} names the right spelling: {text}");
    }
    // Nothing of another repository leaks into an address that is not one.
    assert!(!ask(&server, b"/GO/private", None).text().contains(SECRET));
}
