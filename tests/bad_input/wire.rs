//! A connection on which anything may be said.
//!
//! `harness::http` is for a request and its answer; this is for what is neither.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::harness::http::{Response, ask, parse};
use crate::harness::server::Server;

/// Time for an answer, or an end, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server.
pub(super) struct Wire {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Wire {
    /// A new connection.
    pub(super) fn to(server: &Server) -> Self {
        let stream = TcpStream::connect(server.host()).unwrap_or_else(|error| panic!("{}: {error}", server.host()));
        stream.set_nodelay(true).expect("a socket");
        Self { stream, heard: Vec::new() }
    }

    /// Says this. A server that has refused already may have closed.
    pub(super) fn say(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let _closed = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Asks and is answered.
    pub(super) fn ask(&mut self, request: &str) -> Response {
        ask(&mut self.stream, request.as_bytes())
    }

    /// Goes away.
    pub(super) fn leave(self) {
        let _closed = self.stream.shutdown(Shutdown::Both);
    }

    /// Listens until something comes, for so long; whether the server has closed.
    pub(super) fn listen(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout above zero");
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => true,
            Ok(count) => {
                self.heard.extend_from_slice(&chunk[..count]);
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(_reset) => true,
        }
    }

    /// The answer that was heard, if it is whole.
    pub(super) fn heard(&self) -> Option<Response> {
        parse(&self.heard)
    }

    /// The next answer.
    #[track_caller]
    pub(super) fn answer(mut self, row: &str) -> Response {
        loop {
            if let Some(answer) = self.heard() {
                return answer;
            }
            self.listen_on(row).unwrap_or_else(|| panic!("{row}: closed behind {:?}", self.said()));
        }
    }

    /// Everything the server says until it closes, which it must.
    #[track_caller]
    pub(super) fn until_closed(mut self, row: &str) -> Vec<u8> {
        while self.listen_on(row).is_some() {}
        self.heard
    }

    #[track_caller]
    fn listen_on(&mut self, row: &str) -> Option<()> {
        let before = self.heard.len();
        let closed = self.listen(PATIENCE);
        assert!(closed || self.heard.len() > before, "{row}: nothing for {PATIENCE:?} behind {:?}", self.said());
        (!closed).then_some(())
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

/// The answers in these bytes; each begins with the version.
#[track_caller]
pub(super) fn answers(row: &str, bytes: &[u8]) -> Vec<Response> {
    let text = String::from_utf8_lossy(bytes);
    let starts: Vec<_> = text.match_indices("HTTP/1.1 ").map(|(at, _)| at).chain([text.len()]).collect();
    let answer = |ends: &[usize]| {
        let part = &text[ends[0]..ends[1]];
        parse(part.as_bytes()).unwrap_or_else(|| panic!("{row}: no whole answer: {part:?}"))
    };
    starts.windows(2).map(answer).collect()
}
