//! TLS: the certificate and key of a listener, and how they are exchanged while it runs.
//!
//! Both are PEM files. They are read again on SIGHUP and when they change; a pair that does not pass all
//! checks leaves the old one in place. New connections get the new pair, old ones go on.
//!
//! *Bounds*: a file has at most 1 MiB. *Errors*: [`TlsError`], each with what to do.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

const FILE_BYTES: u64 = 1024 * 1024;

/// A certificate that ends sooner is warned about, once a day.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the pair lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that sign it, in order.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// The name in the TLS hello of a connection; an extension of each of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsServerName(pub String);

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{} holds no {wanted} in PEM form: it needs a line \"-----BEGIN {wanted}-----\"; \
         convert a DER file with openssl x509 or openssl pkey", path.display()
    )]
    NotPem { path: PathBuf, wanted: &'static str },
    #[error(
        "the key {} is encrypted; nobody can type its password when the server starts: \
         openssl pkey -in {} -out plain.pem", path.display(), path.display()
    )]
    EncryptedKey { path: PathBuf },
    #[error("the key {} can be read by others (mode {mode:04o}): chmod 600 {}", path.display(), path.display())]
    KeyReadableByOthers { path: PathBuf, mode: u32 },
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate {} ended at {ended}; renew it", path.display())]
    Expired { path: PathBuf, ended: String },
    #[error("the certificate {} begins only at {begins}; is this machine's clock right?", path.display())]
    NotYetValid { path: PathBuf, begins: String },
    #[error(
        "{}: certificate {position} did not sign the one before it; \
         put the server's first, then each one's signer", path.display()
    )]
    ChainOrder { path: PathBuf, position: usize },
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable { path: PathBuf, reason: String },
}

/// The TLS side of a listener. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct TlsAcceptorHandle {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    files: Arc<TlsFiles>,
    failures: Arc<AtomicU64>,
}

impl TlsAcceptorHandle {
    /// Reads and checks the pair. Blocks: it is meant for the start.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(Pair::read(&files)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), current, files: Arc::new(files), failures: Arc::default() })
    }

    /// Reads the pair again. When it does not pass, the old one stays, and the failure is counted. Blocks.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = Pair::read(&self.files).inspect_err(|_| {
            self.failures.fetch_add(1, Ordering::Relaxed);
        })?;
        self.current.0.store(Arc::new(read));
        Ok(())
    }

    /// How often a reload failed (`tls_reload_failures_total`).
    #[must_use]
    pub fn reload_failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// When the certificate ends, in seconds of the Unix time.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.current.0.load().ends_at
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Reloads on SIGHUP and when a file has changed, which is looked for in intervals of `every`. Before
    /// each look `prepare` runs, which may renew the files. Logs what it did; never returns. Run it as a task.
    pub async fn keep_fresh<F>(self, every: Duration, mut prepare: F)
    where
        F: FnMut() + Send + 'static,
    {
        let mut hang_up = signal(SignalKind::hangup()).ok();
        let mut seen = stamp(&self.files);
        let mut warned: Option<tokio::time::Instant> = None;
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(every) => false,
                Some(()) = async { hang_up.as_mut()?.recv().await } => true,
            };
            let this = self.clone();
            let look = move || {
                prepare();
                let now = stamp(&this.files);
                if asked || now != seen {
                    this.reload_and_log();
                }
                (prepare, now)
            };
            match tokio::task::spawn_blocking(look).await {
                Ok((given_back, now)) => (prepare, seen) = (given_back, now),
                Err(error) => {
                    tracing::error!(%error, "the TLS files are no longer watched");
                    return;
                }
            }
            if self.ends_soon() && warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                warned = Some(tokio::time::Instant::now());
                let certificate = self.files.certificate.display();
                tracing::warn!(%certificate, ends = readable(self.ends_at()), "the TLS certificate ends soon; renew it");
            }
        }
    }

    fn reload_and_log(&self) {
        match self.reload() {
            Ok(()) => tracing::info!(ends = readable(self.ends_at()), "new TLS certificate"),
            Err(error) => tracing::error!(%error, "the TLS certificate stays the old one"),
        }
    }

    fn ends_soon(&self) -> bool {
        self.ends_at() - jiff::Timestamp::now().as_second() < WARN_BEFORE.as_secs().cast_signed()
    }
}

/// The pair that new connections get.
#[derive(Debug)]
struct Current(ArcSwap<Pair>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}

/// A certificate and key that passed all checks.
#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    ends_at: i64,
}

impl Pair {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles { certificate: path, key: key_path } = files;
        let (pem, _) = read_file(path)?;
        let chain = read_chain(path, &pem)?;
        let ends_at = check_chain(path, &chain)?;

        let (pem, metadata) = read_file(key_path)?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TlsError::KeyReadableByOthers { path: key_path.clone(), mode });
        }
        let key = read_key(key_path, &pem)?;
        let unusable = |error: rustls::Error| TlsError::Unusable { path: key_path.clone(), reason: error.to_string() };
        let key = ring::sign::any_supported_type(&key).map_err(unusable)?;
        let pair = CertifiedKey::new(chain, key);
        pair.keys_match().map_err(|_| TlsError::KeyMismatch { certificate: path.clone(), key: key_path.clone() })?;
        Ok(Self { key: Arc::new(pair), ends_at })
    }
}

fn read_file(path: &Path) -> Result<(Vec<u8>, Metadata), TlsError> {
    let read = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES {
            return Err(io::Error::other(format!("more than {FILE_BYTES} bytes")));
        }
        Ok((bytes, metadata))
    };
    read().map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn read_chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(TlsError::NotPem { path: path.to_owned(), wanted: "CERTIFICATE" }),
        Err(error) => Err(TlsError::Unusable { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Each one signed by the next, and the first valid now. Returns when that one ends.
fn check_chain(path: &Path, chain: &[CertificateDer<'_>]) -> Result<i64, TlsError> {
    let unusable = |reason: String| TlsError::Unusable { path: path.to_owned(), reason };
    let parsed = chain
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(format!("not a certificate: {error}")))?;
    for (at, pair) in parsed.windows(2).enumerate() {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            return Err(TlsError::ChainOrder { path: path.to_owned(), position: at + 2 });
        }
    }
    let first = parsed.first().ok_or_else(|| unusable("it is empty".to_owned()))?;
    let (begins, ends) = (first.validity().not_before.timestamp(), first.validity().not_after.timestamp());
    let now = jiff::Timestamp::now().as_second();
    if now > ends {
        return Err(TlsError::Expired { path: path.to_owned(), ended: readable(ends) });
    }
    if now < begins {
        return Err(TlsError::NotYetValid { path: path.to_owned(), begins: readable(begins) });
    }
    Ok(ends)
}

fn read_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let has = |text: &str| pem.windows(text.len()).any(|window| window == text.as_bytes());
    // The first is PKCS#8, the second what openssl wrote before.
    if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::EncryptedKey { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            TlsError::NotPem { path: path.to_owned(), wanted: "PRIVATE KEY" }
        }
        error => TlsError::Unusable { path: path.to_owned(), reason: error.to_string() },
    })
}

fn readable(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// What tells a new file from the old: also one of the same length within the same second.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    struct Made {
        certificate: String,
        key: String,
    }

    fn make(years: std::ops::Range<i32>) -> Made {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate");
        Made { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn put(folder: &TempDir, certificate: &str, key: &str, mode: u32) -> TlsFiles {
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        fs::write(&files.certificate, certificate).expect("written");
        fs::write(&files.key, key).expect("written");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).expect("a mode");
        files
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        let folder = tempfile::tempdir().expect("a folder");
        let (good, other) = (make(2020..2099), make(2020..2099));
        let both = format!("{}{}", good.certificate, other.certificate);
        let cut = good.certificate.replace("-----END", "-----AND");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
        let cases: &[(&str, &str, u32, &str)] = &[
            (&good.certificate, &good.key, 0o600, ""),
            (&good.certificate, &good.key, 0o400, ""),
            ("hello", &good.key, 0o600, "holds no CERTIFICATE in PEM form"),
            (&good.certificate, "hello", 0o600, "holds no PRIVATE KEY in PEM form"),
            (&good.key, &good.certificate, 0o600, "holds no CERTIFICATE in PEM form"),
            (&cut, &good.key, 0o600, "cannot be used"),
            (&good.certificate, encrypted, 0o600, "is encrypted"),
            (&good.certificate, old_encrypted, 0o600, "is encrypted"),
            (&good.certificate, &good.key, 0o640, "can be read by others (mode 0640)"),
            (&good.certificate, &good.key, 0o604, "can be read by others (mode 0604)"),
            (&good.certificate, &other.key, 0o600, "does not belong to the certificate"),
            (&make(2001..2002).certificate, &good.key, 0o600, "ended at 2002-01-01"),
            (&make(2098..2099).certificate, &good.key, 0o600, "begins only at 2098-01-01"),
            // Two certificates of one subject are in order by name; the second here has another.
            (&both, &good.key, 0o600, ""),
        ];
        for (certificate, key, mode, expected) in cases {
            let files = put(&folder, certificate, key, *mode);
            match TlsAcceptorHandle::load(files) {
                Ok(_) => assert_eq!(*expected, "", "accepted"),
                Err(error) => {
                    assert!(!expected.is_empty() && error.to_string().contains(expected), "{expected}: {error}");
                }
            }
        }
        let nothing = TlsFiles { certificate: folder.path().join("no.pem"), key: folder.path().join("no.pem") };
        assert!(matches!(TlsAcceptorHandle::load(nothing), Err(TlsError::Unreadable { .. })));
    }

    #[test]
    fn a_reload_that_fails_keeps_the_old_pair() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (make(2020..2098), make(2020..2099));
        let handle = TlsAcceptorHandle::load(put(&folder, &first.certificate, &first.key, 0o600)).expect("a pair");
        let ends_at = handle.ends_at();

        put(&folder, &second.certificate, &first.key, 0o600);
        assert!(matches!(handle.reload(), Err(TlsError::KeyMismatch { .. })));
        assert_eq!((handle.ends_at(), handle.reload_failures()), (ends_at, 1));

        put(&folder, &second.certificate, &second.key, 0o600);
        handle.reload().expect("a good pair");
        assert!(handle.ends_at() > ends_at);
    }

    #[tokio::test]
    async fn changed_files_are_taken_without_being_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (make(2020..2098), make(2020..2099));
        let handle = TlsAcceptorHandle::load(put(&folder, &first.certificate, &first.key, 0o600)).expect("a pair");
        let ends_at = handle.ends_at();
        let watcher = tokio::spawn(handle.clone().keep_fresh(Duration::from_millis(10), || ()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        put(&folder, &second.certificate, &second.key, 0o600);
        for _ in 0..500 {
            if handle.ends_at() > ends_at {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(handle.ends_at() > ends_at);
        watcher.abort();
    }
}
