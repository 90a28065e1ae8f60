//! What the services stand on, in the server and in a command that needs them without one.

use std::sync::Arc;

use keeper_core::blob::BlobStore;
use keeper_core::events::{Listener, Nobody};
use keeper_core::pipeline::{Keeper, Ports};
use keeper_core::plugin::Registry;

use super::{StartError, outgoing};
use crate::config::Config;
use crate::store::Store;
use crate::upstream::GuardedClient;

/// The ports over these adapters.
pub(super) fn ports(
    registry: Registry,
    store: &Arc<Store>,
    blobs: Arc<dyn BlobStore>,
    network: &GuardedClient,
    listener: Arc<dyn Listener>,
) -> Ports {
    Ports {
        registry,
        repositories: store.clone(),
        artifacts: store.clone(),
        packages: store.clone(),
        blobs,
        identity: store.clone(),
        lifecycle: store.clone(),
        audit: store.clone(),
        provenance: store.clone(),
        documents: store.clone(),
        upstreams: Arc::new(network.clone()),
        authorities: Arc::new(network.clone()),
        listener,
        damage: Arc::default(),
    }
}

/// The services of a command that holds the data folder: nobody listens, and upstreams get no credentials.
///
/// # Errors
/// The formats of this build, or the outgoing network.
pub(crate) fn offline(config: &Config, store: Arc<Store>, blobs: Arc<dyn BlobStore>) -> Result<Keeper, StartError> {
    let registry = keeper_formats::registry()?;
    let network = outgoing::network(config, None)?;
    let ports = ports(registry, &store, blobs, &network, Arc::new(Nobody));
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Ok(Keeper::new(ports, processors))
}
