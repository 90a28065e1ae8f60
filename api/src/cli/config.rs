//! `config` and `config --check`.

use super::{Exit, output};
use crate::config::{Fault, Loaded, report};

/// Prints the configuration in effect, or only its mistakes.
#[must_use]
pub fn run(loaded: &Result<Loaded, Vec<Fault>>, check: bool) -> Exit {
    match loaded {
        Err(faults) => refuse(faults),
        Ok(loaded) => {
            warn(loaded);
            let text = if check { String::new() } else { report::effective(loaded) };
            output::stdout(&text).map_or(Exit::Failed, |()| Exit::Fine)
        }
    }
}

/// Prints all faults to stderr.
#[must_use]
pub fn refuse(faults: &[Fault]) -> Exit {
    for fault in faults {
        output::stderr(&fault.to_string());
    }
    Exit::Usage
}

/// Prints the warnings to stderr, for verbs that do not log.
pub fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        output::stderr(&format!("warning: {warning}"));
    }
}
