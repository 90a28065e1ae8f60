//! One connection, from accept to its end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keeper_core::limits::IO_CHUNK_BYTES;
use poem::Endpoint;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::admission::{Admission, Slot};
use super::pulse::{Pulse, Verdict, Watch};
use super::tls::{TlsAcceptorHandle, TlsServerName};
use super::watched::{Answer, InFlight, WatchedSocket};
use super::{App, Notice, ServerLimits};

/// Bytes that hyper reads at once on HTTP/1, and keeps room for. Heads are bounded apart from it; with 16 KiB here an
/// upload takes four times the system calls, which is an eighth more of the processor.
const READ_BYTES: usize = 64 * 1024;

/// The same for a connection that comes when there are many: two thousand that upload at once take a fifth less.
const READ_BYTES_IN_A_CROWD: usize = 16 * 1024;

/// Headers that hyper takes as it comes. Told the same number, it fills room for them with copies at each request.
const HYPER_HEADERS: usize = 100;

/// How often an HTTP/2 client is asked whether it is still there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);

/// Streams a client may open and reset before the connection ends (CVE-2023-44487).
const RESET_STREAMS: usize = 20;

/// What all connections of a listener have in common.
pub(super) struct Shared {
    pub(super) app: App,
    pub(super) tls: Option<TlsAcceptorHandle>,
    pub(super) limits: ServerLimits,
    pub(super) admission: Admission,
    pub(super) handshakes: Semaphore,
    pub(super) notice: watch::Receiver<Notice>,
}

/// A connection that has just been accepted.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) slot: Slot,
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, arrival: Arrival) {
    let Arrival { stream, peer, slot: _slot } = arrival;
    let Ok(local) = stream.local_addr() else { return };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let pulse = Arc::new(Pulse::new());
    let socket = WatchedSocket::new(stream, pulse.clone(), shared.tls.is_none());
    let call = Call { shared, pulse, peer, local, name: None };
    match &call.shared.tls {
        None => call.http1(socket, Instant::now()).await,
        Some(tls) => {
            let Some(stream) = call.handshake(tls, socket).await else { return };
            call.secured(stream).await;
        }
    }
}

/// What the requests of one connection have in common.
#[derive(Clone)]
struct Call {
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    peer: SocketAddr,
    local: SocketAddr,
    /// The name in the TLS hello.
    name: Option<TlsServerName>,
}

impl Call {
    /// A handshake waits for its turn within its own time, so that those who are slow only stop each other.
    async fn handshake(&self, tls: &TlsAcceptorHandle, socket: WatchedSocket) -> Option<TlsStream<WatchedSocket>> {
        let handshake = async {
            let _turn = self.shared.handshakes.acquire().await.expect("the semaphore is never closed");
            tls.acceptor().accept(socket).await
        };
        match timeout(self.shared.limits.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "the TLS handshake failed");
                None
            }
            Err(_) => {
                self.pulse.cut();
                tracing::debug!(peer = %self.peer, "the TLS handshake took too long");
                None
            }
        }
    }

    async fn secured(&self, stream: TlsStream<WatchedSocket>) {
        let ready_at = Instant::now();
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let name = session.server_name().map(|name| TlsServerName(name.to_owned()));
        let call = Self { name, ..self.clone() };
        if is_http2 {
            call.http2(stream, ready_at).await;
        } else {
            call.http1(stream, ready_at).await;
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, ready_at: Instant) {
        let limits = &self.shared.limits;
        let read_bytes = if self.shared.admission.is_crowded() { READ_BYTES_IN_A_CROWD } else { READ_BYTES };
        let mut builder = http1::Builder::new();
        if limits.headers != HYPER_HEADERS {
            builder.max_headers(limits.headers);
        }
        let connection = builder
            .half_close(true)
            .max_header_size(limits.header_bytes)
            .max_buf_size(read_bytes.max(limits.header_bytes))
            // The watch has all deadlines: this one would end idle connections too.
            .header_read_timeout(None)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(|request| self.clone().answer(request)));
        self.drive(Box::pin(connection), ready_at).await;
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, ready_at: Instant) {
        self.pulse.is_multiplexed();
        let limits = &self.shared.limits;
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(limits.streams)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(IO_CHUNK_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(|request| self.clone().answer(request)));
        self.drive(Box::pin(connection), ready_at).await;
    }

    /// Runs the protocol, and ends it when the watch or the server says so. In a box of its own: by value each of the
    /// futures around it had room for it twice, and for both protocols, which made 10 KiB of each connection at rest.
    async fn drive<C: Drainable>(&self, mut connection: Pin<Box<C>>, ready_at: Instant) {
        let mut watch = Watch::new(&self.shared.limits, &self.pulse, ready_at);
        let mut look = pin!(sleep_until(ready_at));
        let mut notice = self.shared.notice.clone();
        let Notice { draining, mut sheds } = *notice.borrow_and_update();
        if draining {
            connection.as_mut().drain();
        }
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(peer = %self.peer, %error, "a connection ended with an error");
                    }
                    return;
                }
                () = look.as_mut() => match watch.look(&self.pulse) {
                    Verdict::Wait(time) => look.as_mut().reset(Instant::now() + time),
                    Verdict::Retire => {
                        watch.retire(&self.pulse);
                        connection.as_mut().drain();
                    }
                    Verdict::Cut(reason) => {
                        tracing::debug!(peer = %self.peer, reason, "cut a connection");
                        self.pulse.cut();
                        return;
                    }
                },
                Ok(()) = notice.changed() => {
                    let now = *notice.borrow_and_update();
                    let shed = std::mem::replace(&mut sheds, now.sheds) != now.sheds;
                    if now.draining || (shed && self.pulse.is_idle()) {
                        watch.retire(&self.pulse);
                        connection.as_mut().drain();
                    }
                }
            }
        }
    }

    /// One request through the app. A panic in it costs the request only; the app's own layer words the
    /// answer, this one is for a panic in that layer.
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
        let in_flight = InFlight::begin(self.pulse);
        let version = request.version();
        if let Some(name) = self.name {
            request.extensions_mut().insert(name);
        }
        let scheme = if self.shared.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let (local, remote) = (LocalAddr(self.local.into()), RemoteAddr(self.peer.into()));
        let request = poem::Request::from((request, local, remote, scheme));
        let response = AssertUnwindSafe(self.shared.app.get_response(request)).catch_unwind().await;
        Ok(match response {
            Ok(response) => Response::from(response).map(|body| Answer::new(body, in_flight)),
            Err(_) => {
                tracing::error!(peer = %self.peer, "the app panicked outside of its own net");
                after_panic(version, in_flight)
            }
        })
    }
}

fn after_panic(version: Version, in_flight: InFlight) -> Response<Answer> {
    let mut response = Response::new(Answer::empty(in_flight));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A connection of either protocol.
trait Drainable: Future<Output = hyper::Result<()>> {
    /// Finishes the requests under way and takes no more.
    fn drain(self: Pin<&mut Self>);
}

impl<S, V> Drainable for http1::Connection<TokioIo<S>, V>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: HttpService<Incoming, ResBody = Answer>,
    V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, V> Drainable for http2::Connection<TokioIo<S>, V, TokioExecutor>
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: HttpService<Incoming, ResBody = Answer>,
    V::Future: Send + 'static,
    V::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
