//! Secrets at rest: what has to be kept and used again, such as the password of an upstream, is sealed with a key
//! that is not in the database.
//!
//! ```text
//! secrets.key    64 hexadecimal digits, mode 0600, made at first start
//! sealed         1 | nonce (24 bytes) | XChaCha20-Poly1305 of the text, bound to what it is for
//! ```
//!
//! A sealed text that is put in the place of another one does not open. A copy of the database alone tells nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce: random ones never meet.
const NONCE_BYTES: usize = 24;
/// The first byte of all that is sealed this way.
const VERSION: u8 = 1;
/// Bytes of the file that are read.
const FILE_BYTES: u64 = 1024;

/// The key. It cleans up behind itself, and has no `Debug` that shows it.
pub struct SecretsKey(XChaCha20Poly1305);

impl std::fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretsKey(…)")
    }
}

impl SecretsKey {
    /// The key in a file; `None` when there is no file.
    ///
    /// # Errors
    /// Those of the disk, and a file that holds no key.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(FILE_BYTES).read_to_string(&mut text)?;
        let key = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
        let key = key.filter(|key| key.len() == KEY_BYTES).and_then(|key| XChaCha20Poly1305::new_from_slice(&key).ok());
        let no_key = || io::Error::new(ErrorKind::InvalidData, "it does not hold 64 hexadecimal digits");
        key.map(|key| Some(Self(key))).ok_or_else(no_key)
    }

    /// A new key in a new file, durable. It is there whole or not at all, and whoever comes second finds it.
    ///
    /// # Errors
    /// Those of the disk, also when there is a file ([`ErrorKind::AlreadyExists`]).
    pub fn make(path: &Path) -> io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}", getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?));
        let unfinished = Path::new(&unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished)?;
        let written = writeln!(file, "{}", data_encoding::HEXLOWER.encode(&key)).and_then(|()| file.sync_all());
        // A link replaces nothing.
        let linked = written.and_then(|()| std::fs::hard_link(unfinished, path));
        std::fs::remove_file(unfinished)?;
        linked?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self(XChaCha20Poly1305::new(&key.into())))
    }

    /// The key in a file, or a new one where there is none. Of several servers that start at once on one file, one makes
    /// it and the others read it.
    ///
    /// # Errors
    /// Those of the disk, and a file that holds no key.
    pub fn read_or_make(path: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        match Self::make(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path)?.ok_or(error),
            made => made,
        }
    }

    /// Seals a text for what it is for.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn seal(&self, purpose: &str, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| io::Error::other("too long"))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed with this key for the same purpose, and nothing else.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        (*version == VERSION).then(|| self.0.decrypt(&XNonce::from(*nonce), payload).ok())?
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_sealed_text_opens_with_its_key_for_its_purpose_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets.key");
        assert!(SecretsKey::read(&path).expect("no file").is_none());
        let key = SecretsKey::make(&path).expect("made");
        assert!(SecretsKey::make(&path).is_err(), "a key is never overwritten");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let sealed = key.seal("repository 7", b"hunter2").expect("sealed");
        assert_ne!(sealed, key.seal("repository 7", b"hunter2").expect("sealed"), "never twice the same");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        let again = SecretsKey::read(&path).expect("read").expect("a key");
        assert_eq!(again.open("repository 7", &sealed).as_deref(), Some(&b"hunter2"[..]));
        assert!(again.open("repository 8", &sealed).is_none(), "moved to another row");
        let other = SecretsKey::make(&folder.path().join("other.key")).expect("made");
        assert!(other.open("repository 7", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("repository 7", &changed).is_none(), "byte {at}");
            assert!(key.open("repository 7", &sealed[..at]).is_none(), "cut at {at}");
        }
        std::fs::write(&path, "no key").expect("written");
        assert!(SecretsKey::read(&path).is_err());
    }

    #[test]
    fn all_who_start_at_once_on_one_file_have_one_key() {
        const SERVERS: usize = 8;
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("secrets.key");
            let barrier = std::sync::Barrier::new(SERVERS);
            let keys: Vec<_> = std::thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    SecretsKey::read_or_make(&path).expect("a key")
                };
                let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(start)).collect();
                servers.into_iter().map(|server| server.join().expect("it starts")).collect()
            });
            let sealed = keys[0].seal("a", b"text").expect("sealed");
            assert!(keys.iter().all(|key| key.open("a", &sealed).is_some()));
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        }
    }
}
