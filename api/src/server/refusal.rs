//! The answer for a connection that cannot be had.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// How long a refused client may take to read its answer and leave.
const PATIENCE: Duration = Duration::from_secs(1);

/// In the form of format routes, since package clients print it.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 78\r\n\
    retry-after: 5\r\n\
    x-error-code: overloaded\r\n\
    cache-control: no-store\r\n\
    connection: close\r\n\
    \r\n\
    unavailable: too many connections\nTry again in a few seconds.\ncode=overloaded\n";

/// Says no and closes. The request is read and forgotten: closing a socket with unread bytes resets it, and
/// the reset could overtake the answer.
pub(super) async fn send(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    let farewell = async {
        stream.write_all(ANSWER).await?;
        stream.shutdown().await?;
        let mut rest = [0_u8; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // A client that does not wait for its refusal is no event.
    let _ended = tokio::time::timeout(PATIENCE, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_length_is_that_of_the_text() {
        let text = std::str::from_utf8(ANSWER).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
}
