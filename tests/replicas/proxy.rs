//! Stands between servers and PostgreSQL, and takes connections away at the worst moment: after the COMMIT was passed
//! on and carried out, before its answer is.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

/// How the protocol says COMMIT: a simple query of 11 bytes (PostgreSQL, "Message Formats": Query).
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";

/// The proxy; it ends with the test process.
pub(super) struct Proxy {
    folder: TempDir,
    armed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Before the server whose socket is in this folder.
    pub(super) fn before(server: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let armed = Arc::new(AtomicUsize::new(0));
        let (target, shared) = (server.join(".s.PGSQL.5432"), Arc::clone(&armed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, armed) = (target.clone(), Arc::clone(&shared));
                thread::spawn(move || join(&client, &target, &armed));
            }
        });
        Self { folder, armed }
    }

    /// The address of the same database through the proxy.
    pub(super) fn address(&self, direct: &str, server: &Path) -> String {
        direct.replace(&server.display().to_string(), &self.folder.path().display().to_string())
    }

    /// Takes the answers of so many further COMMITs away.
    pub(super) fn arm(&self, commits: usize) {
        self.armed.store(commits, Ordering::SeqCst);
    }

    /// Answers that are still to be taken away.
    pub(super) fn left(&self) -> usize {
        self.armed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.path().join(".s.PGSQL.5432"));
    }
}

fn join(client: &UnixStream, target: &PathBuf, armed: &AtomicUsize) {
    let Ok(server) = UnixStream::connect(target) else { return };
    let answers = {
        let (server, client) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        thread::spawn(move || copy(&server, &client))
    };
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = (&mut &*client).read(&mut bytes) {
        let part = &bytes[..length];
        let is_commit = part.windows(COMMIT.len()).any(|window| window == COMMIT);
        let cut =
            is_commit && armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if cut {
            // The client hears nothing any more; the server carries it out and only then notices.
            client.shutdown(std::net::Shutdown::Both).expect("it was open");
        }
        if (&mut &server).write_all(part).is_err() || cut {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
    let _ = answers.join();
}

fn copy(from: &UnixStream, to: &UnixStream) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = (&mut &*from).read(&mut bytes) {
        if (&mut &*to).write_all(&bytes[..length]).is_err() {
            // What the server still says is for nobody, but it has to be able to say it.
            continue;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
