//! Requests and answers of HTTP/1.1, as bytes on a connection of their own.
//!
//! A client library would hide what is tested here: it joins headers, follows redirects, decodes bodies,
//! refuses to send what is wrong. This one sends what it is given and gives back what arrived.
//!
//! Bounds: [`PATIENCE`] for an answer. Plain `http://` only; https is for curl and go.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::document;

/// Time for an answer on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// Its status.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// Its body, without chunked framing.
    pub(crate) body: Vec<u8>,
}

/// A GET without a credential.
pub(crate) fn get(url: &str) -> Response {
    send("GET", url, &[], &[])
}

/// A request; its connection is closed behind the answer. What the API answers must be declared in its document.
pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is not a plain address"));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let response = raw(host, &[head.as_bytes(), body].concat());
    document::hold(method, path, &response);
    response
}

/// Sends bytes as they are to `host:port` and reads one answer.
pub(crate) fn raw(host: &str, bytes: &[u8]) -> Response {
    let mut stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
    let response = ask(&mut stream, bytes);
    let _ = stream.shutdown(Shutdown::Both);
    response
}

/// Sends bytes on a connection and reads one answer, after which the connection may be used again.
pub(crate) fn ask(stream: &mut TcpStream, bytes: &[u8]) -> Response {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    // A server that refuses a request may answer and close before it has read all of it.
    let sent = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut chunk = [0; 64 * 1024];
    let without_body = bytes.starts_with(b"HEAD ");
    loop {
        if let Some(response) = complete(&answer, without_body, false) {
            return response;
        }
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no answer: {error}; so far {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    complete(&answer, without_body, true)
        .unwrap_or_else(|| panic!("closed within an answer ({sent:?}): {:?}", String::from_utf8_lossy(&answer)))
}

/// The answer at the beginning of these bytes, if they hold all of it.
pub(crate) fn parse(bytes: &[u8]) -> Option<Response> {
    complete(bytes, false, false)
}

/// The answer in these bytes, if they hold all of it.
fn complete(bytes: &[u8], without_body: bool, closed: bool) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let rest = &bytes[end + 4..];
    if (100..200).contains(&status) {
        return complete(rest, without_body, closed);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let mut response = Response { status, headers, body: Vec::new() };
    if without_body || matches!(status, 204 | 304) {
        return Some(response);
    }
    response.body = if response.header("transfer-encoding") == Some("chunked") {
        chunks(rest)?
    } else if let Some(length) = response.header("content-length") {
        rest.get(..length.parse().ok()?)?.to_vec()
    } else if closed {
        rest.to_vec()
    } else {
        return None;
    };
    Some(response)
}

fn chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?.trim(), 16).ok()?;
        body.extend_from_slice(bytes.get(line + 2..line + 2 + length)?);
        bytes = bytes.get(line + 2 + length + 2..)?;
        if length == 0 {
            return Some(body);
        }
    }
}

impl Response {
    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All headers, their names in small letters.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap_or_else(|error| panic!("not UTF-8: {error}"))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// It must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
