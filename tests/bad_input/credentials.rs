//! Credentials that are none, that do not count, or that are not enough.
//!
//! What belongs to users, tokens and sessions is in `access`: C16 to C23 and C27, and of C11 the cookie. Not here:
//! C24, for no page follows a `next`; the program has no listener that redirects: C28.

use super::{BELOW, LIST, MODULE, refused, server};
use crate::harness::archives;
use crate::harness::database::sql;
use crate::harness::http::{Response, send};
use crate::harness::machine::Machine;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::refusal::Refusals;
use crate::harness::server::{ADMIN_TOKEN, Server};

const PASSWORD: &str = "tests-only-Kx7pQ2vNw9";

fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    send("GET", &format!("{}{path}", server.url), headers, &[])
}

fn ask_as(server: &Server, path: &str, token: &str) -> Response {
    ask(server, path, &[("Authorization", &format!("Bearer {token}"))])
}

fn basic(text: impl AsRef<[u8]>) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(text.as_ref()))
}

/// The list of `go/private`, and the same of a repository that does not exist.
fn private_and_absent() -> [String; 2] {
    ["private", "absence"].map(|name| format!("/go/{name}{BELOW}"))
}

/// An answer without what differs from request to request, and without the name that was asked for.
fn but_for_the_name(answer: &Response) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    let headers = answer.headers().filter(|(name, _)| *name != "date");
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    let text = format!("{} {headers:?} {}", answer.status, answer.text()).replace(id, "ID");
    // Both names have seven characters, so that the lengths are equal.
    text.replace("private", "NAME").replace("absence", "NAME")
}

#[test]
fn private_and_absent_repositories_look_alike() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let outsider = server.token("--name outsider --actions read --repositories go/other*");
    let api = ["private", "absence"].map(|name| format!("/api/repositories/go/{name}"));
    let rows = [
        ("C1", private_and_absent(), None, 401, "login_required"),
        ("C1", api.clone(), None, 401, "login_required"),
        ("C2", private_and_absent(), Some(&outsider), 403, "repository_unavailable"),
        ("C2", ["/go/private".to_owned(), "/go/absence".to_owned()], Some(&outsider), 403, "repository_unavailable"),
        ("C3", api, Some(&outsider), 404, "repository_not_found"),
    ];
    for (row, paths, token, status, code) in rows {
        let [private, absent] = paths.map(|path| {
            let answer = token.map_or_else(|| ask(&server, &path, &[]), |token| ask_as(&server, &path, token));
            refused(&refusals, &format!("{row} {path}"), &path, &answer, status, code);
            but_for_the_name(&answer)
        });
        assert_eq!(private, absent, "{row}");
    }
}

#[test]
fn what_is_no_credential_is_never_taken_for_none() {
    let server = server(&[("KEEPER_ADMIN_PASSWORD", PASSWORD)]);
    let refusals = Refusals::by(&server);
    let token = server.token("--name reader --actions read --repositories go/*");
    let wrong = mistyped(&token);
    let long = format!("Bearer {}", "x".repeat(9 * 1024));
    let malformed = "token_malformed";
    let rows = [
        ("C4 empty", "Bearer".to_owned(), malformed),
        ("C4 empty", "Bearer ".to_owned(), malformed),
        ("C4 nothing", String::new(), malformed),
        ("C4 blank", "Bearer a b".to_owned(), malformed),
        ("C4 scheme", "Digest username=\"admin\"".to_owned(), malformed),
        ("C4 scheme", token.clone(), malformed),
        ("C4 base64", "Basic %%%".to_owned(), malformed),
        ("C4 colon", basic(&token), malformed),
        ("C4 UTF-8", basic(b"ci:\xff\xfe"), malformed),
        ("C4 long", long, malformed),
        ("C5 mistyped", format!("Bearer {wrong}"), malformed),
        ("C5 cut", format!("Bearer {}", &token[..39]), malformed),
        ("C5 longer", format!("Bearer {token}0"), malformed),
        ("C5 by Basic", basic(format!("ci:{wrong}")), malformed),
        ("C6", format!("Bearer {}", well_formed("0123456789abcdefghijABCDEFGHIJ")), "invalid_credentials"),
        ("C6 by Basic", basic(format!("ci:{}", well_formed("0123456789abcdefghijABCDEFGHIJ"))), "invalid_credentials"),
        ("C6 shapeless", "Bearer tests-only-this-is-nobody-at-all".to_owned(), "invalid_credentials"),
        ("C10", basic(format!("admin:{PASSWORD}")), "password_not_accepted"),
        ("C10 wrong", basic("admin:not-the-password-either"), "password_not_accepted"),
    ];
    for (row, value, code) in rows {
        // Also where a stranger may read.
        for path in [LIST, &private_and_absent()[0], "/api/artifacts", "/livez"] {
            let row = format!("{row} {path}");
            let answer = ask(&server, path, &[("Authorization", &value)]);
            refused(&refusals, &row, path, &answer, 401, code);
            let text = answer.text();
            assert!(!text.contains(&wrong) && !text.contains(PASSWORD), "{row}: {text}");
        }
    }
    let text = ask(&server, LIST, &[("Authorization", "Digest x")]).text();
    assert!(text.contains("Bearer") && text.contains("Basic"), "C4 names the accepted schemes: {text}");

    let both = [("Authorization", &*format!("Bearer {token}")), ("Authorization", &*basic(format!("ci:{token}")))];
    for path in [LIST, &private_and_absent()[0], "/api/artifacts"] {
        refused(&refusals, &format!("C11 {path}"), path, &ask(&server, path, &both), 400, "ambiguous_credentials");
    }
    let output = server.output();
    assert!(
        !output.contains(&token) && !output.contains(&wrong) && !output.contains(PASSWORD),
        "a secret is in the log"
    );
}

/// With its table gone the database can tell nothing of tokens; a mistyped one is told all the same.
#[test]
fn a_mistyped_token_is_told_without_asking_the_database() {
    let server = server(&[]);
    sql(&server, "ALTER TABLE tokens RENAME TO hidden");
    let unknown = well_formed("0123456789abcdefghijABCDEFGHIJ");
    let status = |token: &str| ask_as(&server, LIST, token).status;
    assert!(status(&unknown) >= 500, "the table is not asked");
    assert_eq!(status(&mistyped(&unknown)), 401, "C5");
    assert_eq!(status(&unknown[..39]), 401, "C5");
}

#[test]
fn a_token_that_ended_is_no_stranger() {
    let mut server = server(&[]);
    let [revoked, expired, other] = ["revoked", "expired", "other"].map(|name| {
        let repositories = if name == "other" { "go/other*" } else { "go/*" };
        server.token(&format!("--name {name} --actions read --repositories {repositories}"))
    });
    server.stop();
    sql(&server, "UPDATE tokens SET revoked_at = 1700000000000000 WHERE name = 'revoked'");
    sql(&server, "UPDATE tokens SET expires_at = 1700000000000000 WHERE name = 'expired'");
    server.start_again();

    let refusals = Refusals::by(&server);
    for path in [LIST, &private_and_absent()[0], "/api/artifacts"] {
        let row = |id: &str| format!("{id} {path}");
        refused(&refusals, &row("C7"), path, &ask_as(&server, path, &revoked), 401, "invalid_credentials");
        let answer = ask_as(&server, path, &expired);
        assert!(answer.text().contains("2023-11-14"), "{}: {}", row("C8"), answer.text());
        refused(&refusals, &row("C7, C8"), path, &answer, 401, "token_expired");
    }
    let answer = ask_as(&server, LIST, &other).expect(200);
    assert_eq!(answer.text(), "v1.0.0\n", "C9: a token never makes a public repository private");
}

#[test]
fn a_token_in_an_address_is_refused_and_not_written_down() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let token = server.token("--name reader --actions read --repositories go/*");
    let paths = [
        format!("{LIST}?token={token}"),
        format!("/api/artifacts?token={token}"),
        format!("/api/artifacts?q=x{token}"),
        format!("/{token}/go/local/example.com/m/@v/list"),
        format!("/go/{token}/example.com/m/@v/list"),
        format!("/go/local/example.com/m/@v/{token}.info"),
        format!("/api/artifacts/{token}"),
        format!("/?{token}"),
    ];
    for path in &paths {
        let row = format!("C12 {path}");
        let answer = ask(&server, path, &[]);
        refused(&refusals, &row, path, &answer, 400, "token_in_url");
        assert!(!answer.text().contains(&token), "{row}: {}", answer.text());
    }
    for name in ["X-Api-Key", "Private-Token", "Cookie", "Proxy-Authorization"] {
        let answer = ask(&server, &private_and_absent()[0], &[(name, &token)]);
        refused(&refusals, &format!("C12 {name}"), "/go", &answer, 401, "login_required");
    }
    assert!(!server.output().contains(&token), "C12: the log holds the token");
}

#[test]
fn a_token_does_what_it_was_made_for_and_nothing_else() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let reader = server.token("--name reader --actions read --repositories go/*");
    let publisher = server.token("--name publisher --actions read,publish --repositories go/local");
    let team = server.token("--name team --actions publish --repositories go/local --packages corp.example/a/*");

    let publish = |token: &str, module: &str, repository: &str| {
        let archive = archives::module(format!("module {module}\n").as_bytes());
        let form = RawForm::module(module, "v1.0.0").text("repository", repository).text("dry_run", "true");
        let (url, authorization) = (format!("{}/api/artifacts", server.url), format!("Bearer {token}"));
        let headers = [("Authorization", &*authorization), ("Content-Type", &*raw_form::content_type())];
        send("POST", &url, &headers, &form.file(archive).finished())
    };
    let path = "/api/artifacts";
    let denied = |row: &str, answer: &Response| refused(&refusals, row, path, answer, 403, "publish_denied");
    denied("C13", &publish(&reader, "corp.example/a/m", "local"));
    for hidden in ["private", "absence"] {
        let answer = publish(&publisher, "corp.example/a/m", hidden);
        refused(&refusals, &format!("C13 to {hidden}"), path, &answer, 404, "repository_not_found");
    }
    let answer = publish(&team, "corp.example/b/m", "local");
    assert!(answer.text().contains("corp.example/a/*"), "C15 names the patterns: {}", answer.text());
    denied("C15", &answer);
    denied("C15 a prefix", &publish(&team, "corp.example/ab/m", "local"));
    publish(&team, "corp.example/a/m", "local").expect(200);
    publish(&publisher, "corp.example/b/m", "local").expect(200);

    let items = ask_as(&server, path, &publisher).expect(200).json();
    let found =
        items["items"].as_array().expect("items").iter().find(|item| item["name"] == MODULE).expect("the module");
    let id = found["id"].as_str().expect("an id").to_owned();
    let address = format!("{}/api/artifacts/{id}", server.url);
    for (row, token) in [("C14", &publisher), ("C14 reader", &reader)] {
        let answer = send("DELETE", &address, &[("Authorization", &format!("Bearer {token}"))], &[]);
        refused(&refusals, row, path, &answer, 403, "delete_denied");
    }
}

#[test]
fn what_counts_at_first_start_only_changes_nothing_later() {
    let mut server = server(&[("KEEPER_ADMIN_PASSWORD", PASSWORD)]);
    server.stop();
    let before = server.output().len();
    let other = "tests-only-another-Zr8Ld3Xv6Tq1Nm";
    server.set("KEEPER_ADMIN_TOKEN", other);
    server.set("KEEPER_ADMIN_PASSWORD", "tests-only-another-Wp4");
    server.start_again();

    let refusals = Refusals::by(&server);
    let path = "/api/artifacts";
    refused(&refusals, "C25", path, &ask_as(&server, path, other), 401, "invalid_credentials");
    ask_as(&server, path, ADMIN_TOKEN).expect(200);
    let output = server.output();
    let warnings: Vec<_> = output[before..].lines().filter(|line| line.contains("first start")).collect();
    assert_eq!(warnings.len(), 1, "C25: one warning: {warnings:?}");
    for words in ["\"WARN\"", "KEEPER_ADMIN_PASSWORD", "KEEPER_ADMIN_TOKEN", "ignored"] {
        assert!(warnings[0].contains(words), "C25: {words:?} is missing in {}", warnings[0]);
    }
    assert!(!output.contains(other) && !output.contains("another-Wp4"), "C25: a secret is in the log");
}

#[test]
fn the_go_command_is_told_that_it_sends_credentials_over_https_only() {
    let server = server(&[]);
    let token = server.token("--name reader --actions read --repositories go/private");
    let host = server.host();
    let machine = Machine::new().with("GOPROXY", server.go("private")).with("GONOSUMDB", "example.com");
    machine.write(&machine.home(), ".netrc", &format!("machine {host}\nlogin ci\npassword {token}\n"));
    let project = machine.project("app");
    let refused = machine.go(&project, "get example.com/secret@v1.0.0").failed();
    // C26.
    refused.says(&["code=login_required", "only over https"]).never_says(&[&token]);
}

/// The token with another last character.
fn mistyped(token: &str) -> String {
    let (start, last) = token.split_at(token.len() - 1);
    format!("{start}{}", if last == "x" { "y" } else { "x" })
}

/// A token with these 30 characters and the check characters that belong to them.
fn well_formed(random: &str) -> String {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let head = format!("akp_{random}");
    let crc = head.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let mut rest = !crc;
    let mut check = [0; 6];
    for character in check.iter_mut().rev() {
        *character = BASE62[rest as usize % 62];
        rest /= 62;
    }
    head + std::str::from_utf8(&check).expect("base 62")
}
