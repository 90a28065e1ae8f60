//! Sources that behave as they are told, byte by byte.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt as _;
use keeper_core::repository::{
    Actor, Deletion, FormatKey, RepositoryAddress, RepositoryDetails, RepositoryName, RepositoryStore as _, Settings,
};
use keeper_core::source::Chain;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Secret;
use crate::secrets::SecretsKey;
use crate::store::Store;
use crate::upstream::{Credential, Network, NetworkAllow, Vault};

/// An upstream: what it was asked, and what it says to the so-manieth question.
struct Source {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

/// What it does with a connection.
enum Reply {
    /// Sends this and closes.
    Says(String),
    /// Sends this and then nothing.
    Hangs(String),
    /// Closes at once.
    Nothing,
}

impl Source {
    async fn new(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (port, heads) = (listener.local_addr().expect("an address").port(), Arc::<Mutex<Vec<String>>>::default());
        let seen = heads.clone();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, seen.clone(), answer.clone()));
            }
        });
        Self { port, heads }
    }

    /// The same answer to everybody.
    async fn always(text: &str) -> Self {
        let text = text.to_owned();
        Self::new(move |_| Reply::Says(text.clone())).await
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }

    fn remote(&self) -> Remote {
        Remote::of(Chain::parse(&format!("http://127.0.0.1:{}", self.port), true).expect("a chain"))
    }
}

async fn talk(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    answer: Arc<impl Fn(usize) -> Reply + Send + Sync>,
) {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let number = {
        let mut seen = seen.lock().expect("no panic");
        seen.push(String::from_utf8_lossy(&head).into_owned());
        seen.len()
    };
    match answer(number) {
        // Whoever asked may have left already.
        Reply::Says(text) => drop(stream.write_all(text.as_bytes()).await),
        Reply::Hangs(text) => {
            let _left = stream.write_all(text.as_bytes()).await;
            std::future::pending::<()>().await;
        }
        Reply::Nothing => {}
    }
}

fn limits() -> UpstreamLimits {
    UpstreamLimits {
        first_byte_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(400),
        retry_waits: (Duration::from_millis(1), Duration::from_millis(2)),
        patience: Duration::from_secs(1),
        failures: 100,
        ..UpstreamLimits::default()
    }
}

fn client(limits: UpstreamLimits) -> GuardedClient {
    let network = Network { allow: NetworkAllow::of(&["127.0.0.1"]), ..Network::default() };
    GuardedClient::new(network, limits, None).expect("a client")
}

struct Asking<'a> {
    client: &'a GuardedClient,
    remote: Remote,
    known: Option<Validators>,
    hops: u32,
}

impl Asking<'_> {
    async fn fetch(&self, path: &str) -> Result<Fetched, UpstreamError> {
        let request = UpstreamRequest {
            repository: RepositoryId(7),
            remote: &self.remote,
            url: &self.remote.chain.sources()[0].url,
            path,
            known: self.known.as_ref(),
            limit_bytes: 100,
            hops: self.hops,
        };
        Upstreams::fetch(self.client, &request).await
    }

    /// The whole of an answer.
    async fn whole(&self, path: &str) -> Result<String, UpstreamError> {
        match self.fetch(path).await? {
            Fetched::NotModified => Ok("not modified".to_owned()),
            Fetched::Body { mut stream, .. } => {
                let mut whole = Vec::new();
                while let Some(chunk) = stream.next().await {
                    let chunk: Bytes = chunk?;
                    whole.extend_from_slice(&chunk);
                }
                Ok(String::from_utf8(whole).expect("UTF-8"))
            }
        }
    }
}

fn asking<'a>(client: &'a GuardedClient, source: &Source) -> Asking<'a> {
    Asking { client, remote: source.remote(), known: None, hops: 1 }
}

/// An answer with a length.
fn says(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    let rows = [
        ("200 OK", "", "ok", 1),
        ("404 Not Found", "", "absent", 1),
        ("410 Gone", "", "gone", 1),
        ("401 Unauthorized", "", "unauthorized", 1),
        ("407 Proxy Authentication Required", "", "unauthorized", 1),
        ("403 Forbidden", "", "forbidden", 1),
        ("451 Unavailable For Legal Reasons", "", "forbidden", 1),
        ("400 Bad Request", "", "failed", 1),
        ("508 Loop Detected", "", "loop", 1),
        ("206 Partial Content", "", "invalid", 2),
        ("204 No Content", "", "invalid", 2),
        ("304 Not Modified", "", "invalid", 2),
        ("300 Multiple Choices", "", "invalid", 2),
        ("200 OK", "Content-Encoding: gzip\r\n", "invalid", 2),
        ("200 OK", "Content-Encoding: identity\r\n", "ok", 1),
        ("500 Internal Server Error", "", "failed", 3),
        ("503 Service Unavailable", "", "failed", 3),
        ("503 Service Unavailable", "Retry-After: 0\r\n", "resting 1", 3),
        ("429 Too Many Requests", "Retry-After: 300\r\n", "resting 300", 1),
        ("429 Too Many Requests", "", "resting 30", 1),
        ("302 Found", "Location: http://169.254.169.254/\r\n", "redirect", 1),
    ];
    let client = client(limits());
    for (status, headers, wanted, requests) in rows {
        let source = Source::always(&says(status, headers, "")).await;
        let found = match asking(&client, &source).whole("x").await {
            Ok(_) => "ok".to_owned(),
            Err(UpstreamError::Gone) => "gone".to_owned(),
            Err(UpstreamError::RedirectRefused(_)) => "redirect".to_owned(),
            Err(UpstreamError::Resting { retry_after_s }) => format!("resting {retry_after_s}"),
            Err(error) => outcome(&error).to_owned(),
        };
        assert_eq!((found.as_str(), source.heads().len()), (wanted, requests), "{status} {headers}");
    }
}

#[tokio::test]
async fn what_is_refused_by_those_who_do_not_know_may_be_absent() {
    let source = Source::always(&says("403 Forbidden", "", "")).await;
    let client = client(limits());
    let mut asking = asking(&client, &source);
    asking.remote.forbidden_as_not_found = true;
    assert_eq!(asking.whole("x").await, Err(UpstreamError::Absent));
}

#[tokio::test]
async fn a_question_says_who_asks_how_far_it_came_and_what_is_known() {
    let source = Source::always(&says("304 Not Modified", "", "")).await;
    let client = client(limits());
    let mut asking = asking(&client, &source);
    asking.hops = 3;
    asking.known = Some(Validators { etag: Some("\"a\"".to_owned()), last_modified: Some("then".to_owned()) });
    assert_eq!(asking.whole("e.com/%21m/@v/list").await.expect("an answer"), "not modified");
    let head = source.heads()[0].to_lowercase();
    assert!(head.starts_with("get /e.com/%21m/@v/list http/1.1\r\n"), "{head}");
    for line in ["if-none-match: \"a\"", "if-modified-since: then", "x-artifact-keeper-hops: 3"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    assert!(head.contains("\r\nuser-agent: artifact-keeper/") && !head.contains("authorization"), "{head}");
    asking.hops = 6;
    assert_eq!(asking.whole("x").await, Err(UpstreamError::Loop));
    assert_eq!(source.heads().len(), 1, "nobody was asked");
}

#[tokio::test]
async fn trouble_that_passes_is_not_seen() {
    let good = says("200 OK", "ETag: \"b\"\r\nCache-Control: max-age=90\r\nAge: 30\r\n", "hello");
    let bad = says("502 Bad Gateway", "", "");
    let client = client(limits());
    for first in [Some(bad), None] {
        let good = good.clone();
        let source = Source::new(move |number| match (number, &first) {
            (3.., _) => Reply::Says(good.clone()),
            (_, Some(bad)) => Reply::Says(bad.clone()),
            (_, None) => Reply::Nothing,
        })
        .await;
        let asking = asking(&client, &source);
        let Ok(Fetched::Body { validators, max_age_s, .. }) = asking.fetch("x").await else { panic!("no body") };
        assert_eq!((validators.etag.as_deref(), max_age_s), (Some("\"b\""), Some(60)));
        assert_eq!(source.heads().len(), 3);
    }
}

#[tokio::test]
async fn a_body_is_whole_or_an_error() {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let rows = [
        (format!("{head}Content-Length: 5\r\n\r\nhello"), "ok"),
        (format!("{head}Content-Length: 9\r\n\r\nhello"), "failed"),
        (format!("{head}Content-Length: 101\r\n\r\n{}", "x".repeat(101)), "too_large"),
        (format!("{chunked}5\r\nhello\r\n0\r\n\r\n"), "ok"),
        (format!("{chunked}5\r\nhello\r\n"), "failed"),
        (format!("{chunked}65\r\n{}\r\n0\r\n\r\n", "x".repeat(101)), "too_large"),
    ];
    let client = client(limits());
    for (text, wanted) in rows {
        let source = Source::always(&text).await;
        let found = asking(&client, &source).whole("x").await;
        let found = found.as_ref().map_or_else(outcome, |_| "ok");
        assert_eq!((found, source.heads().len()), (wanted, 1), "{text}");
    }
}

#[tokio::test]
async fn silence_ends_the_wait() {
    let client = client(limits());
    for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"] {
        let source = Source::new(|_| Reply::Hangs(text.to_owned())).await;
        assert_eq!(asking(&client, &source).whole("x").await, Err(UpstreamError::Timeout), "{text}");
        assert_eq!(source.heads().len(), 1, "who waited so long does not wait again");
    }
}

#[tokio::test]
async fn repeated_trouble_is_answered_without_asking_and_told() {
    let source = Source::always(&says("500 Internal Server Error", "", "")).await;
    let client = client(UpstreamLimits { failures: 5, ..limits() });
    let asking = asking(&client, &source);
    assert!(client.health(RepositoryId(7), &asking.remote)[0].last_trouble.is_none());
    for _ in 0..2 {
        assert!(matches!(asking.whole("x").await, Err(UpstreamError::Failed(_))), "its own trouble");
    }
    for _ in 0..3 {
        assert!(matches!(asking.whole("x").await, Err(UpstreamError::Resting { .. })));
    }
    assert_eq!(source.heads().len(), 5, "no connection while it rests");
    let health = &client.health(RepositoryId(7), &asking.remote)[0];
    assert_eq!(health.last_trouble.map(|(code, _)| code), Some("upstream_error"));
    assert!(health.resting_until.is_some() && health.last_answer_at.is_none());
}

#[tokio::test]
async fn a_refusal_is_not_read_to_its_end() {
    let endless = format!("HTTP/1.1 404 Not Found\r\nContent-Length: 10485760\r\n\r\n{}", "x".repeat(80 * 1024));
    let source = Source::new(move |_| Reply::Hangs(endless.clone())).await;
    let client = client(limits());
    assert_eq!(asking(&client, &source).whole("x").await, Err(UpstreamError::Absent));
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_not_asked_for() {
    let source = Source::always(&says("200 OK", "", "")).await;
    let client = client(limits());
    let asking = asking(&client, &source);
    for path in ["../x", "a/../../x", "/x/..", "a b", "a#b"] {
        let result = asking.whole(path).await;
        assert!(matches!(result, Err(UpstreamError::Invalid(_))), "{path}: {result:?}");
    }
    assert!(source.heads().is_empty());
}

#[tokio::test]
async fn a_credential_stays_with_its_origin() {
    let elsewhere = Source::always(&says("200 OK", "", "there")).await;
    let moved = says("302 Found", &format!("Location: http://127.0.0.1:{}/x\r\n", elsewhere.port), "");
    let source = Source::always(&moved).await;
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite://{}/keeper.db?mode=rwc", folder.path().display());
    let store = Arc::new(Store::open(&address).await.expect("a database"));
    let mut remote = source.remote();
    remote.has_credentials = true;
    let details = RepositoryDetails {
        source: keeper_core::source::Source::Remote(Box::new(remote.clone())),
        description: String::new(),
        anonymous_read: true,
        default_upload: false,
        deletion: Deletion::Tombstone,
        settings: Settings::default(),
    };
    let at = RepositoryAddress {
        format: FormatKey::try_from("x").expect("a key"),
        name: RepositoryName::try_from("up").expect("a name"),
    };
    let made = store.create(&at, details, &Actor::system()).await.expect("made");
    let key = SecretsKey::make(&folder.path().join("secrets.key")).expect("a key");
    let vault = Arc::new(Vault::new(key, store));
    let network = Network { allow: NetworkAllow::of(&["127.0.0.1"]), ..Network::default() };
    let client = GuardedClient::new(network, limits(), Some(vault.clone())).expect("a client");
    let fetch = async |remote: &Remote| {
        let url = &remote.chain.sources()[0].url;
        let request =
            UpstreamRequest { repository: made.id, remote, url, path: "x", known: None, limit_bytes: 100, hops: 1 };
        Upstreams::fetch(&client, &request).await.map(drop)
    };
    assert!(matches!(fetch(&remote).await, Err(UpstreamError::Unauthorized(_))), "none is kept yet");
    assert!(source.heads().is_empty(), "and nobody is asked without");
    let credential = Credential::Bearer(Secret::new("abc"));
    let own = origin(remote.chain.sources()[0].url.as_url());
    vault.keep(made.id, Some((&credential, &own)), &Actor::system()).await.expect("kept");
    fetch(&remote).await.expect("an answer");
    let has_it = |heads: Vec<String>| heads[0].to_lowercase().contains("\r\nauthorization: bearer abc\r\n");
    assert!(has_it(source.heads()) && !has_it(elsewhere.heads()), "it does not follow the redirect");
    // What is kept is for one origin, whatever a record says.
    let mut other = elsewhere.remote();
    other.has_credentials = true;
    assert!(matches!(fetch(&other).await, Err(UpstreamError::Unauthorized(_))));
}

#[tokio::test]
async fn a_proxy_looks_names_up_and_literal_addresses_stay_closed() {
    let proxy = Source::always(&says("200 OK", "", "through")).await;
    let url = Url::parse(&format!("http://127.0.0.1:{}", proxy.port)).expect("a URL");
    let allow = NetworkAllow::of(&["git.corp.example"]);
    let network = Network { allow, proxy: Some(url), ..Network::default() };
    let client = GuardedClient::new(network, limits(), None).expect("a client");
    let through = |url: &str| Asking {
        client: &client,
        remote: Remote::of(Chain::parse(url, true).expect("a chain")),
        known: None,
        hops: 1,
    };
    assert_eq!(through("http://git.corp.example/go").whole("x").await.expect("an answer"), "through");
    let head = &proxy.heads()[0];
    assert!(head.starts_with("GET http://git.corp.example/go/x HTTP/1.1\r\n"), "{head}");
    for closed in ["http://other.corp.example", "http://10.0.0.1", "https://10.0.0.1", "https://169.254.169.254"] {
        let result = through(closed).whole("x").await;
        assert!(matches!(result, Err(UpstreamError::Unreachable(_))), "{closed}: {result:?}");
    }
    assert_eq!(proxy.heads().len(), 1, "what is closed does not even reach the proxy");
}

#[test]
fn what_an_upstream_says_about_time_is_understood() {
    let headers = |name: http::HeaderName, value: &str| {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
    };
    let rows = [
        ("max-age=60", Some(60)),
        ("public, max-age=60, s-maxage=\"10\"", Some(10)),
        ("no-cache", Some(0)),
        ("Private", Some(0)),
        ("max-age=x", None),
        ("immutable", None),
    ];
    for (text, wanted) in rows {
        assert_eq!(max_age(&headers(header::CACHE_CONTROL, text)), wanted, "{text}");
    }
    let now: Timestamp = "1994-11-06T08:49:30Z".parse().expect("a time");
    for (text, wanted) in [("120", Some(120)), ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)), ("soon", None), ("-1", None)]
    {
        let found = retry_after(&headers(header::RETRY_AFTER, text), now);
        assert_eq!(found, wanted.map(Duration::from_secs), "{text}");
    }
}
