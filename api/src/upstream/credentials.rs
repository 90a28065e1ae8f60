//! What proves us to upstreams: kept sealed, opened when it is needed, sent to one origin only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use data_encoding::BASE64;
use http::HeaderValue;
use keeper_core::artifact::StoreError;
use keeper_core::error::{Failure, codes};
use keeper_core::limits::CREDENTIAL_CACHE;
use keeper_core::repository::{Actor, Repository, RepositoryId, RepositoryStore as _};
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::secrets::SecretsKey;
use crate::store::Store;

/// A credential as somebody gives it.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A user and a password.
    Basic {
        /// The user, without a colon.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

impl Credential {
    /// The header that carries it, hidden from logs; `None` when it cannot stand in one.
    pub(super) fn header_value(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(self.header()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The value of the header that carries it.
    fn header(&self) -> String {
        match self {
            Self::Basic { username, password } => {
                format!("Basic {}", BASE64.encode(format!("{username}:{}", password.reveal()).as_bytes()))
            }
            Self::Bearer(token) => format!("Bearer {}", token.reveal()),
        }
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The only origin that it is sent to.
    origin: String,
    authorization: String,
}

/// An opened credential.
#[derive(Clone)]
struct Opened {
    origin: String,
    header: HeaderValue,
}

/// What is known of a repository's credential.
#[derive(Clone)]
enum Known {
    Nothing,
    Opened(Opened),
    /// There is one, sealed with another key.
    Sealed,
}

/// Why it is not known what to send. Sending nothing would be another question: a stranger may hear "not found" of what
/// is there.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another server sealed it with its own key.
    #[error(
        "the stored credentials are sealed with another key than this server has; all servers on one database need the \
         same secrets_key_file (KEEPER_SECRETS_KEY_FILE)"
    )]
    Sealed,
}

/// Keeps the credentials of remote repositories.
pub struct Vault {
    key: SecretsKey,
    store: Arc<Store>,
    /// Opened ones with the moment; believed for [`CREDENTIAL_CACHE`], for another server on the same database may
    /// change them.
    opened: Mutex<HashMap<RepositoryId, (Instant, Known)>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// The vault of this key.
    #[must_use]
    pub fn new(key: SecretsKey, store: Arc<Store>) -> Self {
        Self { key, store, opened: Mutex::default() }
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<RepositoryId, (Instant, Known)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a credential for an origin; `None` forgets the one that was there.
    ///
    /// # Errors
    /// What the store or the system reports.
    pub async fn keep(
        &self,
        of: RepositoryId,
        credential: Option<(&Credential, &str)>,
        by: &Actor,
    ) -> Result<(), Failure> {
        let sealed = match credential {
            None => None,
            Some((credential, origin)) => {
                let kept = Kept { origin: origin.to_owned(), authorization: credential.header() };
                let text = serde_json::to_vec(&kept).map_err(|error| fault(&error))?;
                Some(self.key.seal(&purpose(of), &text).map_err(|error| fault(&error))?)
            }
        };
        self.store.keep_sealed_credential(of, sealed, by).await?;
        self.opened().remove(&of);
        Ok(())
    }

    /// What to send to an origin for a repository; `None` when nothing is kept that is for it.
    ///
    /// # Errors
    /// [`Unproven`].
    pub(super) async fn header(&self, of: RepositoryId, origin: &str) -> Result<Option<HeaderValue>, Unproven> {
        let known = self.opened().get(&of).cloned();
        let known = match known {
            Some((since, known)) if since.elapsed() < CREDENTIAL_CACHE => known,
            _ => {
                let known = self.look(of).await?;
                self.opened().insert(of, (Instant::now(), known.clone()));
                known
            }
        };
        match known {
            Known::Nothing => Ok(None),
            Known::Opened(opened) => Ok((opened.origin == origin).then_some(opened.header)),
            Known::Sealed => Err(Unproven::Sealed),
        }
    }

    async fn look(&self, of: RepositoryId) -> Result<Known, StoreError> {
        let Some(sealed) = self.store.sealed_credential(of).await? else { return Ok(Known::Nothing) };
        let Some(opened) = open(&self.key, of, &sealed) else {
            tracing::error!(repository.id = of.0, "{}", Unproven::Sealed);
            return Ok(Known::Sealed);
        };
        Ok(Known::Opened(opened))
    }
}

/// The repositories whose credentials this key does not open.
///
/// # Errors
/// What the store reports.
pub async fn unopened(store: &Store, key: Option<&SecretsKey>) -> Result<Vec<Repository>, StoreError> {
    let (mut closed, repositories) = (Vec::new(), store.list().await?);
    for row in store.sealed_credentials().await? {
        let id = RepositoryId(row.repository);
        if key.is_none_or(|key| open(key, id, &row.sealed).is_none()) {
            closed.extend(repositories.iter().find(|repository| repository.id == id).map(|one| Repository::clone(one)));
        }
    }
    Ok(closed)
}

fn open(key: &SecretsKey, of: RepositoryId, sealed: &[u8]) -> Option<Opened> {
    let kept: Kept = serde_json::from_slice(&key.open(&purpose(of), sealed)?).ok()?;
    let mut header = HeaderValue::try_from(kept.authorization).ok()?;
    header.set_sensitive(true);
    Some(Opened { origin: kept.origin, header })
}

fn purpose(of: RepositoryId) -> String {
    format!("upstream credentials of repository {}", of.0)
}

fn fault(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(error)
}
