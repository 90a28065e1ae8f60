//! Signing in with a password: what an attempt costs, and what it tells.
//!
//! Whoever does not get in is told one thing, after one amount of work, whether the login exists, is disabled,
//! belongs to a robot or only has another password. Failures are counted before the password is looked at, so
//! that many attempts at once are no way around the count (see [`limits`]).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Directory, Login};

use crate::bootstrap::passwords::{self, PasswordError, Passwords, Verdict};
use crate::config::Secret;
use crate::config::first_start::ADMINISTRATOR;

pub mod limits;

use limits::Limits;

/// Judges passwords.
pub struct SignIn {
    passwords: Passwords,
    limits: Limits,
    first_password: PathBuf,
    /// Whether a password may come over plain http from other machines.
    pub insecure_http: bool,
}

impl SignIn {
    /// `first_password` is the file of the generated one, which goes when the administrator chooses another.
    #[must_use]
    pub fn new(passwords: Passwords, first_password: PathBuf, insecure_http: bool) -> Self {
        Self { passwords, limits: Limits::new(), first_password, insecure_http }
    }

    /// The user whose password this is.
    ///
    /// # Errors
    /// `invalid_credentials`, `too_many_attempts`, or trouble.
    pub async fn verify(
        &self,
        directory: &dyn Directory,
        login: &str,
        password: &Secret,
        from: Option<IpAddr>,
    ) -> Result<Login, Failure> {
        let attempt = self.limits.attempt(login, from, Instant::now()).map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
            Failure::new(&codes::TOO_MANY_ATTEMPTS, format!("try again in {seconds} s")).retry_after(seconds)
        })?;
        let known = Login::try_from(login).ok();
        let stored = match &known {
            Some(login) => directory.password(login.as_str()).await?,
            None => None,
        };
        let verdict = self.passwords.verify(password, stored.clone()).await.map_err(trouble)?;
        match (known, stored, verdict) {
            (Some(login), Some(_), Verdict::Right) => {
                self.limits.succeeded(attempt);
                Ok(login)
            }
            (Some(login), Some(stored), Verdict::Outdated) => {
                self.limits.succeeded(attempt);
                let better = self.passwords.hash(password).await.map_err(trouble)?;
                directory.rehash_password(&login, &stored, better).await?;
                Ok(login)
            }
            _ => {
                let address = from.map(|address| address.to_string()).unwrap_or_default();
                let login: String = login.chars().take(64).flat_map(char::escape_debug).collect();
                tracing::info!(principal.name = login, address, "a login failed");
                let then = match attempt.left {
                    0 => "The next try has to wait.".to_owned(),
                    1 => "1 more try, then there is a pause.".to_owned(),
                    left => format!("{left} more tries, then there is a pause."),
                };
                Err(Failure::new(&codes::INVALID_CREDENTIALS, "the login or the password is wrong")
                    .hint(format!("Check both; an administrator can set a new password. {then}")))
            }
        }
    }

    /// The hash of a password that somebody chose for this login.
    ///
    /// # Errors
    /// `invalid_field` with the rule it breaks, or trouble.
    pub async fn hash(&self, login: &Login, password: &Secret, field: &str) -> Result<String, Failure> {
        passwords::check(password.reveal(), login.as_str())
            .map_err(|rule| Failure::new(&codes::INVALID_FIELD, rule).field(field))?;
        self.passwords.hash(password).await.map_err(trouble)
    }

    /// Called when a password was changed: the file of the first one has done its duty.
    pub fn password_changed(&self, login: &Login) {
        forget_first_password(&self.first_password, login);
    }
}

/// Removes the file of the generated password, when this is the login that it was for.
pub(crate) fn forget_first_password(file: &Path, login: &Login) {
    if login.as_str() != ADMINISTRATOR {
        return;
    }
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "the file of the first password could not be removed");
        }
        _ => {}
    }
}

fn trouble(error: PasswordError) -> Failure {
    match error {
        PasswordError::Busy => Failure::new(&codes::OVERLOADED, "too many passwords are being checked").retry_after(2),
        other => Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(other),
    }
}
