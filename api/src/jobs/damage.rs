//! What is known of damaged files, brought up to date: every server does so for itself, for each refuses them.

use std::sync::Arc;
use std::time::Duration;

use keeper_core::damage::Damage;
use keeper_core::scrubber::{CheckBook, tell_of};
use metrics::counter;
use tokio_util::sync::CancellationToken;

/// Time between two looks at what others have written down.
const PERIOD: Duration = Duration::from_secs(10);

/// Follows until the server stops. Trouble is told, and tried again.
pub async fn follow(damage: Arc<Damage>, book: Arc<dyn CheckBook>, stop: CancellationToken) {
    loop {
        match damage.follow(&*book).await {
            Ok(new) => {
                counter!("keeper_blob_findings_total").increment(new.len() as u64);
                new.iter().for_each(tell_of);
            }
            Err(error) => tracing::warn!(%error, "damaged files are not known or not written down for now"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
            () = damage.met() => {}
        }
    }
}
