//! The outgoing client against small servers of the test's own.

use std::time::Duration;

use poem::{Endpoint, Request, Response, Route, endpoint::make, handler};
use tokio::net::TcpListener;

use crate::server::{ServerLimits, into_app, serve};

use super::*;

/// An upstream that answers as the path says; gives its port.
async fn upstream() -> u16 {
    upstream_at("127.0.0.1").await
}

async fn upstream_at(host: &str) -> u16 {
    let answer = |status: u16| make(move |_: Request| async move { Response::builder().status(code(status)).finish() });
    let to = |place: &'static str| {
        make(move |_: Request| async move {
            Response::builder().status(StatusCode::FOUND).header(header::LOCATION, place).finish()
        })
    };
    let app = Route::new()
        .at("/good", make(|_: Request| async { "hello" }))
        .at("/head", head)
        .at("/streamed", make(|_: Request| async { streamed() }))
        .at("/silent", make(|_: Request| std::future::pending::<String>()))
        .at("/401", answer(401))
        .at("/403", answer(403))
        .at("/404", answer(404))
        .at("/410", answer(410))
        .at("/500", answer(500))
        .at("/204", answer(204))
        .at("/to/good", to("/good"))
        .at("/to/itself", to("/to/itself"))
        .at("/to/metadata", to("http://169.254.169.254/latest/meta-data/"))
        .at("/to/numeric", to("http://0xa9fea9fe/"))
        .at("/to/private", to("https://10.0.0.1/"))
        .at("/to/name", to("http://metadata.google.internal/"))
        .at("/to/localhost", to("https://localhost:1/"))
        .at("/to/file", to("file:///etc/passwd"))
        .at("/to/user", to("http://u:p@127.0.0.1/"))
        .at("/to/nowhere", make(|_: Request| async { Response::builder().status(StatusCode::FOUND).finish() }));
    start(host, app).await
}

async fn start<E: Endpoint + 'static>(host: &str, app: E) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(serve(listener, None, ServerLimits::default(), into_app(app), std::future::pending()));
    port
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

#[handler]
fn head(request: &Request) -> String {
    let value = |name: &str| request.header(name).unwrap_or("-").to_owned();
    [value("user-agent"), value("x-artifact-keeper-hops"), value("cookie"), value("referer")].join(" ")
}

/// 100 bytes of which the head says nothing.
fn streamed() -> poem::Body {
    let chunks = (0..10).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 10])));
    poem::Body::from_bytes_stream(futures_util::stream::iter(chunks))
}

fn client(allow: &[&str]) -> GuardedClient {
    let limits = UpstreamLimits { authority_timeout: Duration::from_millis(1500), ..UpstreamLimits::default() };
    let network = Network { allow: NetworkAllow::of(allow), ..Network::default() };
    GuardedClient::new(network, limits, None).expect("a client")
}

async fn fetch(client: &GuardedClient, base: &str, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
    let spec = AuthoritySpec { name: "sum.example".to_owned(), url: base.to_owned() };
    client.authority(&spec).fetch(path, limit_bytes).await
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let base = format!("http://127.0.0.1:{}", upstream().await);
    let client = client(&["127.0.0.1"]);
    for (path, expected) in [
        ("/good", "ok"),
        ("/to/good", "ok"),
        ("/401", "failed"),
        ("/403", "forbidden"),
        ("/404", "absent"),
        ("/410", "absent"),
        ("/500", "failed"),
        ("/204", "failed"),
        ("/silent", "timeout"),
        ("/to/nowhere", "failed"),
        ("/to/itself", "redirect"),
        ("/to/metadata", "redirect"),
        ("/to/numeric", "redirect"),
        ("/to/private", "redirect"),
        ("/to/name", "redirect"),
        ("/to/file", "redirect"),
        ("/to/user", "redirect"),
    ] {
        let result = fetch(&client, &base, path, 100).await;
        let found = match &result {
            Ok(bytes) if bytes == "hello" => "ok",
            Ok(_) => "other bytes",
            Err(UpstreamError::Absent) => "absent",
            Err(UpstreamError::Forbidden(_)) => "forbidden",
            Err(UpstreamError::Unreachable(_)) => "unreachable",
            Err(UpstreamError::Timeout) => "timeout",
            Err(UpstreamError::TooLarge(_)) => "large",
            Err(UpstreamError::RedirectRefused(_)) => "redirect",
            Err(UpstreamError::Failed(_)) => "failed",
            Err(_) => "other trouble",
        };
        assert_eq!(found, expected, "{path}: {result:?}");
    }
}

/// Here the resolver refuses, and not the check of the address: the name itself is harmless.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_redirect_to_a_name_of_a_closed_address_is_refused() {
    let base = format!("http://127.0.0.2:{}", upstream_at("127.0.0.2").await);
    let result = fetch(&client(&["127.0.0.2"]), &base, "/to/localhost", 100).await;
    assert!(
        matches!(&result, Err(UpstreamError::RedirectRefused(why)) if why.contains("blocked_address")),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_document_may_have_its_limit_and_not_one_byte_more() {
    let base = format!("http://127.0.0.1:{}", upstream().await);
    let client = client(&["127.0.0.0/8"]);
    for (path, length) in [("/good", 5), ("/streamed", 100)] {
        assert!(fetch(&client, &base, path, length).await.is_ok(), "{path}");
        let larger = fetch(&client, &base, path, length - 1).await;
        assert!(matches!(larger, Err(UpstreamError::TooLarge(limit)) if limit == length - 1), "{path}: {larger:?}");
    }
}

#[tokio::test]
async fn a_request_says_who_asks_and_nothing_else() {
    let base = format!("http://127.0.0.1:{}", upstream().await);
    let seen = fetch(&client(&["127.0.0.1"]), &base, "/head", 1000).await.expect("an answer");
    assert_eq!(seen, format!("artifact-keeper/{} 1 - -", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_closed_place_is_not_even_asked() {
    let port = upstream().await;
    let refused = |result: Result<Bytes, UpstreamError>| match result {
        Err(UpstreamError::Unreachable(why)) => why,
        other => panic!("reached: {other:?}"),
    };
    let closed = client(&[]);
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::1]"] {
        for scheme in ["http", "https"] {
            let why = refused(fetch(&closed, &format!("{scheme}://{host}:{port}"), "/good", 100).await);
            assert!(why.contains("blocked_address"), "{scheme}://{host}: {why}");
        }
    }
    // The name is open by its addresses, whichever of the two families the machine gives it.
    let open = client(&["127.0.0.1", "::1"]);
    assert!(fetch(&open, &format!("http://localhost:{port}"), "/good", 100).await.is_ok());
    // http needs to be opened, a public address too.
    let why = refused(fetch(&open, "http://192.0.2.1", "/good", 100).await);
    assert!(why.contains("blocked_address"), "{why}");
}

#[tokio::test]
async fn a_path_stays_below_its_authority() {
    let base = format!("http://127.0.0.1:{}/below", upstream().await);
    let client = client(&["127.0.0.1"]);
    for path in ["good", "/../good", "/%2e%2e/good", "/a/../../good", "/..\\good", "@example.com/", "/a#b", "/a b"] {
        let result = fetch(&client, &base, path, 100).await;
        assert!(matches!(result, Err(UpstreamError::Unreachable(_))), "{path}: {result:?}");
    }
    assert!(matches!(fetch(&client, &base, "/x", 100).await, Err(UpstreamError::Absent)));
    assert!(matches!(fetch(&client, "not a url", "/x", 100).await, Err(UpstreamError::Unreachable(_))));
}

#[tokio::test]
async fn turns_are_kept_for_each_host_and_forgotten_with_it() {
    let client = client(&[]);
    let (first, second) = (client.turns("a.example"), client.turns("a.example"));
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first.available_permits(), 32);
    drop((first, second));
    let _other = client.turns("b.example");
    assert_eq!(client.0.turns.lock().expect("the table").len(), 1);
}
