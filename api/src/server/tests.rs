//! The server as a client meets it: deadlines, limits, TLS, draining.

use poem::endpoint::make;
use poem::{Request, Route};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// Longer than anything here takes, also on a busy machine.
const AT_LAST: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<usize>,
}

fn short() -> ServerLimits {
    ServerLimits { header_timeout: Duration::from_millis(300), ..ServerLimits::default() }
}

async fn start(limits: ServerLimits, tls: Option<TlsAcceptorHandle>) -> Server {
    let app = Route::new()
        .at("/", make(|_: Request| async { "hello" }))
        .at("/who", make(|request: Request| async move { format!("{} {}", request.scheme(), request.remote_addr()) }))
        .at(
            "/name",
            make(|request: Request| async move { format!("{:?}", request.extensions().get::<TlsServerName>()) }),
        )
        .at("/panic", make(|_: Request| async { panics() }))
        .at("/large", make(|_: Request| async { vec![7_u8; 64 << 20] }))
        .at(
            "/slow",
            make(|_: Request| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                "late"
            }),
        )
        .at("/never", make(|_: Request| std::future::pending::<String>()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let ended = tokio::spawn(serve(listener, tls, limits, into_app(app), shutdown));
    Server { address, stop, ended }
}

fn panics() -> String {
    panic!("on purpose")
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    async fn stop(self) -> usize {
        self.stop.send(()).expect("it runs");
        tokio::time::timeout(AT_LAST, self.ended).await.expect("in time").expect("it ends")
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("sent");
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> String {
    send(stream, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    answer(stream).await
}

/// One answer with an announced length.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse().expect("a length") {
                return text;
            }
        }
        let more = tokio::time::timeout(AT_LAST, stream.read_buf(&mut read)).await.expect("in time");
        assert!(more.expect("readable") > 0, "closed after {text:?}");
    }
}

/// All that comes until the connection ends, however it does.
async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut read = Vec::new();
    let end = async { while stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {} };
    tokio::time::timeout(AT_LAST, end).await.expect("the connection ends");
    read
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = start(ServerLimits::default(), None).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        assert!(ask(&mut stream, "/").await.ends_with("hello"));
    }
    let who = ask(&mut stream, "/who").await;
    assert!(who.ends_with(&format!("http socket://{}", stream.local_addr().expect("an address"))), "{who}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn who_sends_no_whole_head_is_closed_at_the_limit() {
    let server = start(short(), None).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for start in ["", "P", "PRI * HTTP/2.0\r\n", preface, "GET / HTTP/1.1\r\nHost: x\r\nA: "] {
        let mut stream = server.connect().await;
        send(&mut stream, start).await;
        rest(&mut stream).await;
    }
    // Also later, when the connection has had a request.
    let mut stream = server.connect().await;
    assert!(ask(&mut stream, "/").await.ends_with("hello"));
    send(&mut stream, "GET /").await;
    assert_eq!(rest(&mut stream).await, b"");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn an_idle_connection_ends_and_a_slow_request_does_not() {
    let limits = ServerLimits { idle_timeout: Duration::from_millis(300), ..short() };
    let server = start(limits, None).await;
    let mut stream = server.connect().await;
    assert!(ask(&mut stream, "/slow").await.ends_with("late"));
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn heads_beyond_the_bounds_are_refused() {
    let server = start(ServerLimits::default(), None).await;
    let lines = |count: usize| (0..count).map(|at| format!("x-{at}: 1\r\n")).collect::<String>();
    let line = |length: usize| format!("x: {}\r\n", "y".repeat(length));
    for (headers, status) in [(lines(98), "200"), (lines(100), "431"), (line(15_000), "200"), (line(17_000), "431")] {
        let mut stream = server.connect().await;
        send(&mut stream, &format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
}

#[tokio::test]
async fn a_panic_costs_its_request_only() {
    let server = start(ServerLimits::default(), None).await;
    let mut stream = server.connect().await;
    let answer = ask(&mut stream, "/panic").await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("connection: close"), "{answer}");
    assert!(ask(&mut server.connect().await, "/").await.ends_with("hello"));
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_or_closed() {
    let server = start(ServerLimits { connections: 2, ..ServerLimits::default() }, None).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    ask(&mut one, "/").await;
    ask(&mut two, "/").await;
    let mut three = server.connect().await;
    send(&mut three, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let refused = answer(&mut three).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 5"), "{refused}");
    assert_eq!(rest(&mut three).await, b"");

    let server = start(ServerLimits { connections_per_address: 1, ..ServerLimits::default() }, None).await;
    let mut one = server.connect().await;
    ask(&mut one, "/").await;
    assert_eq!(rest(&mut server.connect().await).await, b"");
    assert!(ask(&mut one, "/").await.ends_with("hello"));
}

#[tokio::test]
async fn a_place_is_free_again_when_its_connection_has_ended() {
    let server = start(ServerLimits { connections_per_address: 1, ..ServerLimits::default() }, None).await;
    for _ in 0..20 {
        let mut stream = server.connect().await;
        send(&mut stream, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        // The place may be given back a moment after the client has seen the end.
        let read = rest(&mut stream).await;
        if read.ends_with(b"hello") {
            return;
        }
    }
    panic!("never free again");
}

#[tokio::test]
async fn who_does_not_read_is_cut() {
    let server = start(ServerLimits { write_timeout: Duration::from_millis(500), ..short() }, None).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(rest(&mut stream).await.len() < 64 << 20);

    let mut reader = server.connect().await;
    send(&mut reader, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(rest(&mut reader).await.len() > 64 << 20);
}

#[tokio::test]
async fn stopping_lets_requests_end_and_cuts_those_that_do_not() {
    let server = start(ServerLimits::default(), None).await;
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    ask(&mut idle, "/").await;
    send(&mut busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = server.address;
    assert_eq!(server.stop().await, 0);
    let last = answer(&mut busy).await;
    assert!(last.ends_with("late") && last.contains("connection: close"), "{last}");
    assert_eq!(rest(&mut idle).await, b"");
    assert!(TcpStream::connect(address).await.is_err());

    let server = start(ServerLimits { shutdown_timeout: Duration::from_millis(300), ..short() }, None).await;
    let mut stuck = server.connect().await;
    send(&mut stuck, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.stop().await, 1);
    assert_eq!(rest(&mut stuck).await, b"");
}

/// A pair of our own making, and a client that trusts its authority and nobody else.
fn trusted(alpn: &[&[u8]]) -> (tempfile::TempDir, TlsAcceptorHandle, TlsConnector) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = self_signed::ensure(folder.path(), &self_signed::names_of([127, 0, 0, 1].into(), None)).expect("made");
    let handle = TlsAcceptorHandle::load(made.files).expect("a pair");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(made.authority).expect("a certificate")).expect("an authority");
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (folder, handle, TlsConnector::from(Arc::new(config)))
}

#[tokio::test]
async fn tls_is_trusted_by_our_own_authority_and_speaks_http1() {
    let (_folder, handle, connector) = trusted(&[]);
    let server = start(ServerLimits::default(), Some(handle)).await;
    for name in ["localhost", "127.0.0.1", "::1"] {
        let name = ServerName::try_from(name).expect("a name");
        let mut stream = connector.connect(name, server.connect().await).await.expect("a handshake");
        assert!(ask(&mut stream, "/who").await.contains("https socket://"));
    }
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, server.connect().await).await.expect("a handshake");
    assert!(ask(&mut stream, "/name").await.ends_with(r#"Some(TlsServerName("localhost"))"#));
    let other = ServerName::try_from("other.example").expect("a name");
    assert!(connector.connect(other, server.connect().await).await.is_err());

    // Plain HTTP on the TLS port ends, and the server goes on.
    let mut plain = server.connect().await;
    send(&mut plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!rest(&mut plain).await.starts_with(b"HTTP"));
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn http2_is_spoken_when_agreed_on_and_needs_a_request_in_time() {
    let (_folder, handle, connector) = trusted(&[b"h2", b"http/1.1"]);
    let server = start(short(), Some(handle)).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, server.connect().await).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // The preface and empty settings, and then nothing more.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let settings = rest(&mut stream).await;
    assert_eq!(settings.get(3), Some(&4), "settings come first: {settings:?}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_ends() {
    let (_folder, handle, _connector) = trusted(&[]);
    let limits = ServerLimits { handshake_timeout: Duration::from_millis(300), handshakes: 1, ..short() };
    let server = start(limits, Some(handle)).await;
    let mut silent: Vec<TcpStream> = Vec::new();
    for _ in 0..3 {
        silent.push(server.connect().await);
    }
    for stream in &mut silent {
        assert_eq!(rest(stream).await, b"");
    }
}

#[tokio::test]
async fn only_a_want_of_descriptors_asks_idle_connections_to_leave() {
    let (notices, _kept) = watch::channel(Notice::default());
    for (kind, sheds) in [(io::ErrorKind::ConnectionAborted, 0), (io::ErrorKind::Other, 1)] {
        survive(&io::Error::from(kind), &notices).await;
        assert_eq!(notices.borrow().sheds, sheds);
    }
}
