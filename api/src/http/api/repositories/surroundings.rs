//! Whether what is said of a repository's source fits to what is around: the network, this server, its siblings.

use keeper_core::access::Principal;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::repository::RepositoryAddress;
use keeper_core::source::{Remote, Source};

use super::form::invalid;
use super::members;
use crate::http::App;
use crate::upstream::Refused;

/// Checks a source that was not there before.
///
/// # Errors
/// `invalid_field` for upstreams that may not be reached, `member_cycle`, `member_invalid`, `claim_conflict`.
pub(super) async fn check(
    app: &App,
    who: &Principal,
    base_url: &str,
    at: &RepositoryAddress,
    wanted: &Source,
    before: Option<&Source>,
) -> Result<(), Failure> {
    match wanted {
        Source::Hosted => Ok(()),
        Source::Remote(remote) => {
            let before = before.and_then(Source::remote);
            let unchanged = before.is_some_and(|before| before.chain == remote.chain);
            if unchanged { Ok(()) } else { upstreams(app, base_url, remote).await }
        }
        Source::Virtual(wanted) => members::fit(at, wanted, &app.keeper.readable(who).await?),
    }
}

async fn upstreams(app: &App, base_url: &str, remote: &Remote) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for source in remote.chain.sources() {
        let url = source.url.as_url();
        if app.own_address.is(url, base_url).await {
            let detail = format!("upstream.url: {} is this server", source.url);
            problems.push(Problem::new(&codes::MEMBER_CYCLE, detail).field("upstream.url"));
        } else if let Err(refused) = app.network.check(url).await {
            let problem = invalid("upstream.url", format!("upstream.url: {refused}"));
            problems.push(match opening(&refused) {
                Some(entry) => {
                    problem.hint(format!("An operator can open it: network_allow (KEEPER_NETWORK_ALLOW={entry})."))
                }
                None => problem,
            });
        }
    }
    Failure::from_problems(problems).map_or(Ok(()), Err)
}

/// The entry of the configuration that would let this be reached.
fn opening(refused: &Refused) -> Option<String> {
    match refused {
        Refused::Address { address, .. } => Some(address.to_string()),
        Refused::Name(name) | Refused::NotNamed(name) => Some(name.clone()),
        Refused::Form(_) | Refused::Unknown(..) => None,
    }
}
