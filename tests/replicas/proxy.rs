//! Stands between servers and PostgreSQL, and takes connections away at the worst moment: after the COMMIT was passed
//! on and carried out, before its answer is, or before it was passed on; takes no connection any more after that; or
//! keeps all and lets nothing pass, for a while or for good.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// How the protocol says COMMIT: a simple query of 11 bytes (PostgreSQL, "Message Formats": Query).
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";

/// Between two looks whether anything passes again.
const PAUSE: Duration = Duration::from_millis(5);

/// The proxy; it ends with the test process.
pub(super) struct Proxy {
    folder: TempDir,
    faults: Arc<Faults>,
}

/// What becomes of a COMMIT after which nobody can ask any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    CarriedOut,
    Lost,
}

/// What it does to those who talk through it.
#[derive(Default)]
struct Faults {
    /// COMMITs whose answers are still to be taken away.
    commits: AtomicUsize,
    /// The COMMIT of what names this is the end: whether it is passed on, and no connection is taken after it.
    last: Mutex<Option<(Last, String)>>,
    /// No connection is taken any more.
    closed: AtomicBool,
    /// Nothing passes any more; connections stay open.
    swallows: AtomicBool,
    /// Connections that were taken, and how many of them are silent for good.
    taken: AtomicUsize,
    silent: AtomicUsize,
}

impl Proxy {
    /// Before the server whose socket is in this folder.
    pub(super) fn before(server: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let faults: Arc<Faults> = Arc::default();
        let (target, shared) = (server.join(".s.PGSQL.5432"), Arc::clone(&faults));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, faults) = (target.clone(), Arc::clone(&shared));
                let number = faults.taken.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || join(&client, &target, &faults, number));
            }
        });
        Self { folder, faults }
    }

    /// The address of the same database through the proxy.
    pub(super) fn address(&self, direct: &str, server: &Path) -> String {
        direct.replace(&server.display().to_string(), &self.folder.path().display().to_string())
    }

    /// Takes the answers of so many further COMMITs away.
    pub(super) fn arm(&self, commits: usize) {
        self.faults.commits.store(commits, Ordering::SeqCst);
    }

    /// Takes the answer of the next COMMIT of a transaction that names this away, and after it no connection until
    /// [`open`](Self::open). (Servers commit for themselves, too: leases and the like.)
    pub(super) fn close_at_commit_of(&self, name: &str, last: Last) {
        *self.faults.last.lock().expect("no panic inside") = Some((last, name.to_owned()));
    }

    /// Connections are taken again.
    pub(super) fn open(&self) {
        self.faults.closed.store(false, Ordering::SeqCst);
    }

    /// From now on nothing passes, or everything does again.
    pub(super) fn swallow(&self, swallows: bool) {
        self.faults.swallows.store(swallows, Ordering::SeqCst);
    }

    /// On the connections that are there nothing passes any more, for good; new ones are as they were.
    pub(super) fn silence_these(&self) {
        self.faults.silent.store(self.faults.taken.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Answers that are still to be taken away.
    pub(super) fn left(&self) -> usize {
        self.faults.commits.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.path().join(".s.PGSQL.5432"));
    }
}

impl Faults {
    fn takes_this_commit(&self) -> bool {
        self.commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    /// Whether these bytes name what the last transaction is about.
    fn is_named_in(&self, part: &[u8]) -> bool {
        let last = self.last.lock().expect("no panic inside");
        last.as_ref().is_some_and(|(_, name)| part.windows(name.len()).any(|window| window == name.as_bytes()))
    }

    /// Waits while nothing passes.
    fn pass(&self, number: usize) {
        while self.swallows.load(Ordering::SeqCst) || number < self.silent.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
        }
    }
}

fn join(client: &UnixStream, target: &PathBuf, faults: &Arc<Faults>, number: usize) {
    let Ok(server) = UnixStream::connect(target) else { return };
    let answers = {
        let (server, client) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        let faults = Arc::clone(faults);
        thread::spawn(move || copy(&server, &client, &faults, number))
    };
    let (mut bytes, mut named) = (vec![0; 64 * 1024], false);
    while let Ok(length @ 1..) = (&mut &*client).read(&mut bytes) {
        let part = &bytes[..length];
        let is_commit = part.windows(COMMIT.len()).any(|window| window == COMMIT);
        named |= faults.is_named_in(part);
        let last = if is_commit && named { faults.last.lock().expect("no panic inside").take() } else { None };
        let last = last.map(|(last, _)| last);
        named &= !is_commit;
        let cut = last.is_some() || (is_commit && faults.takes_this_commit());
        if cut {
            faults.closed.store(last.is_some(), Ordering::SeqCst);
            // The client hears nothing any more; the server carries it out and only then notices.
            client.shutdown(std::net::Shutdown::Both).expect("it was open");
        }
        faults.pass(number);
        let lost = last == Some(Last::Lost);
        if lost || (&mut &server).write_all(part).is_err() || cut {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
    let _ = answers.join();
}

fn copy(from: &UnixStream, to: &UnixStream, faults: &Faults, number: usize) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = (&mut &*from).read(&mut bytes) {
        faults.pass(number);
        if (&mut &*to).write_all(&bytes[..length]).is_err() {
            // What the server still says is for nobody, but it has to be able to say it.
            continue;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
