//! Stands for the world outside, and writes down everything that arrives there.
//!
//! A small HTTP server within the test. As the second entry of GOPROXY it is the public mirror; as
//! HTTPS_PROXY it is the internet, for then every connection that go, git or curl want to make to another
//! machine arrives here as `CONNECT host:port`. What is not in its book has not left the machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Time for a request that was begun.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its address and its book.
pub(crate) struct Outside {
    /// Where it listens, `http://…`.
    pub(crate) url: String,
    book: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Outside {
    /// Begins to listen; every request is answered with this status and text.
    pub(crate) fn answering(status: u16, text: &str) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
        let book: Arc<Mutex<Vec<String>>> = Arc::default();
        let answer = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{text}",
            text.len()
        );
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (pages, whole) = (Arc::clone(&book), Arc::clone(&heads));
        // The thread ends with the test process: there is no way to wake a listener that is worth its lines.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, whole, answer) = (Arc::clone(&pages), Arc::clone(&whole), answer.clone());
                thread::spawn(move || converse(&stream, &pages, &whole, &answer));
            }
        });
        Self { url, book, heads }
    }

    /// A mirror that has no module at all.
    pub(crate) fn without_modules() -> Self {
        Self::answering(404, "not found: this mirror is empty\n")
    }

    /// The requests so far, `GET /path` or `CONNECT host:port`, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.book.lock().expect("no writer panics").clone()
    }

    /// The heads of the requests so far, in small letters.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no writer panics").clone()
    }
}

/// Writes the request down before it is answered, so that a client that has its answer is in the book.
fn converse(stream: &TcpStream, book: &Mutex<Vec<String>>, heads: &Mutex<Vec<String>>, answer: &str) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut head = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let request = head.next().unwrap_or_default();
    let rest: Vec<_> = head.map(|line| line.to_lowercase()).collect();
    let words: Vec<_> = request.split(' ').take(2).collect();
    heads.lock().expect("no reader panics").push(rest.join("\n"));
    book.lock().expect("no reader panics").push(words.join(" "));
    let _ = (&mut &*stream).write_all(answer.as_bytes());
}
