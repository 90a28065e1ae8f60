//! A server that is ready: it serves until it is told to stop, and then ends what it has begun.
//!
//! Stopping: not ready → after a while take no more → requests in flight finish → background work ends → the writer
//! drains → the lock is released. All of it has the time of the requests (`KEEPER_SHUTDOWN_TIMEOUT`) and [`LAST`]: a
//! database that is dead keeps nobody from ending.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keeper_core::pipeline::Keeper;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

use super::stop::StopSignals;
use super::{StartError, Tls, https, limits};
use crate::admin_socket::AdminSocket;
use crate::auditor::Auditor;
use crate::cli::output;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::http::{Admission, Health};
use crate::jobs::Runner;
use crate::server::App;
use crate::store::Store;

/// What the end has beyond the time of the requests.
const LAST: Duration = Duration::from_secs(1);

/// Everything that a running server consists of.
pub(super) struct Serving {
    pub(super) config: Config,
    /// Held until the end.
    pub(super) data: DataDir,
    pub(super) store: Arc<Store>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) runner: Runner,
    pub(super) auditor: Auditor,
    pub(super) health: Arc<Health>,
    pub(super) admission: Arc<Admission>,
    pub(super) admin: Option<AdminSocket>,
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Tls>,
    pub(super) connections: usize,
    pub(super) app: App,
}

impl Serving {
    /// Serves until a signal asks for the end.
    pub(super) async fn until(self, stop: StopSignals) -> Result<(), StartError> {
        let Self { config, data, store, keeper, runner, auditor, health, admission, admin, listener, .. } = self;
        let watch = tokio::spawn(end_with_the_writer(store.clone()));
        let handle = self.tls.map(|tls| https::keep_certificate_fresh(tls, &config, &data));
        let closed = Arc::new(OnceLock::new());
        let (delay, told) = (config.shutdown_delay, closed.clone());
        let stopping = async move {
            stop.first().await;
            health.drain();
            if !delay.is_zero() {
                tracing::info!(?delay, "stopping: requests are taken a little longer");
                tokio::time::sleep(delay).await;
            }
            admission.close();
            told.get_or_init(Instant::now);
            tracing::info!("stopping: requests under way may finish");
        };
        let cut = crate::server::serve(listener, handle, limits(&config, self.connections), self.app, stopping).await;
        if cut > 0 {
            tracing::warn!(connections = cut, "some requests did not finish in time and were cut");
        }
        let ending = async {
            drop(admin);
            runner.finish().await;
            if let Err(error) = keeper.record_uses().await {
                tracing::warn!(%error, "the last uses of some versions are lost");
            }
            auditor.finish().await;
            store.close().await;
        };
        let deadline = *closed.get_or_init(Instant::now) + config.shutdown_timeout + LAST;
        let ended = timeout_at(deadline, ending).await;
        // From here on the writer may well go.
        watch.abort();
        ended.map_err(|_| StartError::Unfinished)?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Nobody knows what a writer that died has left undone; what is not acknowledged is lost with the process, and all else
/// is durable.
async fn end_with_the_writer(store: Arc<Store>) {
    store.writer_died().await;
    tracing::error!("the task that commits has died: the process ends, for nobody knows what it left undone");
    output::stderr("the task that commits has died");
    std::process::exit(1);
}
