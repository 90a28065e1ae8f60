//! The registry of formats in this build.
//!
//! A format's crate registers itself with `inventory::submit!`; the binary collects what was linked.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Failure, codes};
use crate::format::FormatHandler;
use crate::repository::{FormatKey, InvalidName};

/// A format to register.
#[derive(Debug)]
pub struct FormatPlugin {
    make: fn() -> Arc<dyn FormatHandler>,
}

impl FormatPlugin {
    /// A format made by this function.
    #[must_use]
    pub const fn new(make: fn() -> Arc<dyn FormatHandler>) -> Self {
        Self { make }
    }
}

inventory::collect!(FormatPlugin);

/// Why the registry cannot be built: a fault of the build, found at start.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two plugins claim one key.
    #[error("two formats are registered under the key {0:?}")]
    Duplicate(String),
    /// A key that cannot be an address.
    #[error(transparent)]
    Key(#[from] InvalidName),
}

/// The formats of this build by key.
#[derive(Debug, Clone)]
pub struct Registry {
    formats: BTreeMap<FormatKey, Arc<dyn FormatHandler>>,
}

impl Registry {
    /// All formats that were linked.
    ///
    /// # Errors
    /// When two share a key, or a key cannot be an address.
    pub fn collect() -> Result<Self, RegistryError> {
        Self::of(inventory::iter::<FormatPlugin>().map(|plugin| (plugin.make)()))
    }

    /// Exactly these formats.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn of(handlers: impl IntoIterator<Item = Arc<dyn FormatHandler>>) -> Result<Self, RegistryError> {
        let mut formats = BTreeMap::new();
        for handler in handlers {
            let key = FormatKey::try_from(handler.info().key)?;
            if formats.insert(key, handler.clone()).is_some() {
                return Err(RegistryError::Duplicate(handler.info().key.to_owned()));
            }
        }
        Ok(Self { formats })
    }

    /// The format of a key.
    #[must_use]
    pub fn get(&self, key: &FormatKey) -> Option<&Arc<dyn FormatHandler>> {
        self.formats.get(key)
    }

    /// The format whose key is this text, with the key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<(&FormatKey, &Arc<dyn FormatHandler>)> {
        self.formats.get_key_value(key)
    }

    /// The format that a caller names.
    ///
    /// # Errors
    /// `unknown_format`, naming the installed ones.
    pub fn named(&self, key: &str) -> Result<(FormatKey, &Arc<dyn FormatHandler>), Failure> {
        let found = self.find(key).map(|(key, handler)| (key.clone(), handler));
        found.ok_or_else(|| {
            let installed: Vec<_> = self.formats.keys().map(FormatKey::as_str).collect();
            Failure::new(&codes::UNKNOWN_FORMAT, format!("format {key:?} is not installed"))
                .hint(format!("Installed: {}.", installed.join(", ")))
                .field("format")
        })
    }

    /// All formats in order of key.
    pub fn iter(&self) -> impl Iterator<Item = (&FormatKey, &Arc<dyn FormatHandler>)> {
        self.formats.iter()
    }
}
