//! Uploads that are too large, too many, cut off, without a right, or that no disk has room for.
//!
//! A limit is tested at its last byte and at the next one; what
//! is refused by its announced length is refused before a byte of it is sent. `uploads_refused` has the rest of
//! the table.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::archives;
use crate::harness::http::{self, Response};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::refusal::{LOG, Refusals, files, problem};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::wait::until;

const MEBIBYTE: usize = 1024 * 1024;

fn good() -> RawForm {
    RawForm::module("example.com/m", "v1.0.0").file(archives::module(b"module example.com/m\n"))
}

/// Sends a head and nothing more.
fn announced(server: &Server, token: &str, framing: &str) -> Response {
    http::raw(server.host(), raw_form::head(server, token, framing).as_bytes())
}

/// A body in pieces of which each says its length.
fn chunked(body: &[u8]) -> Vec<u8> {
    let chunks = body.chunks(64 * 1024);
    let mut framed: Vec<u8> =
        chunks.flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).collect();
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

#[test]
fn what_announces_too_much_is_refused_before_a_byte_of_it_is_sent() {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    let long = format!("Content-Length: {}", 501 * MEBIBYTE + 1024);
    let document = refusals.api("E11", &announced(&server, ADMIN_TOKEN, &long), 413, &["too_large"]);
    let detail = document["detail"].as_str().expect("a detail");
    assert!(detail.contains("524288000") && detail.contains("500 MiB"), "E11 tells the limit: {detail}");

    // With an expectation nothing is sent before the server asks for it, and it does not.
    let head = raw_form::head(&server, ADMIN_TOKEN, &format!("{long}\r\nExpect: 100-continue\r\nConnection: close"));
    let mut stream = TcpStream::connect(server.host()).expect("a listening server");
    stream.write_all(head.as_bytes()).expect("a listening server");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer as text");
    assert!(answer.starts_with("HTTP/1.1 413 "), "E11 with Expect: {answer}");

    // The body of an upload that fits is asked for.
    let body = good().finished();
    let framing = format!("Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close", body.len());
    let mut stream = TcpStream::connect(server.host()).expect("a listening server");
    stream.write_all(raw_form::head(&server, ADMIN_TOKEN, &framing).as_bytes()).expect("a listening server");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body).expect("a listening server");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer as text");
    assert!(answer.starts_with("HTTP/1.1 201 "), "E11 that fits: {answer}");
}

#[test]
fn what_turns_out_too_large_is_refused_at_the_first_byte_too_many() {
    let server = Server::with(&[LOG, ("KEEPER_MAX_UPLOAD_BYTES", "1MiB")]);
    let refusals = Refusals::by(&server);
    let padding = archives::noise(MEBIBYTE);
    let archive = |bytes: usize| {
        let with = |padding: &[u8]| archives::stored(&[("go.mod", b"module example.com/m\n"), ("p", padding)]);
        let rest = bytes - with(b"").len();
        with(&padding[..rest])
    };
    let form = |bytes| RawForm::module("example.com/m", "v1.0.0").file(archive(bytes));
    let answer = form(MEBIBYTE + 1).send(&server);
    let document = refusals.api("E11 one byte too many", &answer, 413, &["too_large"]);
    assert!(document.to_string().contains("KEEPER_MAX_UPLOAD_BYTES"), "it says whose limit it is: {document:#}");

    let send = |body: Vec<u8>| {
        let head = raw_form::head(&server, ADMIN_TOKEN, "Transfer-Encoding: chunked");
        http::raw(server.host(), &[head.into_bytes(), chunked(&body)].concat())
    };
    refusals.api("E12", &send(form(MEBIBYTE + 1).finished()), 413, &["too_large"]);
    // More than is read on for after the refusal: the connection ends.
    let endless = RawForm::module("example.com/m", "v1.0.0").file(vec![0; 16 * MEBIBYTE]).finished();
    let head = raw_form::head(&server, ADMIN_TOKEN, "Transfer-Encoding: chunked");
    let mut stream = TcpStream::connect(server.host()).expect("a listening server");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&chunked(&endless)));
    let ended = sent.is_err()
        || !matches!(stream.read_to_end(&mut Vec::new()), Err(error) if error.kind() == ErrorKind::WouldBlock);
    assert!(ended, "E12: the connection ends");
    until("E12: the unfinished file is gone", || files(&server.data().join("tmp")).is_empty());
    refusals.unchanged("E12 with much more");

    let answer = send(form(MEBIBYTE).finished());
    assert_eq!(answer.status, 201, "E12 the last byte that fits: {}", answer.text());
}

#[test]
fn who_may_publish_nowhere_is_told_before_the_body() {
    let server = Server::with(&[LOG]);
    server.create_repository(&json!({"format": "go", "name": "team", "kind": "hosted"}));
    let reader = server.token("--name reader --actions read --repositories go/*");
    let publisher = server.token("--name publisher --actions publish --repositories go/team --packages example.com/*");
    let refusals = Refusals::by(&server);
    let framing = format!("Content-Length: {}", 100 * MEBIBYTE);
    let document = refusals.api("E14", &announced(&server, &reader, &framing), 403, &["publish_denied"]);
    assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("read")), "E14: {document:#}");
    let nobody = format!("POST /api/artifacts HTTP/1.1\r\nHost: {}\r\n{framing}\r\n\r\n", server.host());
    refusals.api("E14 nobody", &http::raw(server.host(), nobody.as_bytes()), 401, &["login_required"]);

    // Format and repository come first: the right is asked for before the file, of which only the start is sent.
    let start = RawForm::module("example.com/m", "v1.0.0").text("repository", "local").file(b"PK").unfinished();
    let head = raw_form::head(&server, &publisher, &framing);
    let answer = http::raw(server.host(), &[head.as_bytes(), &start].concat());
    refusals.api("E14 another repository", &answer, 403, &["publish_denied"]);

    let authorization = format!("Bearer {publisher}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", &raw_form::content_type())];
    let send = |form: RawForm| http::send("POST", &format!("{}/api/artifacts", server.url), &headers, &form.finished());
    let elsewhere = RawForm::module("corp.example/m", "v1.0.0").text("repository", "team");
    let answer = send(elsewhere.file(archives::module(b"module corp.example/m\n")));
    refusals.api("C15 another package", &answer, 403, &["publish_denied"]);
    let answer = send(good());
    assert_eq!((answer.status, &answer.json()["repository"]), (201, &json!("team")), "the one place for this token");
}

#[test]
fn of_two_at_once_one_is_first() {
    let server = Server::with(&[LOG]);
    let contents = [b"module example.com/m\n".as_slice(), b"module example.com/m\n\ngo 1.21\n"];
    let forms: Vec<_> = contents
        .iter()
        .map(|go_mod| RawForm::module("example.com/m", "v1.0.0").file(archives::module(go_mod)))
        .collect();
    // E19 with two of them, 94 with 20.
    let barrier = Barrier::new(20);
    let answers: Vec<Response> = thread::scope(|scope| {
        let senders: Vec<_> = (0..20)
            .map(|number| {
                let (form, barrier, server) = (forms[number % 2].clone(), &barrier, &server);
                scope.spawn(move || {
                    barrier.wait();
                    form.send(server)
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("an answer")).collect()
    });
    let mut statuses = BTreeMap::new();
    answers.iter().for_each(|answer| *statuses.entry(answer.status).or_insert(0) += 1);
    assert_eq!(statuses, BTreeMap::from([(201, 1), (200, 9), (409, 10)]), "E19, 94");
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        problem("E19, 94", answer, 409, &["version_exists"]);
    }
    let ids: Vec<_> =
        answers.iter().filter(|answer| answer.status < 300).map(|answer| answer.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "E19, 94: {ids:?}");
    Refusals::by(&server).unchanged("E19, 94");
}

#[test]
fn of_an_upload_that_breaks_off_nothing_stays() {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    let noise = archives::noise(4 * MEBIBYTE);
    let body = RawForm::module("example.com/m", "v1.0.0")
        .file(archives::zip(&[("go.mod", b"module example.com/m\n"), ("p", &noise)]))
        .finished();
    let framings =
        [("E20", format!("Content-Length: {}", body.len())), ("E20 chunked", "Transfer-Encoding: chunked".to_owned())];
    for (row, framing) in framings {
        let framed = if framing.starts_with('C') { body.clone() } else { chunked(&body) };
        let mut stream = TcpStream::connect(server.host()).expect("a listening server");
        stream.write_all(raw_form::head(&server, ADMIN_TOKEN, &framing).as_bytes()).expect("a listening server");
        stream.write_all(&framed[..framed.len() / 2]).expect("a listening server");
        let tmp = server.data().join("tmp");
        until("E20: the half is being written", || !files(&tmp).is_empty());
        drop(stream);
        until("E20: the half is gone", || files(&tmp).is_empty());
        refusals.unchanged(row);
    }
    let whole = raw_form::post(&server, &raw_form::content_type(), &body);
    assert_eq!(whole.status, 201, "E20 the whole: {}", whole.text());
}

#[test]
fn more_uploads_than_may_wait_are_sent_away() {
    // One at once, and 64 that wait for it; 32 and 64 as it comes.
    const PLACES: usize = 1 + 64;
    const TOO_MANY: usize = 5;
    let server = Server::with(&[LOG, ("KEEPER_MAX_UPLOADS", "1")]);
    let refusals = Refusals::by(&server);
    let body = good().finished();
    let head = raw_form::head(&server, ADMIN_TOKEN, &format!("Content-Length: {}\r\nConnection: close", body.len()));
    let mut streams: Vec<_> = (0..PLACES + TOO_MANY)
        .map(|_| {
            let mut stream = TcpStream::connect(server.host()).expect("a listening server");
            stream.write_all(head.as_bytes()).expect("a listening server");
            stream.write_all(&body[..body.len() / 2]).expect("a listening server");
            stream.set_nonblocking(true).expect("a socket");
            stream
        })
        .collect();
    let mut refused = Vec::new();
    until("E22: so many are sent away", || {
        streams.retain_mut(|stream| match answered(stream) {
            Some(answer) => {
                refused.push(answer);
                false
            }
            None => true,
        });
        refused.len() >= TOO_MANY
    });
    assert_eq!(refused.len(), TOO_MANY, "E22: no more than the surplus");
    for answer in &refused {
        problem("E22", answer, 503, &["overloaded"]);
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "E22: {answer:?}");
    }
    drop(streams);
    refusals.unchanged("E22");
}

/// The answer on a connection, if it has one by now.
fn answered(stream: &mut TcpStream) -> Option<Response> {
    match stream.peek(&mut [0]) {
        Ok(_) => {
            stream.set_nonblocking(false).expect("a socket");
            Some(http::ask(stream, b""))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("E22: {error}"),
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_of_the_upload_stays() {
    let server = Server::on_a_disk_of(24 * MEBIBYTE, &[LOG]);
    good().send(&server).expect(201);
    let refusals = Refusals::by(&server);
    let large = archives::zip(&[("go.mod", b"module example.com/m\n"), ("p", &archives::noise(32 * MEBIBYTE))]);
    let answer = RawForm::module("example.com/m", "v1.1.0").file(large).send(&server);
    refusals.api("E21 no room for the upload", &answer, 507, &["disk_full"]);
    // The upload itself fits, the canonical zip beside it does not.
    let half = archives::zip(&[("go.mod", b"module example.com/m\n"), ("p", &archives::noise(14 * MEBIBYTE))]);
    let answer = RawForm::module("example.com/m", "v1.1.0").file(half).send(&server);
    refusals.api("E21 no room for the module", &answer, 507, &["disk_full"]);

    let list = http::get(&format!("{}/example.com/m/@v/list", server.go("local"))).expect(200);
    assert_eq!(list.text(), "v1.0.0\n", "E21: what is there is served");
    let small = RawForm::module("example.com/m", "v1.1.0").file(archives::module(b"module example.com/m\n"));
    let answer = small.send(&server);
    assert_eq!(answer.status, 201, "E21: what fits is taken: {}", answer.text());
}
