//! Certificates for those who have none: an authority of our own and a certificate signed by it.
//!
//! ```text
//! <data>/tls/ca.pem       what clients are told to trust: SSL_CERT_FILE=<data>/tls/ca.pem go get …
//! <data>/tls/ca-key.pem   0600; kept, so that a new name or a renewal asks no client to trust anew
//! <data>/tls/cert.pem     the server's certificate
//! <data>/tls/key.pem      0600; its key, new with each certificate
//! ```
//!
//! What is there is used again while it names all that is wanted and does not end soon. A crash between two
//! files leaves a pair that does not fit, which counts as absent at the next start.
//!
//! *Bounds*: the authority lives ten years, a certificate 397 days (Apple's clients refuse longer ones), and
//! is renewed thirty days before its end.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keeper_core::digest::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{Pem, X509Certificate};

use super::tls::TlsFiles;

const DAY: u64 = 24 * 60 * 60;
const AUTHORITY_DAYS: u64 = 3_650;
const CERTIFICATE_DAYS: u64 = 397;
const RENEW_BEFORE_DAYS: u64 = 30;

/// A clock that runs a little behind must not find a certificate from the future.
const BACKDATED_DAYS: u64 = 1;

/// What was made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSigned {
    /// The authority's certificate, for clients to trust.
    pub authority: PathBuf,
    /// The server's pair.
    pub files: TlsFiles,
    /// Whether the pair was made now.
    pub is_new: bool,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A file could not be read or written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that cannot be in a certificate, or no random bytes.
    #[error("cannot make a TLS certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The names a listener is reached by: always those of this machine to itself, then its address unless that
/// is "all", the host of the public URL, and what the machine calls itself.
#[must_use]
pub fn names_of(listen: IpAddr, public_host: Option<&str>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !listen.is_unspecified() {
        names.insert(listen.to_canonical().to_string());
    }
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    for name in [public_host.map(str::to_owned), hostname.ok()].into_iter().flatten() {
        names.extend(as_name(&name));
    }
    names
}

/// A host as certificates write it: an address without brackets, or a name in lower case.
fn as_name(host: &str) -> Option<String> {
    let host = host.trim().trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_canonical().to_string());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(plain)).then_some(host)
}

/// Makes what is missing or no longer fits in `folder`, usually `<data>/tls`. Repeating is cheap and changes
/// nothing while all fits. Blocks.
pub fn ensure(folder: &Path, names: &BTreeSet<String>) -> Result<SelfSigned, SelfSignedError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| SelfSignedError::Io { path: folder.to_owned(), source })?;
    let place = Place { folder };
    let made = SelfSigned {
        authority: place.path("ca.pem"),
        files: TlsFiles { certificate: place.path("cert.pem"), key: place.path("key.pem") },
        is_new: false,
    };
    let authority = place.authority()?;
    if place.certificate_fits(&authority, names) {
        return Ok(made);
    }
    let key = KeyPair::generate()?;
    let certificate = certificate_params(names)?.signed_by(&key, &authority.issuer)?;
    place.write("key.pem", 0o600, &key.serialize_pem())?;
    place.write("cert.pem", 0o644, &certificate.pem())?;
    Ok(SelfSigned { is_new: true, ..made })
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    name: String,
}

struct Place<'a> {
    folder: &'a Path,
}

impl Place<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Puts a whole file under its name, or nothing.
    fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), SelfSignedError> {
        let (path, unfinished) = (self.path(name), self.path(&format!("{name}.new")));
        let write = || {
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(self.folder)?.sync_all()
        };
        write().map_err(|source| SelfSignedError::Io { path: path.clone(), source })
    }

    /// The authority that is there, or a new one when it is absent or would end before what it signs.
    fn authority(&self) -> Result<Authority, SelfSignedError> {
        if let Some(authority) = self.usable_authority() {
            return Ok(authority);
        }
        let key = KeyPair::generate()?;
        let name = authority_name(&key);
        let params = authority_params(&name);
        let certificate = params.self_signed(&key)?;
        self.write("ca-key.pem", 0o600, &key.serialize_pem())?;
        self.write("ca.pem", 0o644, &certificate.pem())?;
        Ok(Authority { issuer: Issuer::new(params, key), name })
    }

    fn usable_authority(&self) -> Option<Authority> {
        let key = KeyPair::from_pem(&fs::read_to_string(self.path("ca-key.pem")).ok()?).ok()?;
        let pem = Pem::iter_from_buffer(&fs::read(self.path("ca.pem")).ok()?).next()?.ok()?;
        let certificate = pem.parse_x509().ok()?;
        let name = authority_name(&key);
        let is_ours = common_name(certificate.subject()) == Some(name.as_str());
        let lasts = ends_after(&certificate, CERTIFICATE_DAYS + RENEW_BEFORE_DAYS);
        (is_ours && lasts).then(|| Authority { issuer: Issuer::new(authority_params(&name), key), name })
    }

    /// Whether the pair is there, signed by `authority`, has all `names` and lasts.
    fn certificate_fits(&self, authority: &Authority, names: &BTreeSet<String>) -> bool {
        let fits = || {
            let key = KeyPair::from_pem(&fs::read_to_string(self.path("key.pem")).ok()?).ok()?;
            let pem = Pem::iter_from_buffer(&fs::read(self.path("cert.pem")).ok()?).next()?.ok()?;
            let certificate = pem.parse_x509().ok()?;
            let is_signed = common_name(certificate.issuer()) == Some(authority.name.as_str());
            let has_key = certificate.public_key().raw == key.subject_public_key_info();
            let has_names = names.is_subset(&alternative_names(&certificate));
            Some(is_signed && has_key && has_names && ends_after(&certificate, RENEW_BEFORE_DAYS))
        };
        fits().unwrap_or(false)
    }
}

/// Tells the authorities of several installations apart in a client's list.
fn authority_name(key: &KeyPair) -> String {
    format!("Artifact Keeper {}", &Digest::of(&key.subject_public_key_info()).to_hex()[..12])
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    live_for(&mut params, AUTHORITY_DAYS);
    params
}

fn certificate_params(names: &BTreeSet<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Artifact Keeper");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    live_for(&mut params, CERTIFICATE_DAYS);
    Ok(params)
}

fn live_for(params: &mut CertificateParams, days: u64) {
    let days_of = |seconds: u64| Duration::from_secs(seconds * DAY);
    let epoch = date_time_ymd(1970, 1, 1);
    let today = u64::try_from(now()).unwrap_or_default() / DAY;
    params.not_before = epoch + days_of(today.saturating_sub(BACKDATED_DAYS));
    params.not_after = epoch + days_of(today + days - BACKDATED_DAYS);
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn ends_after(certificate: &X509Certificate<'_>, days: u64) -> bool {
    certificate.validity().not_after.timestamp() - now() > (days * DAY).cast_signed()
}

fn common_name<'a>(name: &'a x509_parser::x509::X509Name<'_>) -> Option<&'a str> {
    name.iter_common_name().next()?.as_str().ok()
}

fn alternative_names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
        },
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::server::tls::TlsAcceptorHandle;

    use super::*;

    fn names(more: &[&str]) -> BTreeSet<String> {
        ["localhost", "127.0.0.1", "::1"].iter().chain(more).map(|name| (*name).to_owned()).collect()
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).expect("a file")
    }

    #[test]
    fn a_certificate_is_made_once_and_again_only_for_new_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("tls");
        let first = ensure(&folder, &names(&[])).expect("made");
        assert!(first.is_new);
        TlsAcceptorHandle::load(first.files.clone()).expect("it passes our own checks");
        for key in ["ca-key.pem", "key.pem"] {
            let mode = fs::metadata(folder.join(key)).expect("a key").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
        let (authority, certificate) = (read(&first.authority), read(&first.files.certificate));

        assert!(!ensure(&folder, &names(&[])).expect("found").is_new);
        assert_eq!(read(&first.files.certificate), certificate);

        let more = names(&["keeper.corp.example", "192.0.2.7", "2001:db8::7"]);
        assert!(ensure(&folder, &more).expect("made").is_new);
        assert_ne!(read(&first.files.certificate), certificate);
        assert_eq!(read(&first.authority), authority, "nobody has to trust anew");
        assert!(!ensure(&folder, &names(&[])).expect("found").is_new, "fewer names fit too");
    }

    #[test]
    fn half_a_pair_is_made_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        for lost in ["key.pem", "cert.pem", "ca.pem", "ca-key.pem"] {
            ensure(folder.path(), &names(&[])).expect("made");
            fs::write(folder.path().join(lost), "torn").expect("written");
            let made = ensure(folder.path(), &names(&[])).expect("made");
            assert!(made.is_new, "{lost}");
            TlsAcceptorHandle::load(made.files).expect(lost);
        }
    }

    #[test]
    fn a_listener_is_named_by_its_address_its_public_host_and_its_machine() {
        let found = names_of("192.0.2.7".parse().expect("an address"), Some("Keeper.Corp.Example"));
        for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7", "keeper.corp.example"] {
            assert!(found.contains(name), "{name}");
        }
        let all = names_of("0.0.0.0".parse().expect("an address"), Some("[2001:db8::7]"));
        assert!(!all.contains("0.0.0.0") && all.contains("2001:db8::7"));
        assert_eq!(as_name("not a name"), None);
    }
}
