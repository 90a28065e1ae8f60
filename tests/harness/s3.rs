//! A small S3 within the test: objects in memory, uploads in parts, lists; and whatever fault a test asks for.
//!
//! Each request is carried out as a whole before the next is looked at, so what it tells of atomicity is true. It checks
//! that a request is signed with the right key's name, not the signature; and that the bytes are those of the checksum
//! that is said of them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The one bucket that there is.
pub(crate) const BUCKET: &str = "keeper-test";
/// The one key that may use it; any secret will do.
pub(crate) const ACCESS_KEY: &str = "AKIDKEEPERTEST";

/// The server; it ends with the test process.
pub(crate) struct S3 {
    /// Where it listens, `http://…`.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Vec<u8>, Timestamp)>,
    /// Key and parts of uploads that are under way, by their number.
    uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    begun: u32,
    faults: Vec<Fault>,
    book: Vec<String>,
    refuses_checksums: bool,
    is_down: bool,
    /// So many parts are taken; the next ones wait.
    parts_left: Option<usize>,
    is_held: bool,
}

/// The next request like this gets this answer.
#[derive(Clone)]
pub(crate) struct Fault {
    method: &'static str,
    of: &'static str,
    status: u16,
    code: &'static str,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    NotCarriedOut,
    CarriedOut,
    /// With another last byte than was sent; the answer is what it is.
    Damaged,
    /// Without the last byte.
    Shortened,
}

impl Fault {
    /// It is not carried out.
    pub(crate) fn before(method: &'static str, of: &'static str, status: u16, code: &'static str) -> Self {
        Self { method, of, status, code, how: How::NotCarriedOut }
    }

    /// It is carried out, and nobody is told.
    pub(crate) fn after(method: &'static str, of: &'static str, status: u16, code: &'static str) -> Self {
        Self { how: How::CarriedOut, ..Self::before(method, of, status, code) }
    }

    /// The last byte becomes another one on the way.
    pub(crate) fn damage(method: &'static str, of: &'static str) -> Self {
        Self { how: How::Damaged, ..Self::before(method, of, 0, "") }
    }

    /// The last byte is lost on the way.
    pub(crate) fn shorten(method: &'static str, of: &'static str) -> Self {
        Self { how: How::Shortened, ..Self::before(method, of, 0, "") }
    }
}

impl S3 {
    /// An empty bucket.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
        let state: Arc<Mutex<State>> = Arc::default();
        listen(listener, &state);
        Self { url, state }
    }

    fn address(&self) -> &str {
        &self.url["http://".len()..]
    }

    /// From now on nobody listens there, and nobody is answered any more.
    pub(crate) fn go_down(&self) {
        self.state().is_down = true;
        // It sees that when somebody comes.
        drop(TcpStream::connect(self.address()));
        while TcpStream::connect(self.address()).is_ok() {
            thread::yield_now();
        }
    }

    /// It is there again, with all that it had.
    pub(crate) fn come_back(&self) {
        self.state().is_down = false;
        listen(TcpListener::bind(self.address()).expect("its own port"), &self.state);
    }

    /// What a server needs to use it, for files below a prefix.
    pub(crate) fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        let pairs = [
            ("KEEPER_STORAGE_URL", format!("s3://{BUCKET}/{prefix}")),
            ("KEEPER_S3_ENDPOINT", self.url.clone()),
            ("KEEPER_S3_PATH_STYLE", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics")
    }

    /// From now on, once.
    pub(crate) fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// No fault is left.
    pub(crate) fn heal(&self) {
        self.state().faults.clear();
    }

    /// From now on it does not know what a checksum is, as some stores do not.
    pub(crate) fn refuse_checksums(&self) {
        self.state().refuses_checksums = true;
    }

    /// So many parts are taken from now on, and whoever sends another waits until [`let_go`](Self::let_go).
    pub(crate) fn hold_after_parts(&self, parts: usize) {
        self.state().parts_left = Some(parts);
    }

    /// Whether somebody waits.
    pub(crate) fn is_held(&self) -> bool {
        self.state().is_held
    }

    /// Nobody waits any more.
    pub(crate) fn let_go(&self) {
        let mut state = self.state();
        (state.parts_left, state.is_held) = (None, false);
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Uploads in parts that are under way.
    pub(crate) fn uploads(&self) -> usize {
        self.state().uploads.len()
    }

    /// The requests so far, `METHOD /bucket/key?query`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().book.clone()
    }

    /// Loses an object.
    pub(crate) fn forget(&self, key: &str) {
        self.state().objects.remove(key);
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut BufReader<&TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    fn key(&self) -> String {
        let path = self.path().strip_prefix('/').and_then(|path| path.strip_prefix(BUCKET)).unwrap_or("");
        path.trim_start_matches('/').to_owned()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let value = pairs.find(|(key, _)| *key == name)?.1;
        Some(value.replace("%2F", "/").replace("%2f", "/"))
    }
}

/// Status, further headers, body.
struct Answer(u16, Vec<(&'static str, String)>, Vec<u8>);

impl Answer {
    fn xml(body: String) -> Self {
        Self(200, vec![("Content-Type", "application/xml".to_owned())], body.into_bytes())
    }

    fn error(status: u16, code: &str) -> Self {
        // By its clock it is an hour earlier, if the clocks are the trouble.
        let then = Timestamp::now() - std::time::Duration::from_secs(3600);
        let time =
            if code == "RequestTimeTooSkewed" { format!("<ServerTime>{then}</ServerTime>") } else { String::new() };
        let body = format!("<Error><Code>{code}</Code><Message>{code}</Message>{time}</Error>");
        Self(status, vec![("Content-Type", "application/xml".to_owned())], body.into_bytes())
    }
}

fn listen(listener: TcpListener, state: &Arc<Mutex<State>>) {
    let state = Arc::clone(state);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if state.lock().expect("no thread panics").is_down {
                return;
            }
            let state = Arc::clone(&state);
            thread::spawn(move || converse(&stream, &state));
        }
    });
}

fn converse(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        if state.lock().expect("no thread panics").is_down {
            return;
        }
        while request.target.contains("partNumber=") && state.lock().expect("no thread panics").holds() {
            thread::sleep(Duration::from_millis(5));
        }
        let Answer(status, headers, body) = state.lock().expect("no thread panics").serve(&request);
        let mut head = format!("HTTP/1.1 {status} Answer\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !head.contains("Content-Length") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let body: &[u8] = if request.method == "HEAD" { &[] } else { &body };
        if (&mut &*stream).write_all(&[head.as_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

impl State {
    /// Whether the next part has to wait.
    fn holds(&mut self) -> bool {
        match &mut self.parts_left {
            None => return false,
            Some(0) => self.is_held = true,
            Some(left) => {
                *left -= 1;
                return false;
            }
        }
        true
    }

    fn serve(&mut self, request: &Request) -> Answer {
        self.book.push(format!("{} {}", request.method, request.target));
        if !request.header("authorization").is_some_and(|text| text.contains(ACCESS_KEY)) {
            return Answer::error(403, "InvalidAccessKeyId");
        }
        let meant = |fault: &Fault| fault.method == request.method && request.target.contains(fault.of);
        let Some(at) = self.faults.iter().position(meant) else { return self.carry_out(request) };
        let fault = self.faults.remove(at);
        let mut body = request.body.clone();
        match fault.how {
            How::NotCarriedOut => {}
            How::CarriedOut => drop(self.carry_out(request)),
            How::Damaged => body.last_mut().into_iter().for_each(|byte| *byte ^= 1),
            How::Shortened => drop(body.pop()),
        }
        if matches!(fault.how, How::Damaged | How::Shortened) {
            let Request { method, target, headers, .. } = request;
            let come = Request { method: method.clone(), target: target.clone(), headers: headers.clone(), body };
            return self.carry_out(&come);
        }
        Answer::error(fault.status, fault.code)
    }

    fn carry_out(&mut self, request: &Request) -> Answer {
        let said = request.headers.iter().find(|(name, _)| name.starts_with("x-amz-checksum-"));
        match said {
            Some(_) if self.refuses_checksums => return Answer::error(400, "InvalidArgument"),
            Some((name, sum))
                if name == "x-amz-checksum-sha256" && *sum != BASE64.encode(&Sha256::digest(&request.body)) =>
            {
                return Answer::error(400, "BadDigest");
            }
            _ => {}
        }
        let key = request.key();
        let upload = request.parameter("uploadId");
        match (request.method.as_str(), upload) {
            ("GET", _) if key.is_empty() => self.list(request),
            ("GET" | "HEAD", _) => self.get(&key, request.header("range")),
            ("PUT", Some(id)) => self.part(&id, request),
            ("PUT", None) => {
                self.objects.insert(key, (request.body.clone(), Timestamp::now()));
                tagged(200)
            }
            ("POST", Some(id)) => self.complete(&id),
            ("POST", None) => self.begin(key),
            ("DELETE", Some(id)) => match self.uploads.remove(&id) {
                Some(_) => Answer(204, vec![], vec![]),
                None => Answer::error(404, "NoSuchUpload"),
            },
            ("DELETE", None) => {
                self.objects.remove(&key);
                Answer(204, vec![], vec![])
            }
            _ => Answer::error(405, "MethodNotAllowed"),
        }
    }

    fn get(&self, key: &str, range: Option<&str>) -> Answer {
        let Some((bytes, at)) = self.objects.get(key) else { return Answer::error(404, "NoSuchKey") };
        let mut headers = vec![
            ("ETag", "\"e\"".to_owned()),
            (
                "Last-Modified",
                jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(at).expect("a date"),
            ),
        ];
        let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
            headers.push(("Content-Length", bytes.len().to_string()));
            return Answer(200, headers, bytes.clone());
        };
        let (first, last) = range.split_once('-').expect("a range");
        let first: usize = first.parse().expect("a number");
        let last = last.parse().unwrap_or(usize::MAX).min(bytes.len().saturating_sub(1));
        if first >= bytes.len() {
            return Answer::error(416, "InvalidRange");
        }
        headers.push(("Content-Range", format!("bytes {first}-{last}/{}", bytes.len())));
        Answer(206, headers, bytes[first..=last].to_vec())
    }

    fn list(&self, request: &Request) -> Answer {
        let prefix = request.parameter("prefix").unwrap_or_default();
        let found = self.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
        let entries: String = found
            .map(|(key, (bytes, at))| {
                format!(
                    "<Contents><Key>{key}</Key><LastModified>{at:.3}</LastModified><ETag>\"e\"</ETag><Size>{}</Size>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    bytes.len()
                )
            })
            .collect();
        Answer::xml(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"))
    }

    fn begin(&mut self, key: String) -> Answer {
        self.begun += 1;
        let id = format!("upload{}", self.begun);
        let answer =
            format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
        self.uploads.insert(id, (key, BTreeMap::new()));
        Answer::xml(answer)
    }

    fn part(&mut self, id: &str, request: &Request) -> Answer {
        let number = request.parameter("partNumber").and_then(|text| text.parse().ok()).expect("a number");
        let Some((_, parts)) = self.uploads.get_mut(id) else { return Answer::error(404, "NoSuchUpload") };
        parts.insert(number, request.body.clone());
        let Answer(status, mut headers, body) = tagged(200);
        if let Some(sum) = request.header("x-amz-checksum-sha256") {
            headers.push(("x-amz-checksum-sha256", sum.to_owned()));
        }
        Answer(status, headers, body)
    }

    fn complete(&mut self, id: &str) -> Answer {
        let Some((key, parts)) = self.uploads.remove(id) else { return Answer::error(404, "NoSuchUpload") };
        let bytes = parts.into_values().collect::<Vec<_>>().concat();
        self.objects.insert(key, (bytes, Timestamp::now()));
        Answer::xml("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>".to_owned())
    }
}

fn tagged(status: u16) -> Answer {
    Answer(status, vec![("ETag", "\"e\"".to_owned())], vec![])
}
