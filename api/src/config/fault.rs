//! One mistake in the configuration, as a line to read.
//!
//! Shape: `artifact-keeper.toml:12: listen = "127.0.0.1:80800": the port must be 0–65535; for example
//! listen = "0.0.0.0:8080" (or KEEPER_LISTEN)`; `KEEPER_LISTEN=x: …; for example KEEPER_LISTEN=0.0.0.0:8080`;
//! `--listen x: …; for example --listen 0.0.0.0:8080`. Secrets are `***`.

use std::fmt;

/// One mistake, with place, value, rule and example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
