//! Repositories: named places of one format, and the port that keeps them.
//!
//! Shape: `go/local` is the address of the repository `local` of the format `go`. The pair is unique;
//! another format may use the same name.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::artifact::StoreError;
use crate::limits::REPOSITORY_NAME_BYTES;
use crate::source::Source;

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{given:?} is not a valid {kind}: {rule}")]
pub struct InvalidName {
    /// The text.
    pub given: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(given: &str, kind: &'static str, rule: &'static str) -> Self {
        Self { given: given.to_owned(), kind, rule }
    }
}

/// The key of a format, which is also the first segment of its addresses: `[a-z][a-z0-9-]{0,31}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FormatKey(Arc<str>);

/// The name of a repository within its format: `[a-z0-9][a-z0-9._-]{0,99}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Arc<str>);

/// Keys are looked up by their text, which every request does.
impl Borrow<str> for FormatKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for FormatKey {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if first && rest && text.len() <= 32 {
            return Ok(Self(text.into()));
        }
        Err(InvalidName::new(text, "format", "a format is [a-z][a-z0-9-]{0,31}"))
    }
}

impl TryFrom<&str> for RepositoryName {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(plain);
        let rest = text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if first && rest && text.len() <= REPOSITORY_NAME_BYTES {
            return Ok(Self(text.into()));
        }
        Err(InvalidName::new(text, "repository name", "a name is [a-z0-9][a-z0-9._-]{0,99}"))
    }
}

macro_rules! text_newtype {
    ($type:ty) => {
        impl $type {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_newtype;
text_newtype!(FormatKey);
text_newtype!(RepositoryName);

impl TryFrom<String> for RepositoryName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::try_from(text.as_str())
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// `format/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryAddress {
    /// The format.
    pub format: FormatKey,
    /// The name within it.
    pub name: RepositoryName,
}

impl fmt::Display for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.format, self.name)
    }
}

/// The store's own key of a repository. Never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId(pub i64);

/// Where the content of a repository comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryKind {
    /// From uploads.
    Hosted,
    /// From an upstream.
    Remote,
    /// From other repositories.
    Virtual,
}

impl RepositoryKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Hosted, Self::Remote, Self::Virtual];

    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Remote => "remote",
            Self::Virtual => "virtual",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What deleting a version means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The files go, the number stays taken for ever.
    Tombstone,
    /// Nothing is ever deleted.
    Never,
}

impl Deletion {
    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Never => "never",
        }
    }

    /// The setting of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Tombstone, Self::Never].into_iter().find(|deletion| deletion.as_str() == word)
    }
}

/// The part of a repository's settings that belongs to its format; checked by the format before it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub Map<String, Value>);

impl Settings {
    /// A text setting.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// A switch; absent is off.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of texts; absent is empty.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// A repository as it is kept.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The store's key.
    pub id: RepositoryId,
    /// Its unique address.
    pub address: RepositoryAddress,
    /// Where its content comes from.
    pub source: Source,
    /// For people.
    pub description: String,
    /// Whether strangers may read.
    pub anonymous_read: bool,
    /// Whether uploads of its format that name no repository come here.
    pub default_upload: bool,
    /// What deleting means.
    pub deletion: Deletion,
    /// The format's own part.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Changes with every change of this record; a conditional update names the one it read.
    pub revision: i64,
}

impl Repository {
    /// What kind of repository it is.
    #[must_use]
    pub fn kind(&self) -> RepositoryKind {
        self.source.kind()
    }
}

/// The part of a repository that may change after its creation; its kind may not.
#[derive(Debug, Clone)]
pub struct RepositoryDetails {
    /// Where the content comes from.
    pub source: Source,
    /// For people.
    pub description: String,
    /// Whether strangers may read.
    pub anonymous_read: bool,
    /// Whether uploads of its format that name no repository come here; at most one of a format.
    pub default_upload: bool,
    /// What deleting means.
    pub deletion: Deletion,
    /// The format's own part.
    pub settings: Settings,
}

impl From<&Repository> for RepositoryDetails {
    /// What a repository is like now, for a change of a part of it.
    fn from(repository: &Repository) -> Self {
        Self {
            source: repository.source.clone(),
            description: repository.description.clone(),
            anonymous_read: repository.anonymous_read,
            default_upload: repository.default_upload,
            deletion: repository.deletion,
            settings: repository.settings.clone(),
        }
    }
}

/// Totals of a repository's content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packages with at least one version that is not deleted.
    pub packages: u64,
    /// Versions that are not deleted.
    pub artifacts: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// Who does something, for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    /// The user's login; `system` for the program itself.
    pub login: String,
    /// The display part of the token used.
    pub credential: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
    /// The request that asked.
    pub request: Option<String>,
}

impl Actor {
    /// The program itself, at first start or from its command line.
    #[must_use]
    pub fn system() -> Self {
        Self { login: "system".to_owned(), ..Self::default() }
    }
}

/// Keeps repositories. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait RepositoryStore: Send + Sync {
    /// The repository at an address. Answered from memory: every request asks.
    async fn find(&self, at: &RepositoryAddress) -> Result<Option<Arc<Repository>>, StoreError>;

    /// All repositories in order of address. Their number is small (hundreds), and rights are decided on
    /// each, so there are no pages here.
    async fn list(&self) -> Result<Vec<Arc<Repository>>, StoreError>;

    /// A new repository; [`StoreError::AlreadyExists`] when the address is taken. Making one the default of
    /// its format takes that from the one that had it.
    async fn create(
        &self,
        at: &RepositoryAddress,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Arc<Repository>, StoreError>;

    /// Replaces the details if the record still has `revision`; `None` when it has changed or is gone.
    async fn update(
        &self,
        of: RepositoryId,
        revision: i64,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Option<Arc<Repository>>, StoreError>;

    /// Totals of its content.
    async fn counts(&self, of: RepositoryId) -> Result<Counts, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_patterns() {
        let long = "a".repeat(101);
        for bad in ["", "A", "a b", "a/b", "..", ".hidden", "-x", "CON", "priv%61te", "é", &long] {
            assert!(RepositoryName::try_from(bad).is_err(), "{bad}");
        }
        for good in ["a", "local", "team-1.x_y", "0"] {
            assert!(RepositoryName::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "GO", "1go", "go/x", "go_x"] {
            assert!(FormatKey::try_from(bad).is_err(), "{bad}");
        }
    }
}
