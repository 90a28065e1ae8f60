//! What the server does with requests that are no good HTTP, on HTTP/1.
//!
//! Not here: A26 and the other rows of HTTP/2 (`http2`); A19 as well, which needs a server with TLS.

use std::time::Duration;

use super::wire::{Wire, answers};
use super::{LIST, refused, server};
use crate::harness::http::{Response, raw, send};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::refusal::{Refusals, files};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::wait::until;

/// What a row gets.
#[derive(Clone, Copy)]
enum Gets {
    /// A refusal of ours.
    Refused(u16, &'static str),
    /// One of hyper's: no body, and the connection is closed.
    Bare(u16),
    /// The answer to a good request, 200.
    Good,
}
use Gets::{Bare, Good, Refused};

/// A request whose parts in braces are filled in: `{host}`, `{list}`, `{token}`.
fn filled(server: &Server, text: &str) -> String {
    text.replace("{host}", server.host()).replace("{list}", LIST).replace("{token}", ADMIN_TOKEN)
}

/// Sends each row on a connection of its own and judges what comes.
fn judge(server: &Server, rows: &[(&str, &str, &[u8], Gets)]) {
    let refusals = Refusals::by(server);
    for (row, head, rest, gets) in rows {
        let head = filled(server, head);
        let bytes = [head.as_bytes(), rest].concat();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let row = format!("{row} {:?}", head.chars().take(100).collect::<String>());
        match *gets {
            Refused(status, code) => refused(&refusals, &row, path, &raw(server.host(), &bytes), status, code),
            Bare(status) => {
                bare(&row, &Wire::to(server).say(&bytes).until_closed(&row), status);
                refusals.unchanged(&row);
            }
            Good => {
                let answer = raw(server.host(), &bytes);
                assert_eq!(answer.status, 200, "{row}: {}", answer.text());
                refusals.unchanged(&row);
            }
        }
    }
}

/// One answer without a body, behind which the connection was closed.
#[track_caller]
fn bare(row: &str, said: &[u8], status: u16) {
    let answers = answers(row, said);
    let found: Vec<_> = answers.iter().map(|answer| (answer.status, answer.body.len())).collect();
    assert_eq!(found, [(status, 0)], "{row}: {:?}", String::from_utf8_lossy(said));
}

#[test]
fn a_host_is_named_once_and_is_one_of_ours() {
    let invalid = Refused(400, "invalid_host");
    let misdirected = Refused(421, "misdirected");
    let rows: [(&str, &str, &[u8], Gets); 15] = [
        ("A1", "GET {list} HTTP/1.1\r\n\r\n", b"", invalid),
        ("A1", "GET /api/artifacts HTTP/1.1\r\n\r\n", b"", invalid),
        ("A1", "GET / HTTP/1.1\r\n\r\n", b"", invalid),
        ("A1 empty", "GET {list} HTTP/1.1\r\nHost:\r\n\r\n", b"", invalid),
        ("A2 equal", "GET {list} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", b"", invalid),
        ("A2", "GET {list} HTTP/1.1\r\nHost: {host}\r\nHost: localhost\r\n\r\n", b"", invalid),
        ("A2", "GET /api/artifacts HTTP/1.1\r\nHost: localhost\r\nHost: {host}\r\n\r\n", b"", invalid),
        ("A3", "GET {list} HTTP/1.1\r\nHost: rebound.example\r\n\r\n", b"", invalid),
        ("A3", "GET {list} HTTP/1.1\r\nHost: 127.0.0.1.rebound.example:8080\r\n\r\n", b"", invalid),
        ("A3", "GET /api/artifacts HTTP/1.1\r\nHost: user@rebound.example\r\n\r\n", b"", invalid),
        ("A3 not text", "GET {list} HTTP/1.1\r\nHost: localhost", b"\xff\r\n\r\n", invalid),
        ("A3 localhost", "GET {list} HTTP/1.1\r\nHost: LOCALHOST:1\r\n\r\n", b"", Good),
        ("A4", "GET http://other.example{list} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", misdirected),
        ("A4 both", "GET http://other.example{list} HTTP/1.1\r\nHost: other.example\r\n\r\n", b"", invalid),
        ("A4 ours", "GET http://{host}{list} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", Good),
    ];
    judge(&server(&[]), &rows);
}

#[test]
fn what_is_no_http_gets_a_bare_answer_and_the_connection_ends() {
    let long = "x".repeat(20 * 1024);
    let headers: String = (0..200).map(|at| format!("X-{at}: {at}\r\n")).collect();
    let many = format!("GET {{list}} HTTP/1.1\r\nHost: {{host}}\r\n{headers}\r\n");
    let one = format!("GET {{list}} HTTP/1.1\r\nHost: {{host}}\r\nX: {long}\r\n\r\n");
    let target = format!("GET /{long} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
    let post = |framing: &str| format!("POST {{list}} HTTP/1.1\r\nHost: {{host}}\r\n{framing}\r\n\r\n12345");
    let framings = [
        ("A5", "Content-Length: 3\r\nContent-Length: 5"),
        ("A6", "Content-Length: -3"),
        ("A6", "Content-Length: +3"),
        ("A6", "Content-Length: 0x10"),
        ("A6", "Content-Length: 99999999999999999999999"),
        ("A8", "Transfer-Encoding: xchunked"),
        ("A8", "Transfer-Encoding: chunked, identity"),
        ("A8", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        ("A15 folded", "X-Note: one\r\n two"),
        ("A15 space", "X-Note : one"),
    ]
    .map(|(row, framing)| (row, post(framing)));
    let mut rows: Vec<(&str, &str, &[u8], Gets)> =
        framings.iter().map(|(row, text)| (*row, text.as_str(), b"".as_slice(), Bare(400))).collect();
    // The bytes of a TLS hello as a browser begins it that was given https:// by mistake.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    rows.extend([
        ("A13 count", many.as_str(), b"".as_slice(), Bare(431)),
        ("A13 size", &one, b"", Bare(431)),
        ("A13 target", &target, b"", Bare(431)),
        ("A15 NUL", "GET {list} HTTP/1.1\r\nHost: {host}\r\nX-Note: a", b"\x00b\r\n\r\n", Bare(400)),
        ("A18", "GET {list} HTTP/3.0\r\nHost: {host}\r\n\r\n", b"", Bare(400)),
        ("A18", "GET {list}\r\n\r\n", b"", Bare(400)),
        ("A18 TLS", "", hello, Bare(400)),
    ]);
    let server = server(&[]);
    judge(&server, &rows);
    until("A18: the log says what was tried", || server.output().contains("TLS on a plain port"));
}

#[test]
fn odd_requests_that_are_good_http_are_answered() {
    let rows: [(&str, &str, &[u8], Gets); 6] = [
        ("A16", "GET {list} HTTP/1.1\r\nHost: {host}\r\nX-Note: ", b"gr\xfc\xdfe-raw\r\n\r\n", Good),
        ("A16", "GET {list} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ", b"\x80\x9bcurl-raw\r\n\r\n", Good),
        ("A17", "GET {list} HTTP/1.1\nHost: {host}\n\n", b"", Good),
        (
            "A29 h2c",
            "GET {list} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            b"",
            Good,
        ),
        (
            "A29 websocket",
            "GET {list} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            b"",
            Good,
        ),
        ("A23 known", "GET {list} HTTP/1.1\r\nHost: {host}\r\nExpect: 100-Continue\r\n\r\n", b"", Good),
    ];
    let server = server(&[]);
    judge(&server, &rows);
    let output = server.output();
    assert!(!output.contains("-raw") && !output.contains('\u{fffd}'), "A16: a header of the client is in the log");
}

#[test]
fn what_is_not_understood_is_refused_in_our_words() {
    let not_allowed = Refused(405, "method_not_allowed");
    let encoded = Refused(415, "unsupported_media_type");
    let long = "y".repeat(12 * 1024);
    let path = format!("GET /go/local/{long} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
    let query = format!("GET /api/artifacts?q={long} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
    let rows: [(&str, &str, &[u8], Gets); 19] = [
        ("A14", &path, b"", Refused(414, "uri_too_long")),
        ("A14", &query, b"", Refused(414, "uri_too_long")),
        ("A20", "get {list} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "TRACE {list} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "FOO {list} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "TRACE /api/artifacts HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "FOO /api/artifacts HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "get /api/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "TRACE /livez HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A20", "FOO / HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A21", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", b"", not_allowed),
        ("A21", "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        ("A21", "OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n", b"", not_allowed),
        (
            "A23",
            "GET {list} HTTP/1.1\r\nHost: {host}\r\nExpect: 200-ok\r\n\r\n",
            b"",
            Refused(417, "expectation_failed"),
        ),
        (
            "A23",
            "POST /api/artifacts HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue, 200-ok\r\nContent-Length: 1\r\n\r\n",
            b"",
            Refused(417, "expectation_failed"),
        ),
        ("A30", "GET {list} HTTP/1.1\r\nHost: {host}\r\nContent-Encoding: gzip\r\n\r\n", b"", encoded),
        (
            "A30",
            "POST /api/artifacts HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n",
            b"\x1f\x8b",
            encoded,
        ),
        (
            "A30",
            "POST /api/repositories HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n",
            b"{}",
            encoded,
        ),
        ("A30 identity", "GET {list} HTTP/1.1\r\nHost: {host}\r\nContent-Encoding: identity\r\n\r\n", b"", Good),
    ];
    let server = server(&[]);
    judge(&server, &rows);
    let answer = raw(server.host(), filled(&server, rows[15].1).as_bytes());
    assert!(answer.text().contains("Send it uncompressed."), "A30: {}", answer.text());
}

#[test]
fn a_format_path_is_never_written_to() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let authorization = format!("Bearer {ADMIN_TOKEN}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/go/local", "/go/local/example.com/%21azure/m/@v/v1.0.0.zip"] {
            let row = format!("A22 {method} {path}");
            let url = format!("{}{path}", server.url);
            let answer = send(method, &url, &[("Authorization", &authorization)], b"PK");
            refused(&refusals, &row, path, &answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{row}");
        }
    }
}

/// The head of a request that has a body, as far as its framing.
fn head_of(server: &Server, path: &str, content_type: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: {content_type}\r\n\
         {framing}\r\n\r\n",
        server.host()
    )
}

/// The two ways in which the server reads a body: as it comes, and whole.
const BODIES: [(&str, &str, &str); 2] = [
    ("/api/artifacts", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n"),
    ("/api/repositories", "application/json", "{\"format\": \"go\","),
];

#[test]
fn a_broken_chunk_is_told() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    for (path, content_type, start) in BODIES {
        let size = start.len();
        let bodies = [
            format!("zz\r\n{start}\r\n0\r\n\r\n"),
            format!("{size:x}\r\n{start}0\r\n\r\n"),
            format!("{size:x}\r\n{start}\r\n10000000000000000\r\nx"),
        ];
        for body in bodies {
            let row = format!("A9 {path} {body:?}");
            let head = head_of(&server, path, content_type, "Transfer-Encoding: chunked");
            let answer = raw(server.host(), format!("{head}{body}").as_bytes());
            refused(&refusals, &row, path, &answer, 400, "invalid_framing");
        }
    }
}

/// The bound of D15: what is parsed is read whole before.
#[test]
fn a_body_that_is_read_whole_has_a_bound() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let path = "/api/repositories";
    // White space is good JSON as far as the bound lets it be read; what is wrong is found behind it.
    let wrong = r#"{"format":"go","name":"A","kind":"hosted""#;
    let body = |bytes: usize| format!("{wrong}{}}}", " ".repeat(bytes - wrong.len() - 1));
    for (row, bytes, status, code) in
        [("D15 at its bound", 1 << 20, 400, "invalid_field"), ("D15 beyond", (1 << 20) + 1, 413, "too_large")]
    {
        let body = body(bytes);
        let head = head_of(&server, path, "application/json", &format!("Content-Length: {bytes}"));
        let answer = raw(server.host(), format!("{head}{body}").as_bytes());
        refused(&refusals, row, path, &answer, status, code);
        let head = head_of(&server, path, "application/json", "Transfer-Encoding: chunked");
        let answer = raw(server.host(), format!("{head}{bytes:x}\r\n{body}\r\n0\r\n\r\n").as_bytes());
        refused(&refusals, &format!("{row} in chunks"), path, &answer, status, code);
    }
}

/// The design asks for 400 here. Since 1.12 hyper takes the length away before we see the request, and closes
/// behind its answer as RFC 9112 (6.3) has it, so that what two readers could take for a second request is not read.
#[test]
fn two_framings_never_make_two_requests() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let host = server.host();
    let smuggled = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for framing in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        for target in [LIST, "/api/artifacts"] {
            let row = format!("A7 {framing:?} {target}");
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}");
            let said = Wire::to(&server).say(request).until_closed(&row);
            let answers = answers(&row, &said);
            assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200], "{row}");
            assert_eq!(answers[0].header("connection"), Some("close"), "{row}");
            refusals.unchanged(&row);
        }
    }
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = server(&[("KEEPER_BODY_GRACE", "1s"), ("KEEPER_BODY_MIN_BYTES_PER_SECOND", "1000")]);
    let refusals = Refusals::by(&server);
    for (path, content_type, start) in BODIES {
        let row = format!("A12 {path}");
        let head = head_of(&server, path, content_type, "Content-Length: 1000");
        let answer = Wire::to(&server).say(format!("{head}{start}")).answer(&row);
        refused(&refusals, &row, path, &answer, 408, "request_timeout");

        let row = format!("A10 {path}");
        let head = head_of(&server, path, content_type, "Transfer-Encoding: chunked");
        let wire = Wire::to(&server).say(format!("{head}{:x}\r\n{start}\r\n", start.len()));
        refused(&refusals, &row, path, &trickled(wire, b"1\r\n \r\n"), 408, "request_timeout");
    }
}

/// Says a little ten times a second until there is an answer.
fn trickled(mut wire: Wire, little: &[u8]) -> Response {
    for _ in 0..600 {
        wire = wire.say(little);
        let closed = wire.listen(Duration::from_millis(100));
        if let Some(answer) = wire.heard() {
            return answer;
        }
        assert!(!closed, "closed without an answer");
    }
    panic!("an endless body is read for ever");
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let head = raw_form::head(&server, ADMIN_TOKEN, "Content-Length: 10000000");
    let form = RawForm::module("example.com/m", "v1.0.0").file(vec![b'x'; 1024 * 1024]);
    let wire = Wire::to(&server).say(head).say(form.unfinished());
    let unfinished = || !files(&server.data().join("tmp")).is_empty();
    until("A11: the upload has begun", unfinished);
    wire.leave();
    until("A11: its file is removed", || !unfinished());
    refusals.unchanged("A11");

    let head = head_of(&server, "/api/repositories", "application/json", "Content-Length: 1000");
    Wire::to(&server).say(head).say("{\"format\"").leave();
    refusals.unchanged("A11 JSON");
}

#[test]
fn a_connection_without_a_request_ends_at_the_header_limit() {
    let server = server(&[("KEEPER_HEADER_TIMEOUT", "3s")]);
    let refusals = Refusals::by(&server);
    let half = format!("GET {LIST} HTTP/1.1\r\nHost: {}\r\nX-No", server.host());
    let rows = [
        ("A24 nothing", ""),
        ("A24 P", "P"),
        ("A24 PRI", "PRI * HTTP/"),
        ("A25", &half),
        ("A25 line", "GET "),
        // Two that cannot become good, for the plain port speaks HTTP/1 only; hyper says so at once.
        ("A24 PRI whole", "PRI * HTTP/2.0"),
        ("A24 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ];
    // All at once, so that they wait together.
    let waiting: Vec<_> = rows.iter().map(|(row, text)| (*row, Wire::to(&server).say(text))).collect();
    for (row, wire) in waiting {
        let said = wire.until_closed(row);
        if !said.is_empty() {
            assert!(row.starts_with("A24 PRI whole") || row.starts_with("A24 preface"), "{row} was answered");
            bare(row, &said, 400);
        }
        refusals.unchanged(row);
    }
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let server = server(&[("KEEPER_MAX_CONNECTIONS_PER_ADDRESS", "8")]);
    let refusals = Refusals::by(&server);
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", server.host());
    // The one of the last judgement may not be gone yet.
    let connected = || {
        let mut wire = Wire::to(&server).say(&request);
        while wire.heard().is_none() {
            if wire.listen(Duration::from_secs(60)) {
                return None;
            }
        }
        Some(wire)
    };
    let mut held = Vec::new();
    until("A27: eight connections", || {
        held.extend(connected());
        held.len() == 8
    });
    for _ in 0..20 {
        let said = Wire::to(&server).say(&request).until_closed("A27");
        assert!(said.is_empty(), "A27: {:?}", String::from_utf8_lossy(&said));
    }
    assert_eq!(held[0].ask(&request).status, 200, "A27: those that were there go on");
    drop(held);
    until("A27: there is room again", || connected().is_some());
    refusals.unchanged("A27");
}

#[test]
fn behind_a_bad_request_nothing_is_read() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let host = server.host();
    let good = format!("GET {LIST} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let bad = format!("GET {LIST} HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n");
    let said = Wire::to(&server).say(format!("{good}{bad}{good}")).until_closed("A28");
    let statuses: Vec<_> = answers("A28", &said).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 400], "A28: {:?}", String::from_utf8_lossy(&said));
    refusals.unchanged("A28");
}

#[test]
fn the_api_makes_no_answer_that_nobody_wants_and_formats_do_not_ask() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let ask = |path: &str, accept: &str| send("GET", &format!("{}{path}", server.url), &[("Accept", accept)], &[]);
    for accept in ["image/png", "application/xml, text/html"] {
        let row = format!("L17 {accept}");
        refused(&refusals, &row, "/api/", &ask("/api/artifacts", accept), 406, "not_acceptable");
        ask(LIST, accept).expect(200);
    }
    for accept in ["*/*", "application/*;q=0.1", "text/html, application/json", "application/problem+json, */*;q=0.1"] {
        ask("/api/artifacts", accept).expect(200);
    }
    let listed = ask("/api/artifacts?repository=local", "application/json").expect(200).json();
    let file = format!("/api/artifacts/{}/files/v1.0.0.zip", listed["items"][0]["id"].as_str().expect("an id"));
    for accept in ["application/zip", "application/octet-stream", "image/png"] {
        ask(&file, accept).expect(200);
    }
}
