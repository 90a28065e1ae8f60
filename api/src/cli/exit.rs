//! How the program ends.

use std::process::ExitCode;

use crate::datadir::DataDirError;

/// The exit codes; part of the interface, never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Failed while running.
    Failed = 1,
    /// Bad usage or configuration; nothing was started.
    Usage = 2,
    /// Another process holds the data folder.
    InUse = 3,
    /// The database was written by a newer program.
    NewerDatabase = 4,
    /// A verification or a backup found faults, or an import what it could not take.
    Faults = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&DataDirError> for Exit {
    fn from(error: &DataDirError) -> Self {
        if error.is_in_use() { Self::InUse } else { Self::Usage }
    }
}
