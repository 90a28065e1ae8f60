//! Https: where the certificate comes from, how it stays fresh, and the plain port beside it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{StartError, front, limits, listen};
use crate::config::{Config, PublicUrl, TlsSource};
use crate::datadir::DataDir;
use crate::http::{Exposure, Redirect};
use crate::server::self_signed::{self, SelfSigned, SelfSignedError};
use crate::server::tls::TlsFiles;
use crate::server::{TlsAcceptorHandle, into_app, serve};

/// How often certificates are looked at for changes.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(60);

/// How the server proves itself, and the authority to trust if it is our own.
pub(super) struct Tls {
    pub(super) handle: TlsAcceptorHandle,
    pub(super) authority: Option<PathBuf>,
}

/// The certificate that the configuration names, if it wants https.
pub(super) fn tls(config: &Config, data: &DataDir) -> Result<Option<Tls>, StartError> {
    let (files, authority) = match &config.tls {
        None => return Ok(None),
        Some(TlsSource::Files { certificate, key }) => {
            (TlsFiles { certificate: certificate.clone(), key: key.clone() }, None)
        }
        Some(TlsSource::SelfSigned) => {
            let SelfSigned { authority, files, .. } = ensure_certificate(config, data)?;
            (files, Some(authority))
        }
    };
    Ok(Some(Tls { handle: TlsAcceptorHandle::load(files)?, authority }))
}

fn ensure_certificate(config: &Config, data: &DataDir) -> Result<SelfSigned, SelfSignedError> {
    let public_host = config.public_url.as_ref().map(PublicUrl::host);
    self_signed::ensure(&data.root().join("tls"), &self_signed::names_of(config.listen.ip(), public_host))
}

/// Reloads the pair when it changes, and renews our own before it ends.
pub(super) fn keep_certificate_fresh(tls: Tls, config: &Config, data: &DataDir) -> TlsAcceptorHandle {
    let folder = data.root().join("tls");
    let public_host = config.public_url.as_ref().map(|public| public.host().to_owned());
    let (listen, own) = (config.listen.ip(), tls.authority.is_some());
    let renew = move || {
        if own && let Err(error) = self_signed::ensure(&folder, &self_signed::names_of(listen, public_host.as_deref()))
        {
            tracing::error!(%error, "the certificate could not be renewed");
        }
    };
    tokio::spawn(tls.handle.clone().keep_fresh(CERTIFICATE_CHECK, renew));
    tls.handle
}

/// The plain port beside https, if one is wanted.
pub(super) async fn redirect(
    config: &Config,
    https: SocketAddr,
    exposure: Exposure,
    connections: usize,
    stopping: &CancellationToken,
) -> Result<(), StartError> {
    let Some(at) = config.redirect_listen else { return Ok(()) };
    let listener = listen(at).await?;
    let address = listener.local_addr()?;
    let app = into_app(Redirect::new(front(config), https.port(), exposure));
    tokio::spawn(serve(listener, None, limits(config, connections), app, stopping.clone().cancelled_owned()));
    tracing::info!(%address, "plain http is sent on to https");
    Ok(())
}
