//! Files of a repository `generic/files` whose bytes follow from a number, and clients that keep their connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::exchange::Exchange;
use crate::harness::http::{Response, parse};
use crate::harness::random::Random;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::wait;

/// Nothing has to grow old before it is collected, and much at once is not suspicious.
pub(crate) const AT_ONCE: [(&str, &str); 4] = [
    ("KEEPER_GC_GRACE", "0s"),
    ("KEEPER_GC_UNLINK_DELAY", "0s"),
    ("KEEPER_GC_UNLINKS_PER_SECOND", "100000"),
    ("KEEPER_GC_MAX_PERCENT", "100"),
];

/// Without a line for each publication.
pub(super) const QUIET: (&str, &str) = ("KEEPER_LOG", "info,keeper_core=error");

/// Time for an answer on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the repository.
pub(super) fn with_files(server: Server) -> Server {
    let repository = json!({ "format": "generic", "name": "files", "kind": "hosted", "anonymous_read": true });
    server.create_repository(&repository);
    server
}

/// The bytes of a number: different for each, and too many to live in their row.
pub(super) fn bytes(number: u64) -> Vec<u8> {
    Random::seeded(number).bytes(20_000)
}

/// Where the only file of a version is.
pub(super) fn path(name: &str, version: u64) -> String {
    format!("/generic/files/{name}/{version}/file")
}

/// An upload of so many bytes that has begun: its first half is sent, and others follow or not.
pub(super) fn begin(server: &Server, name: &str, version: u64, length: usize) -> Exchange {
    let (host, path) = (server.host(), path(name, version));
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut upload = Exchange::with(host).expect("it listens");
    // The server may have refused it meanwhile.
    let _sent = upload.send(&[head.as_bytes(), &vec![1; length / 2]].concat());
    upload
}

/// One who asks as the administrator, on one connection as long as that lasts.
pub(super) struct Client {
    host: String,
    stream: Option<TcpStream>,
}

impl Client {
    pub(super) fn of(server: &Server) -> Self {
        Self::at(server.host())
    }

    /// Of the server that listens there.
    pub(super) fn at(host: &str) -> Self {
        Self { host: host.to_owned(), stream: None }
    }

    /// Publishes the only file of a version.
    pub(super) fn publish(&mut self, name: &str, version: u64, content: &[u8]) -> Option<Response> {
        self.ask("PUT", &path(name, version), content)
    }

    pub(super) fn read(&mut self, name: &str, version: u64) -> Option<Response> {
        self.ask("GET", &path(name, version), &[])
    }

    pub(super) fn delete(&mut self, name: &str, version: u64) -> Option<Response> {
        self.ask("DELETE", &format!("/generic/files/{name}/{version}/"), &[])
    }

    /// The answer, unless nobody takes the connection or it breaks before the answer's end.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let length = if method == "PUT" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        let host = &self.host;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{length}\r\n");
        // A refusal may come before all was sent.
        let _sent = stream.write_all(&[head.as_bytes(), body].concat());
        let (mut answer, mut chunk) = (Vec::new(), [0; 64 * 1024]);
        let response = loop {
            if let Some(response) = parse(&answer) {
                break response;
            }
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            }
        };
        if response.header("connection").is_none_or(|word| !word.eq_ignore_ascii_case("close")) {
            self.stream = Some(stream);
        }
        Some(response)
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(&self.host).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }
}

/// Runs the collector on the command line and gives what it says, if it was not refused.
pub(super) fn gc(server: &Server) -> Option<Value> {
    let finished = server.command("gc --json --confirm");
    finished.is_success().then(|| serde_json::from_str(finished.stdout()).expect("JSON"))
}

/// The collector has nothing to do any more, and a verification finds neither faults nor copies that nobody needs.
#[track_caller]
pub(super) fn assert_sound_and_empty(server: &Server) {
    // A copy that no row names is looked at twice before it goes.
    for _ in 0..3 {
        // One that runs by itself may still be at work.
        wait::until("the collector may run", || gc(server).is_some());
    }
    let verified = server.command("verify --json").succeeded();
    assert_eq!(verified.stdout().lines().count(), 1, "nothing but the summary: {verified}");
    wait::until("nothing unfinished is left", || unfinished(server).is_empty());
}

/// The unfinished files.
pub(super) fn unfinished(server: &Server) -> Vec<String> {
    let folder = std::fs::read_dir(server.data().join("tmp")).expect("a folder for unfinished files");
    folder.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect()
}
