//! Signed notes, and the keys that check them.
//!
//! ```text
//! go.sum database tree
//! 30519453
//! 5pmi2u7Pv4xbBrUGPdOPLpYDbzB5rDfI7DGMTLuD4OI=
//!
//! — sum.golang.org Az3grvX…                       em dash, name, base64 of 4 bytes of key hash and 64 of signature
//!
//! key   sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8
//!       name, hash, base64 of 01 and the 32 bytes of Ed25519; hash = the first 4 bytes of SHA-256(name ⏎ 01 key)
//! ```
//!
//! Everything before the last blank line is signed. Signatures of other keys are passed over; one of ours that is
//! wrong spoils the note, however many others there are.
//!
//! Units and bounds: [`NOTE_BYTES`], [`SIGNATURES`]. Errors: [`NoteFault`], [`KeyFault`].
//! Sources: `golang.org/x/mod/sumdb/note`.

use std::fmt;

use data_encoding::BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// Bytes of a note with its signatures.
pub const NOTE_BYTES: usize = 1_000_000;

/// Signatures of a note.
pub const SIGNATURES: usize = 100;

/// The first byte of a key, and the only kind there is.
const ED25519_KEY: u8 = 1;
const SIGNATURE_START: &str = "\u{2014} ";

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    hash: u32,
    public: [u8; 32],
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not three parts, or one that does not read.
    #[error("a key looks like sum.example.org+033de0ae+Ac4zctda…")]
    Form,
    /// Another kind than Ed25519.
    #[error("the key is not of Ed25519")]
    Kind,
    /// The middle part is of another name or key.
    #[error("the hash in the middle does not fit name and key: it is mistyped or cut off")]
    Hash,
}

/// Why a note is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// It is none.
    #[error("it is no signed note")]
    Form,
    /// The signature of the known key does not fit the text.
    #[error("its signature is wrong")]
    Signature,
    /// Nobody known signed it.
    #[error("it is not signed with the known key")]
    Unsigned,
}

impl VerifierKey {
    /// Reads `name+hash+key`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyFault::Form);
        };
        let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let stated = u32::from_str_radix(hash, 16).ok().filter(|_| is_hash && is_name(name)).ok_or(KeyFault::Form)?;
        let key = BASE64.decode(key.as_bytes()).map_err(|_| KeyFault::Form)?;
        if key_hash(name, &key) != stated {
            return Err(KeyFault::Hash);
        }
        let public = match key.split_first() {
            Some((&ED25519_KEY, public)) => <[u8; 32]>::try_from(public).map_err(|_| KeyFault::Form)?,
            _ => return Err(KeyFault::Kind),
        };
        Ok(Self { name: name.to_owned(), hash: stated, public })
    }

    /// The name of who signs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells this key from others of the same name: `sum.golang.org+033de0ae`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}+{:08x}", self.name, self.hash)
    }

    /// The text of a note that this key signed, with its last line end.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteFault> {
        let is_plain = |c: char| c == '\n' || !c.is_ascii_control();
        let at = note.rfind("\n\n").filter(|_| note.len() <= NOTE_BYTES && note.chars().all(is_plain));
        let (text, signatures) = at.map(|at| (&note[..=at], &note[at + 2..])).ok_or(NoteFault::Form)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteFault::Form)?;
        let mut is_signed = false;
        for (number, line) in lines.split('\n').enumerate() {
            let (name, bytes) = signature(line).filter(|_| number < SIGNATURES).ok_or(NoteFault::Form)?;
            let (hash, signature) = bytes.split_first_chunk::<4>().ok_or(NoteFault::Form)?;
            if name != self.name || u32::from_be_bytes(*hash) != self.hash {
                continue;
            }
            let key = UnparsedPublicKey::new(&ED25519, &self.public);
            key.verify(text.as_bytes(), signature).map_err(|_| NoteFault::Signature)?;
            is_signed = true;
        }
        if is_signed { Ok(text) } else { Err(NoteFault::Unsigned) }
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// The name and the bytes of a signature line.
fn signature(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
    let bytes = BASE64.decode(encoded.as_bytes()).ok()?;
    (is_name(name) && bytes.len() > 4).then_some((name, bytes))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// The first four bytes, big endian, of the digest of name and key.
fn key_hash(name: &str, key: &[u8]) -> u32 {
    let digest = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(key).finalize();
    let first = digest.first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(first)
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    /// Somebody who signs.
    pub(crate) struct Signer {
        pair: Ed25519KeyPair,
        name: String,
    }

    impl Signer {
        pub(crate) fn new(name: &str, seed: u8) -> Self {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("any seed will do");
            Self { pair, name: name.to_owned() }
        }

        /// The key as people write it.
        pub(crate) fn key(&self) -> String {
            let key = [&[ED25519_KEY], self.pair.public_key().as_ref()].concat();
            format!("{}+{:08x}+{}", self.name, key_hash(&self.name, &key), BASE64.encode(&key))
        }

        /// The text with the signature.
        pub(crate) fn sign(&self, text: &str) -> String {
            format!("{text}\n{}", self.line(text))
        }

        pub(crate) fn line(&self, text: &str) -> String {
            let hash = VerifierKey::parse(&self.key()).expect("a key").hash;
            let bytes = [hash.to_be_bytes().as_slice(), self.pair.sign(text.as_bytes()).as_ref()].concat();
            format!("{SIGNATURE_START}{} {}\n", self.name, BASE64.encode(&bytes))
        }
    }

    /// The example of the documentation of golang.org/x/mod/sumdb/note.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const QUOTE: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const PETERS: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_of_gos_own_documentation_is_believed() {
        let key = VerifierKey::parse(PETER).expect("a key");
        assert_eq!((key.name(), key.id().as_str()), ("PeterNeumann", "PeterNeumann+c74f20a3"));
        assert_eq!(key.open(&format!("{QUOTE}\n{PETERS}")), Ok(QUOTE));
    }

    #[test]
    fn a_key_must_fit_its_hash() {
        assert!(VerifierKey::parse(crate::settings::PUBLIC_KEY).is_ok());
        // By note.NewEd25519VerifierKey of golang.org/x/mod v0.43.0.
        let of_go = "log.example+891bac2d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
        assert_eq!(Signer::new("log.example", 7).key(), of_go);
        let rows = [
            ("", KeyFault::Form),
            ("a+b", KeyFault::Form),
            ("a b+c74f20a3+ARpc", KeyFault::Form),
            ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyFault::Form),
            ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", KeyFault::Form),
            ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyFault::Hash),
            ("PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyFault::Hash),
        ];
        for (text, fault) in rows {
            assert_eq!(VerifierKey::parse(text), Err(fault), "{text}");
        }
        let of_kind_two = [&[2_u8][..], &[7; 32]].concat();
        let text = format!("x.y+{:08x}+{}", key_hash("x.y", &of_kind_two), BASE64.encode(&of_kind_two));
        assert_eq!(VerifierKey::parse(&text), Err(KeyFault::Kind));
    }

    #[test]
    fn a_note_is_believed_only_with_our_right_signature() {
        let (ours, others) = (Signer::new("log.example", 1), Signer::new("log.example", 2));
        let key = VerifierKey::parse(&ours.key()).expect("a key");
        let text = "tree\n5\nx\n";
        let forged = ours.line("tree\n6\nx\n");
        let many = others.line(text).repeat(SIGNATURES);
        let rows = [
            (ours.sign(text), Ok(text)),
            (format!("{text}\n{}{}", others.line(text), ours.line(text)), Ok(text)),
            (others.sign(text), Err(NoteFault::Unsigned)),
            (Signer::new("log2.example", 1).sign(text), Err(NoteFault::Unsigned)),
            (format!("{text}\n{forged}"), Err(NoteFault::Signature)),
            (format!("{text}\n{}{forged}", ours.line(text)), Err(NoteFault::Signature)),
            (ours.sign(text).replace('5', "6"), Err(NoteFault::Signature)),
            (format!("{text}\n{many}"), Err(NoteFault::Unsigned)),
            (format!("{text}\n{many}{}", ours.line(text)), Err(NoteFault::Form)),
            (text.to_owned(), Err(NoteFault::Form)),
            (format!("{text}\n"), Err(NoteFault::Form)),
            (ours.sign(text).trim_end().to_owned(), Err(NoteFault::Form)),
            (format!("{text}\nsomething else\n"), Err(NoteFault::Form)),
            (ours.sign("tree\r\n"), Err(NoteFault::Form)),
            (ours.sign(&"x".repeat(NOTE_BYTES)), Err(NoteFault::Form)),
            (String::new(), Err(NoteFault::Form)),
        ];
        for (note, wanted) in rows {
            assert_eq!(key.open(&note), wanted, "{}", note.chars().take(200).collect::<String>());
        }
    }
}
