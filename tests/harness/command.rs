//! Runs a program to its end and keeps what it printed.
//!
//! Bounds: a program has [`LIMIT`], or [`LONG_LIMIT`] where budgets are long; then it and its children are killed, so
//! that a hanging one is a failure with a text and not a test run without end.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::{is_long, watchdog};

/// Time that one program may take; the slowest one compiles Go's standard library on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// The same with a long budget: the fuzzer sends some hundred thousand requests.
const LONG_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// A program that has ended.
pub(crate) struct Finished {
    what: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a program with nothing on its standard input.
pub(crate) fn run(command: &mut Command) -> Finished {
    watchdog::watch();
    let (what, limit) = (format!("{command:?}"), if is_long() { LONG_LIMIT } else { LIMIT });
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
    let group = Pid::from_child(&child);
    let (ended, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
        late && kill_process_group(group, Signal::KILL).is_ok()
    });
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{what}: {error}"));
    drop(ended);
    let killed = watchdog.join().expect("the watchdog does not panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let finished = Finished { what, status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!killed, "killed after {limit:?}: {finished}");
    finished
}

impl Finished {
    /// The program must have succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.status.success(), "this should have succeeded: {self}");
        self
    }

    /// The program must have failed.
    pub(crate) fn failed(self) -> Self {
        assert!(!self.status.success(), "this should have failed: {self}");
        self
    }

    /// Whether it has succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Whatever it printed must hold each of these texts.
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} is missing in: {self}");
        }
        self
    }

    /// Nothing it printed may hold any of these texts.
    pub(crate) fn never_says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "{text:?} is in: {self}");
        }
        self
    }

    /// Its exit code; none when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Its standard output without the last line end.
    pub(crate) fn stdout(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }

    /// Its standard error.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, status, stdout, stderr } = self;
        write!(f, "{what}\n{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}
