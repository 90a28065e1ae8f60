//! A rolling restart behind a balancer that asks `/readyz`: no request fails, and nothing acknowledged is lost.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::pair::{FORM, Pair, module, try_get};
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::is_long;
use crate::harness::scripted::Scripted;
use crate::harness::wait;

/// Between two questions to each server.
const HEALTH: Duration = Duration::from_millis(50);

/// A balancer of connections; it ends with the test process.
struct Balancer {
    url: String,
    backends: Arc<Mutex<Vec<Backend>>>,
    ended: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Backend {
    url: String,
    is_ready: bool,
}

impl Balancer {
    fn before(urls: Vec<String>) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let backends: Vec<_> = urls.into_iter().map(|url| Backend { url, is_ready: true }).collect();
        let (backends, ended) = (Arc::new(Mutex::new(backends)), Arc::new(AtomicBool::new(false)));
        let shared = Arc::clone(&backends);
        thread::spawn(move || {
            let turn = AtomicUsize::new(0);
            for client in listener.incoming().flatten() {
                let backends = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || pass(&client, &backends, turn));
            }
        });
        let (shared, stop) = (Arc::clone(&backends), Arc::clone(&ended));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let known = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for (at, backend) in known.iter().enumerate() {
                    let is_ready = try_get(&format!("{}/readyz", backend.url)).is_some_and(|told| told.status == 200);
                    let mut backends = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    if backends[at].url == backend.url {
                        backends[at].is_ready = is_ready;
                    }
                }
                thread::sleep(HEALTH);
            }
        });
        Self { url, backends, ended }
    }

    /// A server has another address now.
    fn moved(&self, at: usize, url: &str) {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        backends[at] = Backend { url: url.to_owned(), is_ready: false };
    }

    fn is_ready(&self, at: usize) -> bool {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)[at].is_ready
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// One connection, to one that is ready and takes it.
fn pass(client: &TcpStream, backends: &[Backend], turn: usize) {
    let ready = backends.iter().cycle().skip(turn % backends.len()).take(backends.len());
    let taken = ready.filter(|one| one.is_ready).find_map(|one| TcpStream::connect(&one.url["http://".len()..]).ok());
    let Some(server) = taken else { return };
    let back = {
        let (server, client) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        thread::spawn(move || copy(&server, &client))
    };
    copy(client, &server);
    let _ended = back.join();
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut chunk = [0; 64 * 1024];
    let mut each = || -> io::Result<bool> {
        let length = from.read(&mut chunk)?;
        to.write_all(&chunk[..length])?;
        Ok(length > 0)
    };
    while each().unwrap_or(false) {}
    let _closed_already = to.shutdown(Shutdown::Write);
}

#[test]
fn behind_a_balancer_no_request_fails_while_one_server_after_the_other_is_restarted() {
    let restarts = if is_long() { 50 } else { 8 };
    let mut pair = Pair::start(&[("KEEPER_SHUTDOWN_DELAY", "1500ms"), ("KEEPER_NETWORK_ALLOW", "127.0.0.1")]);
    let upstream = Scripted::start();
    pair.servers()[0].create_repository(&json!({
        "format": "go", "name": "mirror", "kind": "remote", "anonymous_read": true,
        "upstream": { "url": upstream.url, "allow_http": true },
        "settings": { "checksum_database": "off", "verify": "off" },
    }));
    let known = format!("{}/go/mirror/", pair.servers()[1].url);
    wait::until("the other knows it, too", || http::get(&known).status == 200);
    let balancer = Balancer::before(pair.servers().iter().map(|server| server.url.clone()).collect());
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let acknowledged: Mutex<Vec<u64>> = Mutex::default();
    thread::scope(|scope| {
        let stopping = wait::RaiseAtEnd(&stop);
        let clients = [(); 3].map(|()| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let name = format!("example.com/m{number}");
                    FORM.of(&name, "v1.0.0", module(number)).send_to(&balancer.url).expect(201);
                    acknowledged.lock().expect("no panic").push(number);
                    let zip = format!("{}/go/local/{name}/@v/v1.0.0.zip", balancer.url);
                    assert!(!http::get(&zip).expect(200).body.is_empty());
                    // And what neither has yet.
                    let fetched = Module::new(&format!("example.com/fetched{number}"), "v1.0.0");
                    upstream.offer(&[&fetched]);
                    let zip = format!("{}/go/mirror{}", balancer.url, fetched.at("zip"));
                    assert!(http::get(&zip).expect(200).body == fetched.zip(), "{number}");
                }
            })
        });
        for at in (0..2).cycle().take(restarts) {
            let done = acknowledged.lock().expect("no panic").len();
            let server = pair.server(at);
            assert_eq!(server.stop().code(), Some(0));
            server.start_again();
            balancer.moved(at, &server.url);
            wait::until("the balancer uses it again", || balancer.is_ready(at));
            wait::until("clients went on", || acknowledged.lock().expect("no panic").len() > done + 3);
        }
        drop(stopping);
        for client in clients {
            client.join().expect("no request failed");
        }
    });
    for number in acknowledged.into_inner().expect("no panic") {
        let zip = format!("/go/local/example.com/m{number}/@v/v1.0.0.zip");
        assert_eq!(http::get(&format!("{}{zip}", pair.servers()[0].url)).status, 200, "{zip}");
    }
    pair.assert_sound();
}
