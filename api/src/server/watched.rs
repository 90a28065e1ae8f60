//! The socket and the answers of a connection, reporting to its [`Pulse`].

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;

/// The first byte of a TLS record that begins a handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// A socket whose reads and writes are seen. It lies below TLS: what counts is what the network takes.
#[derive(Debug)]
pub(super) struct WatchedSocket {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    /// Plain HTTP is expected and nothing has come yet.
    expects_plain: bool,
}

impl WatchedSocket {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>, expects_plain: bool) -> Self {
        Self { stream, pulse, expects_plain }
    }

    /// Somebody typed https:// for a server that speaks http; hyper would only say that it is no HTTP.
    fn look_for_tls(&mut self, first: Option<&u8>) {
        if std::mem::take(&mut self.expects_plain) && first == Some(&TLS_HANDSHAKE) {
            tracing::debug!(peer = ?self.stream.peer_addr().ok(), "TLS on a plain port: the client should use http://");
        }
    }

    fn seen(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Pending => self.pulse.blocked(),
            Poll::Ready(Ok(bytes)) => self.pulse.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        result
    }
}

impl AsyncRead for WatchedSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.received();
            self.look_for_tls(buffer.filled().get(before));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.seen(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.seen(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        if self.pulse.is_cut() {
            // A socket that does not know how is closed in the ordinary way.
            let _reset = self.stream.set_zero_linger();
        }
    }
}

/// A request under way, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Pulse>);

impl InFlight {
    pub(super) fn begin(pulse: Arc<Pulse>) -> Self {
        pulse.request_began();
        Self(pulse)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// The body of an answer. Knows whether it waits for the client, or the client for it.
#[derive(Debug)]
pub(super) struct Answer {
    body: BoxBody<Bytes, io::Error>,
    given: bool,
    request: InFlight,
}

impl Answer {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>, request: InFlight) -> Self {
        Self { body, given: false, request }
    }

    pub(super) fn empty(request: InFlight) -> Self {
        use http_body_util::{BodyExt, Empty};
        let body = Empty::new().map_err(|never: Infallible| match never {}).boxed();
        Self::new(body, request)
    }

    fn taken(&mut self) {
        if std::mem::take(&mut self.given) {
            self.request.0.chunk_taken();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.taken();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(_)) = frame {
            self.given = true;
            self.request.0.chunk_given();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.taken();
    }
}
