//! The composition root: opens what the server stands on, in order, and runs it until it is told to stop.
//!
//! Order: data folder and its lock → database and migrations → blobs → first start → sockets last → "ready".
//! Nothing listens before it can serve; any failure is one message and an exit code, and a signal that asks for the end is
//! heard at any moment. What happens after "ready" is in `serving`.

mod bucket;
mod https;
mod ports;
mod serving;
mod stop;
mod storage;

pub(crate) mod outgoing;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keeper_core::artifact::{PackageName, StoreError};
use keeper_core::audit::Denials;
use keeper_core::blob::BlobError;
use keeper_core::error::codes;
use keeper_core::limits::UPLOAD_TIME;
use keeper_core::pipeline::Keeper;
use keeper_core::plugin::{Registry, RegistryError};
use keeper_core::repository::FormatKey;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin_socket::AdminSocket;
use crate::admin_socket::administration::Administration;
use crate::admin_socket::operator::Operator;
use crate::archive::Archives;
use crate::auditor::Auditor;
use crate::blobs;
use crate::blobs::guard::{Guard, Guarded, SpaceBounds, Watched, Writes};
use crate::bootstrap::banner::{self, Welcome};
use crate::bootstrap::first_start::{Administrator, Reveal};
use crate::bootstrap::passwords::Passwords;
use crate::bootstrap::{self, FirstStart, FirstStartError};
use crate::cli::{Exit, output};
use crate::clock::Clock;
use crate::config::{Config, PublicUrl, StoragePlace, TlsSource};
use crate::datadir::{DataDir, DataDirError};
use crate::http::{Admission, App, Authenticator, Exposure, Front, Health, Rates, Routes, Scrape, UploadBounds};
use crate::import::Importer;
use crate::jobs::removal::Removal;
use crate::jobs::retention::{LastUse, Retention};
use crate::jobs::upkeep::Upkeep;
use crate::jobs::{self, Runner};
use crate::monitoring::{Counts, Monitor, Samples, Sources};
use crate::process;
use crate::reload::Reload;
use crate::server::ServerLimits;
use crate::server::body::Pace;
use crate::server::self_signed::SelfSignedError;
use crate::server::tls::TlsError;
use crate::sign_in::SignIn;
use crate::status::Status;
use crate::store::{OpenError, Store};
use crate::upstream::{OwnAddress, Vault};

use https::Tls;
pub(crate) use ports::offline;
use serving::Serving;
use stop::StopSignals;

/// The task that commits shows a sign of life at least this often.
const WRITER_SILENCE: Duration = Duration::from_secs(60);

/// Why the server did not start, or not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The folder of the stored files.
    #[error("the stored files cannot be used: {0}")]
    Blobs(#[from] BlobError),
    /// The bucket of the stored files, with what is to be done.
    #[error("{what} ({cause})")]
    Bucket {
        /// In our words.
        what: String,
        /// In those of the store.
        cause: String,
        /// The exit code that says it.
        exit: Exit,
    },
    /// The folder of the stored files is another one's.
    #[error(
        "the stored files of this database are not in {}: they are in the folder that it was first used with, maybe \
         on another machine. Several servers need one folder that all of them see, or a bucket (storage_url, \
         KEEPER_STORAGE_URL); whoever moves the folder takes the file STORAGE along",
        folder.display()
    )]
    OtherStorage {
        /// The folder.
        folder: PathBuf,
    },
    /// The first user or repository.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    /// The formats of this build.
    #[error(transparent)]
    Formats(#[from] RegistryError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate that the server makes itself.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    /// The address.
    #[error("cannot listen on {at}: {why}")]
    Listen {
        /// The address.
        at: SocketAddr,
        /// What to do about it.
        why: String,
    },
    /// The outgoing network.
    #[error("the outgoing network cannot be set up: {0}")]
    Network(String),
    /// The authorities that upstreams may have.
    #[error("network_ca_file {path}: {why}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key of secrets.
    #[error("secrets_key_file {path}: {why}")]
    SecretsKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key of secrets does not open what is sealed.
    #[error(
        "the key that the credentials of these repositories' upstreams are sealed with is missing: {repositories}. Put \
         it back at {path} (secrets_key_file; all servers on one database need the same), or start once with \
         --reset-secrets to forget these credentials"
    )]
    SecretsLost {
        /// Where the key should be.
        path: PathBuf,
        /// Which repositories.
        repositories: String,
    },
    /// The metrics.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(String),
    /// The end took too long.
    #[error(
        "the database or the disk did not answer while the server stopped; what was acknowledged is kept, and what was \
         not may be lost"
    )]
    Unfinished,
    /// Sockets and signals.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// The exit code that says it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::DataDir(error) => error.into(),
            Self::Database(OpenError::Newer { .. }) => Exit::NewerDatabase,
            Self::Database(
                OpenError::Address { .. } | OpenError::LibraryTooOld { .. } | OpenError::Credentials { .. },
            ) => Exit::Usage,
            Self::Tls(_) | Self::SelfSigned(_) | Self::Listen { .. } | Self::Authorities { .. } => Exit::Usage,
            Self::Bucket { exit, .. } => *exit,
            Self::SecretsKey { .. } | Self::SecretsLost { .. } | Self::OtherStorage { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// Starts the server and runs it until SIGTERM or SIGINT. `reset_secrets` forgets the sealed secrets that cannot be
/// opened any more.
///
/// # Errors
/// Why it did not start.
pub async fn start(config: Config, reset_secrets: bool, reload: Reload) -> Result<(), StartError> {
    let (mut stop, hangup) = (StopSignals::new()?, signal(SignalKind::hangup())?);
    let ready = tokio::select! {
        biased;
        () = stop.any() => {
            tracing::info!("stopped before it was ready");
            return Ok(());
        }
        ready = Box::pin(prepare(config, reset_secrets)) => ready?,
    };
    // Whatever there is to be read again: the signal must not end the process.
    tokio::spawn(reload.follow(hangup));
    ready.until(stop).await
}

/// Opens everything, and listens.
async fn prepare(config: Config, reset_secrets: bool) -> Result<Serving, StartError> {
    let registry = keeper_formats::registry()?;
    let data = DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk)?;
    data.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let (connections, too_few_files) = process::connections(config.max_connections);
    process::user_warning()
        .map(str::to_owned)
        .into_iter()
        .chain(too_few_files)
        .for_each(|warning| tracing::warn!("{warning}"));
    // Before anything that is measured is made.
    let monitor = Monitor::start().map_err(|error| StartError::Metrics(error.to_string()))?;
    let address = config.database.address();
    let read_only = data.is_read_only();
    let store = if read_only { Store::open_frozen(&address).await? } else { Store::open_to_start(&address).await? };
    let store = Arc::new(store);
    if !read_only {
        data.anchor().mark(&store.instance().to_string())?;
    }
    name_families(&store, &registry).await?;
    let blobs = blobs::open(&config.storage, &data.tmp(), read_only).await;
    let blobs = blobs.map_err(|error| match &config.storage {
        StoragePlace::Bucket(bucket) => bucket::unusable(bucket, error),
        StoragePlace::Folder(_) => error.into(),
    })?;
    if !read_only {
        storage::is_that_of(&config, &store).await?;
    }
    let tls = https::tls(&config, &data)?;
    let first = first_start(&config, &data, &registry, &store).await?;
    store.opened().await;
    let clock = Clock::open(data.root(), store.newest_change_at().await.map_err(OpenError::Unreadable)?);
    let vault = Arc::new(Vault::new(outgoing::secrets_key(&config, &store, reset_secrets).await?, store.clone()));
    let network = outgoing::network(&config, Some(vault.clone()))?;
    let guard = guard(&config, &data);
    refuse_changes_by(&guard, &config, &store);
    let guarded = Arc::new(Guarded { blobs: blobs.clone(), guard: guard.clone() });
    let counts = Arc::new(Counts::new(registry.iter().map(|(key, _)| key)));
    let ports = ports::ports(registry.clone(), &store, guarded, &network, counts);
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let keeper = Arc::new(Keeper::new(ports, processors));
    let (writer, supervisor) = (store.clone(), store.supervisor());
    let writer_alive = Box::new(move || writer.writer_alive(WRITER_SILENCE));
    let file = store.clone();
    let damaged = Box::new(move || file.is_damaged());
    let health = Arc::new(Health::new(writer_alive, damaged, guard.clone(), supervisor.clone()));
    let denials = Arc::new(Denials::default());
    let admission = Arc::new(admission(&config, guard.clone()));
    let runner = Runner::watched_by(store.clone(), supervisor.clone());
    let upkeep = Upkeep::new(&config, runner.clone(), store.clone(), blobs);
    let operator = operator(&config, &data, &store, &clock, upkeep.clone(), &keeper);
    let admin = if read_only { None } else { Some(AdminSocket::serve(&data.admin_socket(), operator)?) };
    let exposure = Exposure::new(store.clone(), clock.clone(), denials.clone(), config.revoke_exposed_tokens);

    // From here on somebody may come.
    let listener = listen(config.listen).await?;
    let bound = listener.local_addr()?;
    https::redirect(&config, bound, exposure.clone(), connections, runner.stopping()).await?;
    let sources = Sources {
        store: store.clone(),
        admission: admission.clone(),
        tls: tls.as_ref().map(|tls| tls.handle.clone()),
        data: data.root().to_owned(),
    };
    let scrape = Scrape { monitor, samples: Samples::new(sources), network: config.metrics_network.clone() };
    let app = App {
        keeper: keeper.clone(),
        authenticator: Authenticator::new(store.clone(), clock.clone()),
        clock: clock.clone(),
        sign_in: SignIn::new(
            Passwords::new(processors, config.password_profile),
            data.first_password(),
            config.allow_insecure_http,
        ),
        front: front(&config),
        health: health.clone(),
        status: Arc::new(Status::new(store.clone(), &config, data.root())),
        archives: Archives::default(),
        own_address: OwnAddress::new(bound, config.public_url.as_ref().map(PublicUrl::as_str)),
        network,
        vault,
        admission: admission.clone(),
        rates: Rates::new(config.max_requests_per_second),
        denials: denials.clone(),
        exposure,
        scrape,
    };
    let auditor = Auditor::start(store.clone(), denials, supervisor.clone());
    let app = crate::server::into_app(Routes::new(app));
    let stopping = runner.stopping().clone();
    let (stop, damage, book) = (stopping.clone(), keeper.ports().damage.clone(), store.clone());
    let follow = move || jobs::damage::follow(damage.clone(), book.clone(), stop.clone());
    tokio::spawn(supervisor.clone().keep("damage", stopping.clone(), follow));
    tokio::spawn(supervisor.keep("disks", stopping.clone(), move || guard.clone().watch(stopping.clone())));
    // Where nothing can be written, there is no work to be done.
    if !read_only {
        schedule(&config, &runner, &keeper, &upkeep, &clock);
    }
    welcome(&config, bound, &data, &registry, &first, tls.as_ref());
    Ok(Serving {
        config,
        data,
        store,
        keeper,
        runner,
        auditor,
        health,
        admission,
        admin,
        listener,
        tls,
        connections,
        app,
    })
}

/// Who does what is asked for through the socket of the data folder.
fn operator(
    config: &Config,
    data: &DataDir,
    store: &Arc<Store>,
    clock: &Arc<Clock>,
    upkeep: Upkeep,
    keeper: &Arc<Keeper>,
) -> Arc<Operator> {
    let passwords = Passwords::new(1, config.password_profile);
    let administration = Administration::new(store.clone(), clock.clone(), passwords, data.first_password());
    let importer = Importer::new((**keeper).clone(), Arc::new(config.clone()));
    Arc::new(Operator { administration, upkeep, importer })
}

/// What runs now and then.
fn schedule(config: &Config, runner: &Runner, keeper: &Arc<Keeper>, upkeep: &Upkeep, clock: &Clock) {
    runner.schedule(upkeep.collect(config), Arc::default());
    if let Some(scrub) = upkeep.scrub(config) {
        runner.schedule(scrub, Arc::default());
    }
    runner.schedule(Removal(keeper.clone()), keeper.removals());
    let retention = Retention { keeper: keeper.clone(), period: config.retention_period, clock: clock.patient() };
    runner.schedule(retention, Arc::default());
    runner.schedule(LastUse { keeper: keeper.clone(), period: config.last_use_period }, Arc::default());
}

/// Before anything is served: who holds a name decides where it is looked for.
async fn name_families(store: &Store, registry: &Registry) -> Result<(), StartError> {
    let family = |format: &FormatKey, package: &PackageName| Some(registry.get(format)?.family(package));
    let named = store.name_families(family).await.map_err(OpenError::Unreadable)?;
    if named > 0 {
        tracing::info!(packages = named, "packages of an older version got their families");
    }
    Ok(())
}

async fn first_start(
    config: &Config,
    data: &DataDir,
    registry: &Registry,
    store: &Store,
) -> Result<FirstStart, StartError> {
    let passwords = Passwords::new(1, config.password_profile);
    let ports = bootstrap::Ports { identity: store, repositories: store, registry, passwords: &passwords };
    let first = bootstrap::first_start(ports, config, Reveal::here(data)).await?;
    first.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if let Administrator::Generated(password) = &first.administrator
        && output::terminal(&banner::password(password)).is_err()
    {
        data.write_first_password(password)?;
    }
    Ok(first)
}

async fn listen(at: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(at).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the address is in use; set KEEPER_LISTEN to another one (port 0 picks a free one)".to_owned()
            }
            io::ErrorKind::PermissionDenied if at.port() < 1024 => {
                format!("ports below 1024 need the capability CAP_NET_BIND_SERVICE ({error}); or set KEEPER_LISTEN")
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; set KEEPER_LISTEN to one of its own".to_owned()
            }
            _ => error.to_string(),
        };
        StartError::Listen { at, why }
    })
}

fn front(config: &Config) -> Front {
    let allowed = config.allowed_hosts.clone();
    Front {
        public_url: config.public_url.as_ref().map(|public| public.as_str().trim_end_matches('/').to_owned()),
        host_allowed: Arc::new(move |host| allowed.allows(host)),
        trusted_proxies: config.trusted_proxies.clone(),
        // A proxy in front has a certificate of its own.
        own_authority: matches!(config.tls, Some(TlsSource::SelfSigned)) && config.trusted_proxies.is_empty(),
        public_documents: config.public_documents,
    }
}

/// Watches the disks that are written to.
fn guard(config: &Config, data: &DataDir) -> Arc<Guard> {
    let others = [Some(data.root()), config.storage.folder()].into_iter().flatten().map(Path::to_owned).collect();
    Guard::new(
        Watched { tmp: data.tmp(), others, anchor: data.anchor(), frozen: data.is_read_only() },
        SpaceBounds { reserve: config.storage_reserve, receiving: config.max_receiving },
    )
}

/// What is in the database only is written to the same disk, where the database is a file. And nothing at all is written
/// by a server whose folder is gone.
fn refuse_changes_by(guard: &Arc<Guard>, config: &Config, store: &Store) {
    let (guard, is_file) = (guard.clone(), config.database.file().is_some());
    store.guard(Box::new(move || match guard.asked().0 {
        Writes::Gone => Err(StoreError::NotWritable(&codes::STORAGE_UNAVAILABLE)),
        Writes::ReadOnly if is_file => Err(StoreError::NotWritable(&codes::STORAGE_READ_ONLY)),
        _ => Ok(()),
    }));
}

/// Opens the database of a folder for a command.
pub(crate) async fn open_store(config: &Config, data: &DataDir) -> Result<Store, OpenError> {
    let address = config.database.address();
    if data.is_read_only() { Store::open_frozen(&address).await } else { Store::open(&address).await }
}

fn admission(config: &Config, guard: Arc<Guard>) -> Admission {
    let pace = Pace {
        least_bytes_per_second: config.body_min_bytes_per_second,
        window: config.body_grace,
        grace: config.body_grace,
        total: UPLOAD_TIME,
    };
    let bounds = UploadBounds {
        at_once: config.max_uploads,
        of_each: config.max_uploads_per_credential,
        bytes: config.max_upload_bytes.unwrap_or(u64::MAX),
    };
    Admission::new(bounds, pace, guard)
}

fn limits(config: &Config, connections: usize) -> ServerLimits {
    ServerLimits {
        connections,
        connections_per_address: config.max_connections_per_address,
        unbounded_networks: config.trusted_proxies.clone(),
        header_timeout: config.header_timeout,
        shutdown_timeout: config.shutdown_timeout,
        ..ServerLimits::default()
    }
}

/// The line that machines wait for, and the text that a newcomer follows.
fn welcome(
    config: &Config,
    bound: SocketAddr,
    data: &DataDir,
    registry: &Registry,
    first: &FirstStart,
    tls: Option<&Tls>,
) {
    let address = &config.address_for_people(bound);
    let mut text = banner::text(&Welcome { address, data_dir: data.root(), registry, first });
    if let Some(authority) = tls.and_then(|tls| tls.authority.as_ref()) {
        text += &format!(
            "  to make go and curl on this machine trust it:\n    export SSL_CERT_FILE={0} CURL_CA_BUNDLE={0}\n",
            authority.display()
        );
    }
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        output::stderr(&text);
    } else {
        for line in text.lines() {
            tracing::info!("{line}");
        }
    }
    let database = if config.database.file().is_some() { "sqlite" } else { "postgresql" };
    let storage = if config.storage.folder().is_some() { "folder" } else { "s3" };
    tracing::info!(address = %bound, url = address, version = env!("CARGO_PKG_VERSION"), database, storage, "ready");
}
