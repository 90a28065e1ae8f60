//! The port that speaks TLS, and floods of frames on HTTP/2.
//!
//! Frames are written by hand (RFC 9113): 24 bits of length, type, flags, 31 bits of stream.

use std::io::{ErrorKind, Read as _, Write as _};

use super::tls::{Secured, connect};
use super::wire::Wire;
use crate::harness::http::parse;
use crate::harness::refusal::LOG;
use crate::harness::server::Server;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:method` GET and POST, `:scheme` https, `:path` / as HPACK writes them (RFC 7541, A).
const GET: [u8; 3] = [0x82, 0x87, 0x84];
const POST: [u8; 3] = [0x83, 0x87, 0x84];

fn server() -> Server {
    Server::with(&[LOG, ("KEEPER_TLS_SELF_SIGNED", "true")])
}

fn secured(server: &Server, protocol: &[u8]) -> Secured {
    let authority = std::fs::read_to_string(server.authority()).expect("the server has made it");
    connect(server, &authority, protocol).unwrap_or_else(|error| panic!("{}: {error}", server.url))
}

/// The next good request on a new connection.
fn unharmed(server: &Server, row: &str) {
    let mut stream = secured(server, b"http/1.1");
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    stream.write_all(request.as_bytes()).unwrap_or_else(|error| panic!("{row}: {error}"));
    let mut answer = Vec::new();
    // The end of the session may lack its own mark; the answer knows its length.
    let _end = stream.read_to_end(&mut answer);
    assert_eq!(parse(&answer).map(|answer| answer.status), Some(200), "{row}: {}", String::from_utf8_lossy(&answer));
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `HEADERS` of a request to this server.
fn request(server: &Server, method: [u8; 3], flags: u8, stream: u32) -> Vec<u8> {
    let host = server.host().as_bytes();
    let authority = [&[0x41, u8::try_from(host.len()).expect("a short name")], host].concat();
    frame(HEADERS, flags, stream, &[&method[..], &authority].concat())
}

/// Sends frames for as long as the server takes them, then listens until it closes. What it said before, a GOAWAY,
/// may be lost: it closes while frames are on their way, so that the system resets the connection.
fn flood(row: &str, server: &Server, frames: impl Iterator<Item = Vec<u8>>) {
    let mut stream = secured(server, b"h2");
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]), "{row}");
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b"")].concat();
    stream.write_all(&preface).unwrap_or_else(|error| panic!("{row}: {error}"));
    for frame in frames {
        if stream.write_all(&frame).is_err() {
            break;
        }
    }
    let mut chunk = [0; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("{row}: still open");
            }
            Err(_reset) => return,
        }
    }
}

#[test]
fn plain_http_on_the_tls_port_is_closed() {
    let server = server();
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", server.host());
    let said = Wire::to(&server).say(request).until_closed("A19");
    assert!(!said.starts_with(b"HTTP/"), "A19: {:?}", String::from_utf8_lossy(&said));
    unharmed(&server, "A19");
}

#[test]
fn a_flood_of_frames_ends_its_connection_and_no_other() {
    let server = server();
    let mut other = secured(&server, b"http/1.1");

    let row = "A26 resets";
    let open_and_reset = |at: u32| {
        let opened = request(&server, GET, END_HEADERS | END_STREAM, 2 * at + 1);
        [opened, frame(RST_STREAM, 0, 2 * at + 1, &8_u32.to_be_bytes())].concat()
    };
    flood(row, &server, (0..1_000).map(open_and_reset));
    unharmed(&server, row);

    let row = "A26 continuations";
    let begin = std::iter::once(request(&server, GET, END_STREAM, 1));
    // Literals without a name in the table: `x: x`.
    let headers = [0x00, 1, b'x', 1, b'x'].repeat(3_000);
    let more = (0..2_000).map(|_| frame(CONTINUATION, 0, 1, &headers));
    flood(row, &server, begin.chain(more));
    unharmed(&server, row);

    let row = "A26 empty data";
    let begin = std::iter::once(request(&server, POST, END_HEADERS, 1));
    let nothing = frame(DATA, 0, 1, b"").repeat(100);
    flood(row, &server, begin.chain((0..1_000).map(|_| nothing.clone())));
    unharmed(&server, row);

    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    other.write_all(request.as_bytes()).expect("A26: a connection beside");
    let mut answer = Vec::new();
    let _end = other.read_to_end(&mut answer);
    assert_eq!(parse(&answer).map(|answer| answer.status), Some(200), "A26: a connection beside");
}

/// A header that no table has: its name is sent as it is.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |text: &[u8]| u8::try_from(text.len()).expect("a short text");
    [&[0x00, length(name)], name, &[length(value)], value].concat()
}

/// Sends a faulty request and then a good one on the same connection: the first is reset as an error of the protocol, the
/// second is answered.
fn assert_only_its_stream_is_reset(row: &str, server: &Server, faulty: &[u8]) {
    const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
    let mut stream = secured(server, b"h2");
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b"")].concat();
    let good = request(server, GET, END_HEADERS | END_STREAM, 3);
    stream.write_all(&[&preface, faulty, &good].concat()).unwrap_or_else(|error| panic!("{row}: {error}"));
    let (mut is_reset, mut is_answered) = (false, false);
    while !(is_reset && is_answered) {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap_or_else(|error| {
            panic!("{row}: {error}, reset: {is_reset}, the next answered: {is_answered}");
        });
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap_or_else(|error| panic!("{row}: {error}"));
        match (head[3], head[8]) {
            (RST_STREAM, 1) => {
                assert_eq!(payload, PROTOCOL_ERROR, "{row}");
                is_reset = true;
            }
            (HEADERS, 3) => is_answered = true,
            (RST_STREAM, 3) => panic!("{row}: the good request is reset, too"),
            _ => {}
        }
    }
}

#[test]
fn a_request_that_breaks_the_protocol_costs_its_stream_and_not_its_connection() {
    let server = server();
    let with = |method: [u8; 3], flags: u8, header: &[u8]| {
        let good = request(&server, method, flags, 1);
        frame(HEADERS, flags, 1, &[&good[9..], header].concat())
    };
    let of_length = with(POST, END_HEADERS, &literal(b"content-length", b"5"));
    let rows = [
        ("L21 less data than its length", [&of_length[..], &frame(DATA, END_STREAM, 1, b"abc")].concat()),
        ("L21 more data than its length", [&of_length[..], &frame(DATA, END_STREAM, 1, b"abcdefgh")].concat()),
        ("L21 connection", with(GET, END_HEADERS | END_STREAM, &literal(b"connection", b"close"))),
        ("L21 transfer-encoding", with(GET, END_HEADERS | END_STREAM, &literal(b"transfer-encoding", b"chunked"))),
    ];
    for (row, faulty) in rows {
        assert_only_its_stream_is_reset(row, &server, &faulty);
    }
    // Such a name is no header at all to the library that reads them: it ends the connection, which RFC 9113, 5.4.2
    // leaves to it.
    let mut other = secured(&server, b"http/1.1");
    let upper = with(GET, END_HEADERS | END_STREAM, &literal(b"X-Upper", b"x"));
    flood("L21 an upper-case name", &server, std::iter::once(upper));
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    other.write_all(request.as_bytes()).expect("L21: a connection beside");
    unharmed(&server, "L21");
}
