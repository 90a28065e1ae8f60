//! The configuration: what may be set, where it comes from, and the typed result.
//!
//! Shape: one flat list of [settings](settings::all). `listen` is the key in `artifact-keeper.toml`,
//! `KEEPER_LISTEN` the environment variable, `--listen` the flag. Later wins: default, file, environment, flag.
//! Every given value is checked, also one that a later source overrides: a mistake in the file should not wait
//! for the day on which the variable is removed.
//!
//! An empty environment variable counts as not set (container platforms pass on what is empty), with a warning.
//!
//! Errors: all [faults](Fault) of all sources at once; nothing starts with a fault anywhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::bootstrap::passwords::Profile;

mod check;
mod draft;
mod fault;
mod file;
pub mod first_start;
mod hosts;
mod network;
mod places;
mod public_url;
pub mod report;
mod secret;
pub mod settings;
mod source;
mod value;

pub use fault::Fault;
pub use hosts::AllowedHosts;
pub use network::{AllowedNetwork, allowed};
pub use places::{Bucket, DatabasePlace, StoragePlace};
pub use public_url::PublicUrl;
pub use secret::Secret;
pub use source::{Effective, Overrides, Source, environment};
pub(crate) use value::size as parse_size;

/// The file that is read from the working directory when it is there and no other is named.
pub const DEFAULT_FILE: &str = "artifact-keeper.toml";

/// Bytes of a configuration file.
pub const FILE_BYTES: u64 = 1024 * 1024;

/// What the program was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder for everything that is kept.
    pub data_dir: PathBuf,
    /// Where the database is.
    pub database: DatabasePlace,
    /// Where the stored files are.
    pub storage: StoragePlace,
    /// Whether people may sign in over plain http from other machines, against advice.
    pub allow_insecure_http: bool,
    /// Whether the data may lie on a network file system, against advice.
    pub allow_network_disk: bool,
    /// The address that users see, if it is not simply what they asked.
    pub public_url: Option<PublicUrl>,
    /// How to serve https; `None` is plain http.
    pub tls: Option<TlsSource>,
    /// Where plain http is sent on to https.
    pub redirect_listen: Option<SocketAddr>,
    /// Whether strangers may read the description of the API.
    pub public_documents: bool,
    /// What a password costs to check.
    pub password_profile: Profile,
    /// Whether a token that everybody on the way could read is revoked.
    pub revoke_exposed_tokens: bool,
    /// The password of the first user. Read at first start only.
    pub admin_password: Option<Secret>,
    /// The text of a first token of the administrator. Read at first start only.
    pub admin_token: Option<Secret>,
    /// Whether strangers may read the first repositories, if somebody said so. Read at first start only;
    /// see [`Config::first_repositories_are_open`].
    pub anonymous_read: Option<bool>,
    /// Upper bound of an upload over all formats.
    pub max_upload_bytes: Option<u64>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Host names that are answered.
    pub allowed_hosts: AllowedHosts,
    /// Private networks and names that the server itself may connect to.
    pub network_allow: Vec<AllowedNetwork>,
    /// Whether the server itself may connect to public addresses.
    pub network_public: bool,
    /// The key of secrets at rest.
    pub secrets_key_file: PathBuf,
    /// The proxy that the server's own requests go through.
    pub network_proxy: Option<Url>,
    /// A PEM file of authorities that the server's own requests trust besides the platform's.
    pub network_ca_file: Option<PathBuf>,
    /// How long upstreams may take.
    pub upstream: UpstreamBounds,
    /// Who may read the metrics without a login.
    pub metrics_network: Vec<IpNet>,
    /// A tracing filter; known to parse.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How long requests in flight may take after a stop was asked for.
    pub shutdown_timeout: Duration,
    /// How long a server that is to stop still takes requests.
    pub shutdown_delay: Duration,
    /// How long a request's header may take.
    pub header_timeout: Duration,
    /// How long a body may be slow before its rate counts.
    pub body_grace: Duration,
    /// The least rate of a body after that.
    pub body_min_bytes_per_second: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once of one address.
    pub max_connections_per_address: usize,
    /// Uploads at once.
    pub max_uploads: usize,
    /// Uploads at once with one credential.
    pub max_uploads_per_credential: usize,
    /// Requests in a second with one credential.
    pub max_requests_per_second: Option<usize>,
    /// Bytes that uploads leave free on the disk.
    pub storage_reserve: Option<u64>,
    /// Bytes of all uploads under way together.
    pub max_receiving: Option<u64>,
    /// Time between two runs of the collector of blobs.
    pub gc_period: Duration,
    /// No blob younger than this is removed.
    pub gc_grace: Duration,
    /// Time between the end of a blob's row and that of its bytes.
    pub gc_unlink_delay: Duration,
    /// The part of all blobs or bytes, in hundredths, beyond which a run of the collector stops.
    pub gc_max_percent: u8,
    /// Blobs removed in a second at most.
    pub gc_unlinks_per_second: u32,
    /// Bytes that the scrubber reads in a second; 0 switches it off.
    pub scrub_rate: u64,
    /// Time between two runs of retention.
    pub retention_period: Duration,
    /// Time between two moments at which last uses are written down.
    pub last_use_period: Duration,
}

/// How long the sources of remote repositories may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpstreamBounds {
    /// For name look-up, connection and TLS.
    pub connect_timeout: Duration,
    /// From a question to the head of its answer.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
    /// For one answer as a whole.
    pub total_timeout: Duration,
    /// The least rate of a body.
    pub min_bytes_per_second: u64,
    /// How long a body may be slower than that.
    pub rate_window: Duration,
    /// How long one in trouble is left alone.
    pub rest: Duration,
}

/// Where certificate and key come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// PEM files.
    Files {
        /// The certificate with its chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// An authority of our own in the data folder.
    SelfSigned,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A configuration without faults.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every setting in effect, in the order of the table.
    pub effective: Vec<Effective>,
    /// What an operator should know, one line each.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads all sources. `file` is the one named by `--config`, which must exist; without it
    /// [`DEFAULT_FILE`] is read if it is there.
    ///
    /// # Errors
    /// All faults of all sources.
    pub fn load(
        arguments: &Overrides,
        environment: impl Iterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Loaded, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut warnings = Vec::new();
        let mut given = source::defaults();
        given.extend(file::read(file, &mut faults));
        given.extend(source::from_environment(environment, &mut warnings));
        given.extend(arguments.given());

        let mut draft = draft::Draft::blank();
        for value in &given {
            if let Err(rule) = (value.setting.read)(&mut draft, &value.text) {
                faults.push(value.fault(&rule));
            }
        }
        let effective = source::effective(given);
        if faults.is_empty() {
            check::combinations(&draft, &effective, &mut faults, &mut warnings);
        }
        if faults.is_empty() { Ok(Loaded { config: draft.finish(), effective, warnings }) } else { Err(faults) }
    }

    /// Whether strangers may read what is made at first start: as told, else only when nobody but this machine
    /// can reach the server, as far as the configuration tells. A proxy or a public name in front of a loopback
    /// listener means that others can.
    #[must_use]
    pub fn first_repositories_are_open(&self) -> bool {
        self.anonymous_read.unwrap_or_else(|| {
            self.listen.ip().is_loopback()
                && self.public_url.is_none()
                && !self.allowed_hosts.is_explicit()
                && self.trusted_proxies.is_empty()
        })
    }

    /// The address to show to people: the public one, else that of the listener as it was bound. A listener on
    /// all interfaces is shown as `localhost`, which at least works on this machine.
    #[must_use]
    pub fn address_for_people(&self, bound: SocketAddr) -> String {
        if let Some(public) = &self.public_url {
            return public.as_str().to_owned();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let everywhere = bound.ip().is_unspecified();
        if everywhere || bound.ip() == Ipv4Addr::LOCALHOST {
            return format!("{scheme}://localhost:{}", bound.port());
        }
        format!("{scheme}://{bound}")
    }
}

#[cfg(test)]
mod tests;
