//! The accept loop: sockets in, requests to the app, with a bound on every wait.
//!
//! poem's own server has no header deadline, no limit of connections and no TCP_NODELAY, and the
//! protocol-guessing builder of hyper-util never times out a silent connection. So the loop is ours:
//!
//! ```text
//! accept ─ admission (4,096 all, 256 per address) ─ [TLS, 10 s] ─ HTTP/1, or HTTP/2 by ALPN ─ app
//!                                                            └─ watch: first request, head, idle, slow reader
//! ```
//!
//! The plain port speaks HTTP/1 only; on TLS the protocol is what ALPN agreed on. Bounds are in
//! [`ServerLimits`]. *Sources*: hyper issue
//! 3178 for the header deadline of idle connections.

mod admission;
pub mod body;
mod connection;
mod pulse;
mod refusal;
pub mod self_signed;
pub mod tls;
mod watched;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use poem::endpoint::{DynEndpoint, ToDynEndpoint};
use poem::{EndpointExt, IntoEndpoint, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use admission::Admission;
use connection::{Arrival, Shared};

pub use tls::{TlsAcceptorHandle, TlsServerName};

/// How long the loop waits when the process has no descriptor left: no spinning, and soon enough after.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);

/// The app that answers requests, shared by all listeners.
pub type App = Arc<dyn DynEndpoint<Output = Response>>;

/// Makes an [`App`] of any poem endpoint.
pub fn into_app<E>(endpoint: E) -> App
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    Arc::new(ToDynEndpoint(endpoint.into_endpoint().map_to_response()))
}

/// The bounds of one listener.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address; for IPv6 from one /64, which is what one machine gets.
    pub connections_per_address: usize,
    /// Networks that `connections_per_address` does not bind: the trusted proxies.
    pub unbounded_networks: Vec<IpNet>,
    /// TLS handshakes at once.
    pub handshakes: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// To the end of the head of the first request, counted from accept or the end of the handshake; of later
    /// ones on HTTP/1, from their first byte.
    pub header_timeout: Duration,
    /// Without a request, after the first.
    pub idle_timeout: Duration,
    /// A reader that takes nothing for so long is cut.
    pub write_timeout: Duration,
    /// What requests in flight have when the server stops.
    pub shutdown_timeout: Duration,
    /// Bytes of a request's head, on HTTP/2 of its header list.
    pub header_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// HTTP/2 requests at once on one connection.
    pub streams: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_address: 256,
            unbounded_networks: Vec::new(),
            handshakes: 128,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(30),
            header_bytes: 16 * 1024,
            headers: 100,
            streams: 128,
        }
    }
}

/// What all connections of a listener are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Notice {
    /// Finish what is under way, take nothing new.
    draining: bool,
    /// How often idle connections were asked to leave, because descriptors are short.
    sheds: u64,
}

/// Serves one listener until `shutdown` resolves, then lets the requests in flight finish. Returns how many
/// connections had to be cut because they did not end within `shutdown_timeout`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptorHandle>,
    limits: ServerLimits,
    app: App,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let (notices, notice) = watch::channel(Notice::default());
    let shared = Arc::new(Shared {
        handshakes: Semaphore::new(limits.handshakes),
        admission: Admission::new(&limits),
        app,
        tls,
        limits,
        notice,
    });
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&shared, &mut connections, stream, peer),
                Err(error) => survive(&error, &notices).await,
            },
        }
    }
    drop(listener);
    drain(connections, &notices, shared.limits.shutdown_timeout).await
}

/// Gives a new connection to a task of its own, or sends it away.
fn admit(shared: &Arc<Shared>, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
    match shared.admission.admit(peer.ip()) {
        Ok(slot) => {
            let arrival = Arrival { stream, peer, slot };
            connections.spawn(connection::serve(shared.clone(), arrival));
        }
        Err(full) => {
            tracing::debug!(%peer, %full, "refused a connection");
            if let (admission::Full::Everywhere, None, Some(place)) = (full, &shared.tls, shared.admission.farewell()) {
                connections.spawn(refusal::send(stream, place));
            }
        }
    }
}

/// An accept that failed: of one connection, which matters to nobody, or for want of descriptors or memory.
async fn survive(error: &io::Error, notices: &watch::Sender<Notice>) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "no connection can be accepted; idle ones are asked to leave");
    notices.send_modify(|notice| notice.sheds += 1);
    tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
}

async fn drain(mut connections: JoinSet<()>, notices: &watch::Sender<Notice>, timeout: Duration) -> usize {
    notices.send_modify(|notice| notice.draining = true);
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(timeout, all_ended).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

/// A panic outside of the app, which has a net of its own: in the middle of a body, or a fault of this loop.
/// It costs its connection and nothing else.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

#[cfg(test)]
mod tests;
