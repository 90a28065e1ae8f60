//! Tokens that everybody on the way could read: sent in an address, which ends in logs and `Referer`, or over plain
//! http to the port that only sends on to https. The request is refused; what happens to the token is here.
//!
//! A token that counts is told to the audit, and revoked where the setting `revoke_exposed_tokens` says so. One that is
//! unknown, expired or of a disabled user is nobody's loss and leaves no trace.

use std::sync::Arc;

use keeper_core::access::Means;
use keeper_core::artifact::StoreError;
use keeper_core::audit::{Denial, Denials};
use keeper_core::error::Failure;
use keeper_core::identity::{Credential, Directory, TokenHash, TokenSecret};
use keeper_core::repository::Actor;
use metrics::counter;

use super::RequestFacts;
use crate::clock::Clock;

/// Tokens of one request that are looked at: each costs a question to the database.
const TOKENS: usize = 4;

/// Judges tokens that were seen.
#[derive(Clone)]
pub struct Exposure {
    identity: Arc<dyn Directory>,
    clock: Arc<Clock>,
    denials: Arc<Denials>,
    revokes: bool,
}

impl Exposure {
    /// Of the tokens in this store, which end by this clock. With `revokes` they count no more afterwards.
    #[must_use]
    pub fn new(identity: Arc<dyn Directory>, clock: Arc<Clock>, denials: Arc<Denials>, revokes: bool) -> Self {
        Self { identity, clock, denials, revokes }
    }

    /// The refusal of a request whose address or plain header held tokens, in the words of what became of them.
    pub(crate) async fn judge(&self, refusal: Failure, text: &str, facts: &RequestFacts) -> Failure {
        let mut revoked = 0_usize;
        for token in TokenSecret::all_in(text).take(TOKENS) {
            match self.seen(&token, &refusal, facts).await {
                Ok(gone) => revoked += usize::from(gone),
                Err(error) => tracing::error!(%error, "a token that was exposed could not be looked at"),
            }
        }
        if revoked == 0 {
            return refusal;
        }
        refusal.hint(
            "The token was revoked, for others could read it. Make a new one, and send it in a header over https.",
        )
    }

    /// Whether the token counted and was revoked.
    async fn seen(&self, token: &TokenSecret, refusal: &Failure, facts: &RequestFacts) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let known = self.identity.credential(&TokenHash::of(token.reveal()), now).await?;
        let Credential::Valid(user) = known else { return Ok(false) };
        let Means::Token(id) = user.means else { return Ok(false) };
        counter!("keeper_exposed_tokens_total").increment(1);
        let by = Actor {
            login: user.login.clone(),
            credential: Some(token.display().to_owned()),
            address: facts.peer.map(|peer| peer.to_string()),
            request: Some(facts.id.clone()),
        };
        let (code, message) = (refusal.code().name, refusal.first().detail.as_str());
        let denial = Denial { by: &by, action: "token.exposed", resource: &id.to_string(), code, message };
        self.denials.note(&denial, now);
        if !self.revokes {
            tracing::warn!(
                token = token.display(),
                principal.name = user.login,
                "a token that counts was exposed: revoke it"
            );
            return Ok(false);
        }
        let system = Actor { login: Actor::system().login, ..by };
        let revoked = self.identity.revoke_token(id, &system).await?;
        tracing::warn!(token = token.display(), principal.name = user.login, "an exposed token was revoked");
        Ok(revoked)
    }
}
