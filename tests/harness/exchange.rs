//! A request whose answer may never come, because the server is taken away meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::http::{Response, parse};

/// Time for an answer on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection for one request.
pub(crate) struct Exchange {
    stream: TcpStream,
    /// The client's end: how a server's system calls know this request.
    pub(crate) port: u16,
}

impl Exchange {
    /// A connection to `host:port`, if anybody listens there.
    pub(crate) fn with(host: &str) -> Option<Self> {
        let stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let port = stream.local_addr().ok()?.port();
        Some(Self { stream, port })
    }

    /// Sends a part of the request.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).ok()
    }

    /// The answer, unless the connection breaks before its end.
    pub(crate) fn answer(mut self) -> Option<Response> {
        let (mut answer, mut chunk) = (Vec::new(), [0; 64 * 1024]);
        loop {
            if let Some(response) = parse(&answer) {
                return Some(response);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// A request without a body by the administrator or anybody else.
pub(crate) fn ask(host: &str, method: &str, path: &str, token: Option<&str>) -> Option<Response> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{authorization}\r\n");
    let mut exchange = Exchange::with(host)?;
    exchange.send(head.as_bytes())?;
    exchange.answer()
}
