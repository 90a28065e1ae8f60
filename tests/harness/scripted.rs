//! An upstream that answers, path by path, what the test says, in every way an upstream can go wrong; and that
//! writes down what it was asked.
//!
//! ```text
//! upstream.put("/example.com/m/@v/list", [Reply::status(500), Reply::text("v1.0.0\n")]);
//!                                         the first time      from then on
//! ```
//!
//! What is not in the script is 404. Each answer is on a connection of its own, and a request is in the book before
//! its answer begins.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// Time for a request that was begun.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two bytes of an answer that trickles.
const TRICKLE: Duration = Duration::from_millis(50);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`.
    pub(crate) method: String,
    /// The path with its query, as it was sent.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer, and how it comes.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Arc<[u8]>,
    announced: Option<usize>,
    how: How,
}

#[derive(Clone)]
enum How {
    /// As answers should come.
    Whole,
    /// Never: the connection stays open and silent.
    Silent,
    /// Not at all: the connection is closed.
    HangUp,
    /// So many bytes of the body, then the connection is closed.
    Cut(usize),
    /// So many bytes of the body, and the others when the gate opens.
    Held(usize, Gate),
    /// One byte after the other.
    Trickle,
    /// The body again and again.
    Endless,
}

impl Reply {
    /// 200 with this text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::bytes(text.into().into_bytes())
    }

    /// 200 with these bytes.
    pub(crate) fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into().into(), announced: None, how: How::Whole }
    }

    /// 200 with the page that somebody sees who has to sign in first.
    pub(crate) fn login_page() -> Self {
        let page = "<!DOCTYPE html>\n<html><body><form>Please sign in</form></body></html>\n";
        Self::text(page).with("Content-Type", "text/html; charset=utf-8")
    }

    /// This status with a word of text.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::text("an upstream's own words\n") }
    }

    /// A redirect to this place.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).with("Location", to)
    }

    /// No answer; the connection stays open.
    pub(crate) fn silence() -> Self {
        Self { how: How::Silent, ..Self::status(200) }
    }

    /// No answer; the connection is closed.
    pub(crate) fn hang_up() -> Self {
        Self { how: How::HangUp, ..Self::status(200) }
    }

    /// The same with this status.
    pub(crate) fn of(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, saying that it has so many bytes.
    pub(crate) fn announcing(self, bytes: usize) -> Self {
        Self { announced: Some(bytes), ..self }
    }

    /// The same, broken off after so many bytes of its body.
    pub(crate) fn cut(self, bytes: usize) -> Self {
        Self { how: How::Cut(bytes), ..self }
    }

    /// The same, waiting after so many bytes of its body until the gate opens.
    pub(crate) fn held(self, bytes: usize, gate: &Gate) -> Self {
        Self { how: How::Held(bytes, gate.clone()), ..self }
    }

    /// The same, byte by byte.
    pub(crate) fn trickling(self) -> Self {
        Self { how: How::Trickle, ..self }
    }

    /// The same, its body again and again without an end.
    pub(crate) fn endless(self) -> Self {
        Self { how: How::Endless, ..self }
    }
}

/// Where answers wait until the test lets them go on.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets all go on, for ever.
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("nobody panics") = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let closed = self.0.0.lock().expect("nobody panics");
        // Who never opens it has ended: then nobody reads the answer either.
        let _ = self.0.1.wait_timeout_while(closed, PATIENCE, |open| !*open).expect("nobody panics");
    }
}

type Answering = dyn Fn(&Asked) -> Reply + Send + Sync;

/// What the listening thread and the test share.
struct Shared {
    book: Mutex<Vec<Asked>>,
    script: Mutex<HashMap<String, VecDeque<Reply>>>,
    otherwise: Box<Answering>,
    sent_bytes: AtomicU64,
    is_stopped: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

/// The upstream; dropping it closes its port.
pub(crate) struct Scripted {
    /// Where it listens, without a trailing slash.
    pub(crate) url: String,
    at: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
    authority: Option<(TempDir, PathBuf)>,
}

impl Scripted {
    /// An upstream that has nothing yet.
    pub(crate) fn start() -> Self {
        Self::answering(|_| Reply::status(404))
    }

    /// An upstream that answers by itself what the script does not say.
    pub(crate) fn answering(otherwise: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(otherwise), None)
    }

    /// An upstream with an `https://` address, whose certificate nobody trusts who does not trust
    /// [`authority`](Self::authority).
    pub(crate) fn over_tls() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("its own versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .expect("they belong together");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, cert.pem()).expect("a fresh folder");
        let mut upstream = Self::listen(Box::new(|_| Reply::status(404)), Some(Arc::new(config)));
        upstream.authority = Some((folder, path));
        upstream
    }

    fn listen(otherwise: Box<Answering>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let at = listener.local_addr().expect("a bound listener");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            book: Mutex::default(),
            script: Mutex::default(),
            otherwise,
            sent_bytes: AtomicU64::default(),
            is_stopped: AtomicBool::default(),
            tls,
        });
        let serving = Arc::clone(&shared);
        let listening = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.receive(stream));
            }
        });
        Self { url: format!("{scheme}://{at}"), at, shared, listening: Some(listening), authority: None }
    }

    /// The certificate to trust, of one with TLS.
    pub(crate) fn authority(&self) -> String {
        self.authority.as_ref().expect("it has TLS").1.display().to_string()
    }

    /// Says what a path is answered: each reply once, the last one for ever.
    pub(crate) fn put(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script.lock().expect("nobody panics").insert(path.to_owned(), replies.into_iter().collect());
    }

    /// The requests so far, `GET /path`, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// The same with all that they said.
    pub(crate) fn heard(&self) -> Vec<Asked> {
        self.shared.book.lock().expect("nobody panics").clone()
    }

    /// How often a path was asked for.
    pub(crate) fn times_asked(&self, path: &str) -> usize {
        self.heard().iter().filter(|asked| asked.path == path).count()
    }

    /// A new book.
    pub(crate) fn forget(&self) {
        self.shared.book.lock().expect("nobody panics").clear();
    }

    /// Bytes of bodies that were sent, or that are in the hands of the operating system.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.shared.sent_bytes.load(Ordering::SeqCst)
    }

    /// Closes its port: connections are refused from now on.
    pub(crate) fn stop(&mut self) {
        let Some(listening) = self.listening.take() else { return };
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        // The listener looks up only when somebody comes.
        let _ = TcpStream::connect(self.at);
        listening.join().expect("the listener does not panic");
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn receive(&self, stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).expect("a sound configuration");
                self.converse(StreamOwned::new(connection, stream));
            }
        }
    }

    fn converse(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let mut lines = (&mut stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let Some(request) = lines.next() else { return };
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let headers = headers.collect();
        let mut words = request.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let asked = Asked { method, path, headers };
        let reply = self.reply_to(&asked);
        self.book.lock().expect("nobody panics").push(asked);
        // The other side may leave at any time; that is its affair.
        let _ = self.send(&reply, stream.get_mut());
    }

    fn reply_to(&self, asked: &Asked) -> Reply {
        let mut script = self.script.lock().expect("nobody panics");
        match script.get_mut(&asked.path) {
            Some(replies) if replies.len() > 1 => replies.pop_front().expect("there are two"),
            Some(replies) => replies.front().expect("a script has a reply").clone(),
            None => (self.otherwise)(asked),
        }
    }

    fn send(&self, reply: &Reply, stream: &mut (impl Read + Write)) -> std::io::Result<()> {
        match reply.how {
            // Until the other side leaves.
            How::Silent => return stream.read(&mut [0]).map(drop),
            How::HangUp => return Ok(()),
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", reply.status);
        if !matches!(reply.how, How::Endless) && !matches!(reply.status, 204 | 304) {
            head.push_str(&format!("Content-Length: {}\r\n", reply.announced.unwrap_or(reply.body.len())));
        }
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        match &reply.how {
            _ if matches!(reply.status, 204 | 304) => {}
            How::Cut(bytes) => self.write(stream, &reply.body[..*bytes])?,
            How::Held(bytes, gate) => {
                self.write(stream, &reply.body[..*bytes])?;
                gate.wait();
                self.write(stream, &reply.body[*bytes..])?;
            }
            How::Trickle => {
                for byte in reply.body.chunks(1) {
                    self.write(stream, byte)?;
                    thread::sleep(TRICKLE);
                }
            }
            How::Endless => loop {
                self.write(stream, &reply.body)?;
            },
            How::Whole | How::Silent | How::HangUp => self.write(stream, &reply.body)?,
        }
        Ok(())
    }

    fn write(&self, stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
        for piece in bytes.chunks(64 * 1024) {
            stream.write_all(piece)?;
            self.sent_bytes.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        stream.flush()
    }
}
