//! What the server needs to go outside: the client, whom it trusts, and the key of the credentials it carries.

use std::io;
use std::sync::Arc;

use keeper_core::artifact::StoreError;
use keeper_core::repository::{Actor, Repository, RepositoryDetails, RepositoryStore as _};
use keeper_core::source::Source;

use super::StartError;
use url::Url;

use crate::config::{AllowedNetwork, Config, UpstreamBounds};
use crate::secrets::SecretsKey;
use crate::store::{OpenError, Store};
use crate::upstream::{Credential, GuardedClient, Network, UpstreamLimits, Vault, certificates, unopened};

/// The way out, with the credentials of a vault.
pub(super) fn network(config: &Config, vault: Option<Arc<Vault>>) -> Result<GuardedClient, StartError> {
    let (network, limits) = rules(config)?;
    if network.proxy.is_some() {
        tracing::warn!(
            "network_proxy is set: it looks up the names of upstreams, so which addresses may be reached is its duty"
        );
    }
    GuardedClient::new(network, limits, vault).map_err(|error| StartError::Network(error.to_string()))
}

/// The same way for one import: what the operator names may be reached besides, and his credential goes to the origin of
/// his address.
pub(crate) fn network_of_import(
    config: &Config,
    allow: Vec<AllowedNetwork>,
    to: &Url,
    credential: Option<&Credential>,
) -> Result<GuardedClient, String> {
    let (mut network, limits) = rules(config).map_err(|error| error.to_string())?;
    network.allow = config.network_allow.iter().cloned().chain(allow).collect();
    let client = GuardedClient::new(network, limits, None).map_err(|error| error.to_string())?;
    credential.map_or(Ok(client.clone()), |credential| client.proving(to, credential))
}

fn rules(config: &Config) -> Result<(Network, UpstreamLimits), StartError> {
    let authorities = match &config.network_ca_file {
        None => Vec::new(),
        Some(path) => {
            let read = std::fs::read(path).map_err(|error| error.to_string()).and_then(|pem| certificates(&pem));
            read.map_err(|why| StartError::Authorities { path: path.clone(), why })?
        }
    };
    let allow = config.network_allow.iter().cloned().collect();
    let network =
        Network { allow, is_closed: !config.network_public, proxy: config.network_proxy.clone(), authorities };
    let UpstreamBounds {
        connect_timeout,
        first_byte_timeout,
        idle_timeout,
        total_timeout,
        min_bytes_per_second,
        rate_window,
        rest,
    } = config.upstream;
    let limits = UpstreamLimits {
        connect_timeout,
        first_byte_timeout,
        idle_timeout,
        total_timeout,
        min_bytes_per_second,
        rate_window,
        rest,
        ..UpstreamLimits::default()
    };
    Ok((network, limits))
}

/// The key of secrets; made when there is none and nothing is sealed that it would be needed for.
pub(super) async fn secrets_key(config: &Config, store: &Store, reset: bool) -> Result<SecretsKey, StartError> {
    let path = &config.secrets_key_file;
    let unusable = |error: io::Error| StartError::SecretsKey { path: path.clone(), why: error.to_string() };
    let key = SecretsKey::read(path).map_err(unusable)?;
    let lost = unopened(store, key.as_ref()).await.map_err(OpenError::Unreadable)?;
    if !lost.is_empty() && !reset {
        let names: Vec<_> = lost.iter().map(|repository| repository.address.to_string()).collect();
        return Err(StartError::SecretsLost { path: path.clone(), repositories: names.join(", ") });
    }
    for repository in lost {
        forget_credentials(store, &repository).await.map_err(OpenError::Unreadable)?;
        tracing::warn!(repository.name = %repository.address, "the credentials of its upstream were forgotten");
    }
    key.map_or_else(|| SecretsKey::read_or_make(path).map_err(unusable), Ok)
}

async fn forget_credentials(store: &Store, repository: &Repository) -> Result<(), StoreError> {
    let mut source = repository.source.clone();
    if let Source::Remote(remote) = &mut source {
        remote.has_credentials = false;
    }
    let (details, by) = (RepositoryDetails { source, ..repository.into() }, Actor::system());
    store.update(repository.id, repository.revision, details, &by).await?;
    store.keep_sealed_credential(repository.id, None, &by).await
}
