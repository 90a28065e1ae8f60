//! The signals that ask the server to stop, from its first moment to its last.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::output;

/// The signals; registered before anything is open.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the first signal; a second one ends the process at once.
    pub(super) async fn first(mut self) {
        self.any().await;
        tokio::spawn(async move {
            self.any().await;
            output::stderr("stopped at once by a second signal");
            std::process::exit(1);
        });
    }

    /// Waits for a signal.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
