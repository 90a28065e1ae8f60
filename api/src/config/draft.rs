//! The configuration while its sources are read: values that depend on each other are still apart.

use std::path::PathBuf;
use std::time::Duration;

use super::{AllowedHosts, Bucket, Config, DatabasePlace, LogFormat, StoragePlace, TlsSource, UpstreamBounds};
use crate::bootstrap::passwords::Profile;

/// Takes one setting after the other.
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) database: Option<DatabasePlace>,
    pub(super) storage: Option<StoragePlace>,
    pub(super) s3_endpoint: Option<String>,
    pub(super) s3_region: Option<String>,
    pub(super) s3_path_style: bool,
    pub(super) secrets_key: Option<PathBuf>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_self_signed: bool,
    pub(super) allowed_hosts: Option<Vec<String>>,
}

impl Draft {
    /// Before any source. The defaults of the table overwrite what is here; a test holds that they do.
    pub(super) fn blank() -> Self {
        let listen = ([0, 0, 0, 0], 0).into();
        let config = Config {
            listen,
            data_dir: PathBuf::new(),
            database: DatabasePlace::File(PathBuf::new()),
            storage: StoragePlace::Folder(PathBuf::new()),
            allow_insecure_http: false,
            allow_network_disk: false,
            public_url: None,
            tls: None,
            redirect_listen: None,
            public_documents: true,
            password_profile: Profile::Standard,
            revoke_exposed_tokens: false,
            admin_password: None,
            admin_token: None,
            anonymous_read: None,
            max_upload_bytes: None,
            trusted_proxies: Vec::new(),
            allowed_hosts: AllowedHosts::of(None, listen, None),
            network_allow: Vec::new(),
            network_public: true,
            secrets_key_file: PathBuf::new(),
            network_proxy: None,
            network_ca_file: None,
            upstream: UpstreamBounds::default(),
            metrics_network: Vec::new(),
            log: String::new(),
            log_format: LogFormat::Text,
            shutdown_timeout: Duration::ZERO,
            shutdown_delay: Duration::ZERO,
            header_timeout: Duration::ZERO,
            body_grace: Duration::ZERO,
            body_min_bytes_per_second: 0,
            max_connections: 0,
            max_connections_per_address: 0,
            max_uploads: 0,
            max_uploads_per_credential: 0,
            max_requests_per_second: None,
            storage_reserve: None,
            max_receiving: None,
            gc_period: Duration::ZERO,
            gc_grace: Duration::ZERO,
            gc_unlink_delay: Duration::ZERO,
            gc_max_percent: 0,
            gc_unlinks_per_second: 0,
            scrub_rate: 0,
            retention_period: Duration::ZERO,
            last_use_period: Duration::ZERO,
        };
        Self {
            config,
            database: None,
            storage: None,
            s3_endpoint: None,
            s3_region: None,
            s3_path_style: false,
            secrets_key: None,
            tls_cert: None,
            tls_key: None,
            tls_self_signed: false,
            allowed_hosts: None,
        }
    }

    /// Where https comes from, if the settings fit together.
    pub(super) fn tls(&self) -> Option<TlsSource> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(TlsSource::Files { certificate: certificate.clone(), key: key.clone() })
            }
            _ => self.tls_self_signed.then_some(TlsSource::SelfSigned),
        }
    }

    /// The whole, once nothing is wrong with its parts.
    pub(super) fn finish(self) -> Config {
        let tls = self.tls();
        let config = self.config;
        let storage = match self.storage {
            None => StoragePlace::Folder(config.data_dir.join("blobs")),
            Some(StoragePlace::Bucket(bucket)) => StoragePlace::Bucket(Bucket {
                endpoint: self.s3_endpoint,
                region: self.s3_region,
                path_style: self.s3_path_style,
                ..bucket
            }),
            Some(folder) => folder,
        };
        let allowed_hosts = AllowedHosts::of(self.allowed_hosts.as_deref(), config.listen, config.public_url.as_ref());
        Config {
            database: self.database.unwrap_or_else(|| DatabasePlace::File(config.data_dir.join("keeper.db"))),
            storage,
            secrets_key_file: self.secrets_key.unwrap_or_else(|| config.data_dir.join("secrets.key")),
            tls,
            allowed_hosts,
            ..config
        }
    }
}
