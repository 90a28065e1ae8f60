//! Credentials of an upstream: given, never shown.

use keeper_core::error::Problem;
use keeper_core::source::{Chain, Remote};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use super::form::invalid;
use crate::config::Secret;
use crate::upstream::{Credential, origin};

/// Bytes of a user, a password or a token.
const PART_BYTES: usize = 4 * 1024;

/// What proves this server to its upstream: a user and a password, or a token. Only the origin of the first source
/// ever gets it. It is kept sealed and shown to nobody.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct CredentialsForm {
    /// As answers have it: `true` leaves what is kept as it is.
    set: Option<bool>,
    /// The user.
    username: Option<String>,
    /// The password.
    password: Option<String>,
    /// A token, instead of user and password.
    token: Option<String>,
}

/// Whether credentials are kept.
#[derive(Object)]
pub(super) struct CredentialsView {
    /// Whether there are some.
    pub(super) set: bool,
}

/// What is to become of the credentials of a repository.
pub(super) enum CredentialChange {
    /// They stay.
    Keep,
    /// These are kept from now on, for this origin.
    Set(Credential, String),
    /// They go.
    Forget,
}

impl CredentialChange {
    /// Whether there are credentials afterwards.
    pub(super) fn leaves_some(&self, before: bool) -> bool {
        match self {
            Self::Keep => before,
            Self::Set(..) => true,
            Self::Forget => false,
        }
    }
}

/// What is said of credentials, for the first source of a chain. A chain that begins elsewhere than before loses those
/// that were for the other place.
pub(super) fn change(
    said: MaybeUndefined<CredentialsForm>,
    chain: &Chain,
    before: Option<&Remote>,
    problems: &mut Vec<Problem>,
) -> CredentialChange {
    let first = |chain: &Chain| chain.sources().first().map(|source| origin(source.url.as_url())).unwrap_or_default();
    let place = first(chain);
    let unchanged = || match before {
        Some(before) if before.has_credentials && first(&before.chain) != place => CredentialChange::Forget,
        _ => CredentialChange::Keep,
    };
    let form = match said {
        MaybeUndefined::Undefined => return unchanged(),
        MaybeUndefined::Null => return CredentialChange::Forget,
        MaybeUndefined::Value(form) => form,
    };
    let parts = [&form.username, &form.password, &form.token];
    if parts.into_iter().flatten().any(|part| part.len() > PART_BYTES || part.chars().any(char::is_control)) {
        let detail = format!("each part of credentials has at most {PART_BYTES} bytes and no control characters");
        problems.push(invalid("upstream.credentials", detail));
        return CredentialChange::Keep;
    }
    match (form.username, form.password, form.token, form.set) {
        (Some(username), Some(password), None, _) if !username.is_empty() && !username.contains(':') => {
            CredentialChange::Set(Credential::Basic { username, password: Secret::new(password) }, place)
        }
        (None, None, Some(token), _) if is_token(&token) => {
            CredentialChange::Set(Credential::Bearer(Secret::new(token)), place)
        }
        (None, None, None, Some(true)) => unchanged(),
        (None, None, None, Some(false)) => CredentialChange::Forget,
        _ => {
            let detail = "credentials are username (without a colon) and password, or token, or null";
            problems.push(invalid("upstream.credentials", detail));
            CredentialChange::Keep
        }
    }
}

/// Whether a text can stand behind `Bearer` (RFC 6750, 2.1).
fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}
