//! Two servers on one database of PostgreSQL and one bucket, and what they are asked to do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::harness::archives;
use crate::harness::exchange;
use crate::harness::http::Response;
use crate::harness::postgres;
use crate::harness::random::Random;
use crate::harness::s3::S3;
use crate::harness::server::Server;
use crate::harness::upload::{Answer, Form};
use crate::harness::wait;

/// The servers and their bucket.
pub(super) struct Pair {
    servers: [Server; 2],
    s3: S3,
    /// What is left behind goes last.
    _database: Option<postgres::Database>,
}

impl Pair {
    /// Starts both at the same moment on an empty database of the run's PostgreSQL.
    pub(super) fn start(settings: &[(&str, &str)]) -> Self {
        let database = postgres::Database::new();
        let pair = Self::on(database.address(), settings);
        Self { _database: Some(database), ..pair }
    }

    /// The same on this database.
    pub(super) fn on(database: &str, settings: &[(&str, &str)]) -> Self {
        let s3 = S3::start();
        let mut all = s3.settings("files");
        all.push(("KEEPER_DATABASE_URL".to_owned(), database.to_owned()));
        let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let all = [&all, settings].concat();
        let servers = thread::scope(|scope| {
            let starts = [(); 2].map(|()| scope.spawn(|| Server::with(&all)));
            starts.map(|start| start.join().expect("it starts"))
        });
        Self { servers, s3, _database: None }
    }

    pub(super) fn servers(&self) -> &[Server; 2] {
        &self.servers
    }

    /// Takes one away while it publishes something, and starts it again.
    pub(super) fn kill_while_publishing(&mut self, which: usize, number: u64, after: Duration) {
        let (url, server) = (self.servers[which].url.clone(), &mut self.servers[which]);
        let form = FORM.of(&format!("example.com/killed{number}"), "v1.0.0", module(number));
        thread::scope(|scope| {
            // Whether it is answered is as it may be.
            let client = scope.spawn(move || form.send_to(&url));
            // A moment that nobody can foresee is the point here.
            thread::sleep(after);
            server.kill();
            let _answered = client.join();
        });
        server.start_again();
    }

    /// Takes one away when the first part of a long archive has come, and starts it again.
    pub(super) fn kill_while_sending(&mut self, which: usize, archive: Vec<u8>) {
        let (url, server, s3) = (self.servers[which].url.clone(), &mut self.servers[which], &self.s3);
        let form = FORM.of("example.com/killed", "v1.0.0", archive);
        s3.hold_after_parts(1);
        thread::scope(|scope| {
            let client = scope.spawn(move || form.send_to(&url));
            wait::until("one part is there", || s3.uploads() == 1 && s3.is_held());
            server.kill();
            s3.let_go();
            let _unanswered = client.join();
        });
        assert_eq!(s3.uploads(), 1, "nobody has ended it");
        server.start_again();
        assert_eq!(s3.uploads(), 0, "the start has");
    }

    /// One of them, to stop and start.
    pub(super) fn server(&mut self, at: usize) -> &mut Server {
        &mut self.servers[at]
    }

    pub(super) fn s3(&self) -> &S3 {
        &self.s3
    }

    /// A verification finds no fault; copies that no row names are no fault.
    #[track_caller]
    pub(super) fn assert_sound(&self) {
        self.servers[0].command("verify").succeeded();
    }

    /// Stops and starts one after the other, several times, while clients work. They can ask for the addresses.
    pub(super) fn restart_under_load(&mut self, work: impl Fn(&dyn Fn() -> Vec<String>) + Sync) {
        const ROUNDS: usize = 2;
        let urls = Mutex::new(self.servers.each_ref().map(|server| server.url.clone()).to_vec());
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let stopping = wait::RaiseAtEnd(&stop);
            let clients = [(); 3].map(|()| {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        work(&|| urls.lock().unwrap_or_else(PoisonError::into_inner).clone());
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            });
            for at in (0..2).cycle().take(2 * ROUNDS) {
                let before = done.load(Ordering::SeqCst);
                let status = self.servers[at].stop();
                assert!(status.success(), "{status}");
                self.servers[at].start_again();
                let mut known = urls.lock().unwrap_or_else(PoisonError::into_inner);
                known[at].clone_from(&self.servers[at].url);
                drop(known);
                wait::until("the clients went on", || done.load(Ordering::SeqCst) > before + 3);
            }
            drop(stopping);
            for client in clients {
                client.join().expect("no request failed");
            }
        });
    }
}

/// A request, if somebody takes the connection and answers.
pub(super) fn try_get(url: &str) -> Option<Response> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    exchange::ask(host, "GET", &format!("/{path}"), None)
}

/// Makes forms.
pub(super) struct Forms;

pub(super) const FORM: Forms = Forms;

impl Forms {
    pub(super) fn of(&self, name: &str, version: &str, archive: Vec<u8>) -> Form {
        Form::go(archive).with("name", name).with("version", version)
    }
}

/// An archive of incompressible bytes, different for each number, too large to live in its row.
pub(super) fn module(number: u64) -> Vec<u8> {
    archives::zip(&[("noise.bin", &Random::seeded(number).bytes(20_000))])
}

/// The same, so long that it goes to a bucket in parts.
pub(super) fn large(number: u64) -> Vec<u8> {
    archives::stored(&[("noise.bin", &Random::seeded(number).bytes(17 << 20))])
}

/// Publishes to `go/local`.
pub(super) fn publish(server: &Server, name: &str, version: &str, content: u64) -> Answer {
    FORM.of(name, version, module(content)).send(server)
}
