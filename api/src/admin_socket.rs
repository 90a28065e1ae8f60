//! The door for whoever owns the data folder: a Unix socket on which the running server takes requests of the
//! command line, for it holds the folder's lock.
//!
//! Shape: one line of JSON in, one out, then closed; what takes long sends lines on its way:
//! ```text
//! {"verb":"token_create","name":"ci","actions":["read"],"repositories":["go/*"],"expires":"90d","user":"admin"}
//! {"result":"token_created","token":"akp_…", …}       or      {"result":"refused","reason":"…"}
//!
//! {"verb":"verify","quick":false,"repair_orphans":false,"rate":8388608}
//! {"result":"finding","code":"blob_missing", …}       any number of these, and of {"result":"verifying", …}
//! {"result":"verified","blobs":41, …}
//! ```
//! Who may: the file is 0600 in a folder of 0700, and the peer's user id is that of the server, or root.
//!
//! Units and bounds: a line has at most [`LINE_BYTES`]; [`CONNECTIONS`] at once; [`LINE_TIME`] for the question,
//! [`ANSWER_TIME`] for the answer, or for the next line of it. Who asked and went away ends what he asked for.
//!
//! A path of a socket has at most 107 bytes; a longer one is reached through `/proc/self/fd`, by the open
//! folder (source: `unix(7)`, "Pathname sockets").

use std::fmt;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

pub mod administration;
pub mod operator;
pub mod token_create;

use crate::backup::Manifest;
use crate::backup::journal::Journaled;
use crate::import::{Imported, Order, Told};
use administration::TokenLine;
use keeper_core::collector::Collected;
use keeper_core::verifier::{Finding, Progress, Scope, Verified};
use token_create::{NewTokenRequest, TokenCreated};

/// Bytes of a line.
pub const LINE_BYTES: u64 = 64 * 1024;

/// Connections at once.
pub const CONNECTIONS: usize = 8;

/// How long a line may take.
pub const LINE_TIME: Duration = Duration::from_secs(5);

/// How long an answer may take, or the next line of one.
pub const ANSWER_TIME: Duration = Duration::from_secs(30);

/// What takes long shows so often that it goes on.
const BEAT: Duration = Duration::from_secs(5);

/// Lines that wait for who reads them.
const LINES_WAITING: usize = 16;

/// Bytes of a path that fits into a socket's address, without the zero at its end.
const PATH_BYTES: usize = 107;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Request {
    /// A new token.
    TokenCreate(NewTokenRequest),
    /// A run of the collector.
    Gc {
        /// Remove, even if that is suspiciously much; else only tell.
        confirm: bool,
    },
    /// A verification.
    Verify(Scope),
    /// A copy of everything.
    Backup {
        /// The folder of the copy, absolute.
        to: PathBuf,
        /// An earlier copy, absolute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<PathBuf>,
    },
    /// What was published since the last time, added to a journal.
    Journal {
        /// Its file, absolute.
        file: PathBuf,
    },
    /// Versions from elsewhere.
    Import(Box<Order>),
    /// The tokens of a user, or all.
    TokenList {
        /// The login of their owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// An end to a token.
    TokenRevoke {
        /// Its id.
        id: String,
    },
    /// A new password for a person.
    UserSetPassword {
        /// The login.
        user: String,
    },
}

/// What is answered.
#[derive(Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reply {
    /// The new token.
    TokenCreated(TokenCreated),
    /// What the run of the collector did.
    Collected(Collected),
    /// Something that the verification found; more lines follow.
    Finding(Finding),
    /// How far the verification is; more lines follow.
    Verifying(Progress),
    /// How the verification ended.
    Verified(Verified),
    /// What the copy is.
    BackedUp(Manifest),
    /// What the journal got.
    Journaled(Journaled),
    /// What an import tells on its way; more lines follow.
    Import(Told),
    /// What the import came to.
    Imported(Imported),
    /// It goes on; more lines follow.
    Working,
    /// The tokens, in order of their creation.
    Tokens {
        /// Each.
        tokens: Vec<TokenLine>,
    },
    /// The token counts no more.
    TokenRevoked,
    /// The new password.
    PasswordSet {
        /// Its text, shown this once.
        password: String,
    },
    /// Not done.
    Refused {
        /// Why.
        reason: String,
    },
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenCreated(created) => created.fmt(f),
            Self::Collected(collected) => collected.fmt(f),
            Self::Finding(finding) => finding.fmt(f),
            Self::Verifying(progress) => progress.fmt(f),
            Self::Verified(verified) => verified.fmt(f),
            Self::BackedUp(manifest) => manifest.fmt(f),
            Self::Journaled(journaled) => journaled.fmt(f),
            Self::Import(told) => told.fmt(f),
            Self::Imported(imported) => imported.fmt(f),
            Self::Working => f.write_str("Working"),
            Self::Tokens { tokens } => tokens.fmt(f),
            Self::TokenRevoked => f.write_str("TokenRevoked"),
            Self::PasswordSet { .. } => f.write_str("PasswordSet(…)"),
            Self::Refused { reason } => write!(f, "Refused({reason:?})"),
        }
    }
}

impl Reply {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// Whether more lines follow.
    fn is_on_the_way(&self) -> bool {
        matches!(self, Self::Finding(_) | Self::Verifying(_) | Self::Import(_) | Self::Working)
    }
}

/// Takes the lines that an answer sends on its way.
#[derive(Debug, Clone)]
pub struct Lines(mpsc::Sender<Reply>);

impl Lines {
    /// Sends a line; `false` when nobody reads any more.
    pub async fn send(&self, line: Reply) -> bool {
        self.0.send(line).await.is_ok()
    }

    /// Whether somebody still reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        !self.0.is_closed()
    }

    /// Sends a line that may be left out, if there is room; `false` when nobody reads.
    pub fn offer(&self, line: Reply) -> bool {
        !matches!(self.0.try_send(line), Err(mpsc::error::TrySendError::Closed(_)))
    }

    /// Shows it while something is being done.
    pub async fn while_working<T>(&self, work: impl Future<Output = T>) -> T {
        let (mut work, mut beat) = (std::pin::pin!(work), tokio::time::interval(BEAT));
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => drop(self.offer(Reply::Working)),
            }
        }
    }
}

/// Answers requests.
#[async_trait]
pub trait AdminHandler: Send + Sync {
    /// Does what is asked, or refuses. What takes long sends a line now and then.
    async fn answer(&self, request: Request, lines: Lines) -> Reply;
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error("the server does not answer at {}: {source}; is it still starting?", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the server broke off: {0}")]
    Broken(#[from] io::Error),
    /// What came back is no answer of this version.
    #[error("the server's answer is not understood: {0}; are both programs of one version?")]
    Answer(#[from] serde_json::Error),
}

/// The open socket; dropping it closes and removes it.
#[derive(Debug)]
pub struct AdminSocket {
    path: PathBuf,
    task: AbortHandle,
}

impl AdminSocket {
    /// Opens the socket and answers on it until the result is dropped. A socket that is there belongs to a
    /// process that was killed: the caller holds the folder's lock.
    ///
    /// # Errors
    /// Those of the folder, and a file in its place that is no socket.
    pub fn serve(path: &Path, handler: Arc<dyn AdminHandler>) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file is in the socket's place")),
            Err(_) => {}
        }
        let listener = within_limit(path, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let task = tokio::spawn(accept(listener, handler)).abort_handle();
        Ok(Self { path: path.to_owned(), task })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

/// Asks the server behind a socket.
///
/// # Errors
/// [`CallError`].
pub async fn call(path: &Path, request: &Request) -> Result<Reply, CallError> {
    converse_with(path, request, |_| ()).await
}

/// Asks the server behind a socket for something that takes long; `on_the_way` is given each line but the last.
///
/// # Errors
/// [`CallError`].
pub async fn converse_with(
    path: &Path,
    request: &Request,
    mut on_the_way: impl FnMut(Reply),
) -> Result<Reply, CallError> {
    let connected = within_limit(path, |path| std::os::unix::net::UnixStream::connect(path));
    let stream = connected.and_then(|stream| {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    });
    let mut stream = stream.map_err(|source| CallError::Connect { path: path.to_owned(), source })?;
    send(&mut stream, request).await?;
    let mut stream = BufReader::new(stream);
    loop {
        let line = timeout(ANSWER_TIME + LINE_TIME, line(&mut stream)).await.map_err(io::Error::from)??;
        let reply: Reply = serde_json::from_str(&line)?;
        if !reply.is_on_the_way() {
            return Ok(reply);
        }
        on_the_way(reply);
    }
}

/// Calls with the path, or with one that means the same and is short enough.
fn within_limit<T>(path: &Path, act: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= PATH_BYTES {
        return act(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(folder)?;
    act(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

async fn accept(listener: UnixListener, handler: Arc<dyn AdminHandler>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Conversations end with this task: it is aborted when the server stops.
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let handler = handler.clone();
                conversations.spawn(async move {
                    let _slot = slot;
                    converse(stream, handler.as_ref()).await;
                });
            }
            // Out of files, most likely: the next attempt would fail at once.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn converse(mut stream: UnixStream, handler: &dyn AdminHandler) {
    if !is_owner(&stream) {
        return;
    }
    let reply = match timeout(LINE_TIME, line(&mut BufReader::new(&mut stream))).await {
        Err(_) => Reply::refused("the question took too long"),
        Ok(Err(error)) => Reply::refused(error.to_string()),
        Ok(Ok(line)) => match serde_json::from_str(&line) {
            Err(error) => Reply::refused(format!("the question is not understood: {error}")),
            Ok(request) => match answer(&mut stream, handler, request).await {
                Ok(reply) => reply,
                Err(_peer_has_gone) => return,
            },
        },
    };
    let _peer_has_gone = send(&mut stream, &reply).await;
}

/// Passes on the lines on the way; gives the last one.
async fn answer(stream: &mut UnixStream, handler: &dyn AdminHandler, request: Request) -> io::Result<Reply> {
    let (sender, mut lines) = mpsc::channel(LINES_WAITING);
    let mut answer = handler.answer(request, Lines(sender));
    loop {
        let next = async {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => Err(line),
                reply = &mut answer => Ok(reply),
            }
        };
        match timeout(ANSWER_TIME, next).await {
            Err(_) => return Ok(Reply::refused("the server is too busy")),
            Ok(Err(line)) => send(stream, &line).await?,
            Ok(Ok(reply)) => {
                while let Ok(line) = lines.try_recv() {
                    send(stream, &line).await?;
                }
                return Ok(reply);
            }
        }
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn send(stream: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    timeout(LINE_TIME, stream.write_all(&line)).await?
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.take(LINE_BYTES).read_line(&mut line).await?;
    if line.ends_with('\n') {
        return Ok(line);
    }
    let reason = if line.len() as u64 == LINE_BYTES { "the line is too long" } else { "the line breaks off" };
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}

#[cfg(test)]
mod tests;
