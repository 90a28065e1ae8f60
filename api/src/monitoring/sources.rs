//! Which sources of remote repositories are left alone, asked when somebody looks: repositories come and go, and a series
//! of one that is gone would stay for ever.
//!
//! ```text
//! keeper_upstream_source_resting{format="go",repository="upstream",source="1"} 0
//! ```
//!
//! These are the only labels with names in them: those of remote repositories, which administrators chose; a source is
//! named by its place in the chain and not by its address. There are as many series as administrators wrote sources.

use std::fmt::Write as _;

use keeper_core::pipeline::Keeper;

use super::METRICS;

/// The metric.
const NAME: &str = "keeper_upstream_source_resting";

/// The series as text. None of them when the repositories cannot be listed: the other metrics are needed most then.
pub(crate) async fn resting(keeper: &Keeper) -> String {
    let all = match keeper.ports().repositories.list().await {
        Ok(all) => all,
        Err(error) => {
            tracing::error!(%error, "the remote repositories could not be listed for the metrics");
            return String::new();
        }
    };
    let help = METRICS.iter().find(|metric| metric.name == NAME).map_or("", |metric| metric.help);
    let mut text = format!("# HELP {NAME} {help}\n# TYPE {NAME} gauge\n");
    for repository in all {
        let Some(remote) = repository.source.remote() else { continue };
        let health = keeper.ports().upstreams.health(repository.id, remote);
        for (at, source) in health.iter().enumerate() {
            let (address, place) = (&repository.address, at + 1);
            let rests = u8::from(source.resting_until.is_some());
            // The names' alphabet needs no escape.
            let _infallible = writeln!(
                text,
                "{NAME}{{format=\"{}\",repository=\"{}\",source=\"{place}\"}} {rests}",
                address.format, address.name
            );
        }
    }
    text
}
