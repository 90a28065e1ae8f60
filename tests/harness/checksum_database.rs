//! A checksum database with a key of its own, which can lie.
//!
//! ```text
//! key     NAME+<first 4 bytes of SHA-256(NAME ‖ \n ‖ 1 ‖ key), as hex>+base64(1 ‖ key)
//! lookup  ID \n  the record  \n  the signed head
//! head    go.sum database tree \n  size \n  base64 of the root \n  \n  — NAME base64(first 4 bytes ‖ signature)
//! tile    /tile/8/LEVEL/NNN[.p/WIDTH]: hashes of the tree's nodes
//! ```
//!
//! Written from the descriptions and not from the program's own reader: RFC 6962, 2.1;
//! <https://go.dev/design/25530-sumdb>; <https://research.swtch.com/tlog>.

use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use super::goproxy::Module;
use super::scripted::{Asked, Reply, Scripted};

/// Height of a tile.
const HEIGHT: u32 = 8;

type Hash = [u8; 32];

/// How it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It does not.
    None,
    /// Lookups give this text in place of the record; the tree has the true one.
    Record(String),
    /// The first bit of every tile is wrong.
    Tiles,
    /// Heads are signed with a root that is none.
    Root,
    /// Heads are of a tree of this size, however much it has grown.
    OldHead(usize),
    /// Heads are signed with another key under the same name.
    OtherKey,
    /// Heads are not signed at all.
    Unsigned,
    /// Heads have these lines more, signed.
    HeadWith(String),
    /// These lines follow the signed head.
    Trailing(String),
}

/// What is logged, and what is said of it.
struct Log {
    name: String,
    key: Ed25519KeyPair,
    other: Ed25519KeyPair,
    records: Vec<String>,
    lie: Lie,
}

/// The database and its book.
pub(crate) struct ChecksumDatabase {
    /// What answers for it.
    pub(crate) server: Scripted,
    log: Arc<Mutex<Log>>,
}

impl ChecksumDatabase {
    /// An empty database of this name.
    pub(crate) fn start(name: &str) -> Self {
        let key = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes");
        let (key, other) = (key(7), key(8));
        let log = Log { name: name.to_owned(), key, other, records: Vec::new(), lie: Lie::None };
        let log = Arc::new(Mutex::new(log));
        let answering = Arc::clone(&log);
        let server = Scripted::answering(move |asked| locked(&answering).answer(asked));
        Self { server, log }
    }

    /// The key by which its heads are verified, as in `GOSUMDB`.
    pub(crate) fn key(&self) -> String {
        let log = locked(&self.log);
        let public = public_key(&log.key);
        format!("{}+{}+{}", log.name, hex(&key_hash(&log.name, &public)), STANDARD.encode(public))
    }

    /// Logs a module.
    pub(crate) fn log(&self, module: &Module) {
        self.log_text(&module.record());
    }

    /// Logs a record of this text.
    pub(crate) fn log_text(&self, record: &str) {
        locked(&self.log).records.push(record.to_owned());
    }

    /// Writes its history anew: the record of this number is another one now.
    pub(crate) fn rewrite(&self, id: usize, record: &str) {
        record.clone_into(&mut locked(&self.log).records[id]);
    }

    /// Lies from now on.
    pub(crate) fn lie(&self, lie: Lie) {
        locked(&self.log).lie = lie;
    }
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().expect("nobody panics")
}

/// The algorithm's number and the key.
fn public_key(key: &Ed25519KeyPair) -> Vec<u8> {
    [&[1], key.public_key().as_ref()].concat()
}

fn key_hash(name: &str, public: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest([name.as_bytes(), b"\n", public].concat());
    [digest[0], digest[1], digest[2], digest[3]]
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn leaf(record: &str) -> Hash {
    Sha256::digest([&[0], record.as_bytes()].concat()).into()
}

/// The root of the tree over these leaves.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256::digest([&[1], &root(left)[..], &root(right)[..]].concat()).into()
        }
    }
}

impl Log {
    fn answer(&self, asked: &Asked) -> Reply {
        let found = match asked.path.strip_prefix('/').unwrap_or_default() {
            "latest" => Some(Reply::text(self.head())),
            path => match path.split_once('/') {
                Some(("lookup", what)) => self.lookup(what),
                Some(("tile", tile)) => self.tile(tile).map(Reply::bytes),
                _ => None,
            },
        };
        found.unwrap_or_else(|| Reply::status(404))
    }

    fn leaves(&self) -> Vec<Hash> {
        self.records.iter().map(|record| leaf(record)).collect()
    }

    /// The signed head.
    fn head(&self) -> String {
        let mut leaves = self.leaves();
        if let Lie::OldHead(size) = self.lie {
            leaves.truncate(size);
        }
        let hash = if self.lie == Lie::Root { [7; 32] } else { root(&leaves) };
        let mut text = format!("go.sum database tree\n{}\n{}\n", leaves.len(), STANDARD.encode(hash));
        if let Lie::HeadWith(lines) = &self.lie {
            text.push_str(lines);
        }
        let signer = if self.lie == Lie::OtherKey { &self.other } else { &self.key };
        let signature = signer.sign(text.as_bytes());
        // Under the hash of the true key, or nobody would look at it.
        let told = [&key_hash(&self.name, &public_key(&self.key))[..], signature.as_ref()].concat();
        match self.lie {
            Lie::Unsigned => format!("{text}\n"),
            _ => format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode(told)),
        }
    }

    fn lookup(&self, what: &str) -> Option<Reply> {
        let (path, version) = what.split_once('@')?;
        let first = format!("{} {}", unescaped(path), unescaped(version));
        let begins = |record: &String| {
            record.strip_prefix(&first).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with("/go.mod "))
        };
        let id = self.records.iter().position(begins)?;
        let record = match &self.lie {
            Lie::Record(text) => text,
            _ => &self.records[id],
        };
        let trailing = match &self.lie {
            Lie::Trailing(lines) => lines.as_str(),
            _ => "",
        };
        Some(Reply::text(format!("{id}\n{record}\n{}{trailing}", self.head())))
    }

    /// The hashes of a tile: `8/0/x001/067.p/5`.
    fn tile(&self, tile: &str) -> Option<Vec<u8>> {
        let (tile, width) = match tile.split_once(".p/") {
            Some((tile, width)) => (tile, width.parse().ok()?),
            None => (tile, 1_usize << HEIGHT),
        };
        let mut parts = tile.split('/');
        (parts.next()? == HEIGHT.to_string()).then_some(())?;
        let level: u32 = parts.next()?.parse().ok()?;
        let number = parts.try_fold(0, |number, part| {
            let group: usize = part.trim_start_matches('x').parse().ok()?;
            Some(number * 1000 + group)
        })?;
        let (below, leaves) = (1_usize.checked_shl(HEIGHT * level)?, self.leaves());
        let first = number << HEIGHT;
        let hashes = (first..first + width).map(|node| leaves.get(node * below..(node + 1) * below).map(root));
        let mut bytes = hashes.collect::<Option<Vec<_>>>()?.concat();
        if self.lie == Lie::Tiles {
            bytes[0] ^= 1;
        }
        Some(bytes)
    }
}

/// A name as it is, of one in a request.
fn unescaped(text: &str) -> String {
    let text = text.replace("%21", "!");
    let mut parts = text.split('!');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut rest = part.chars();
        plain.extend(rest.next().map(|c| c.to_ascii_uppercase()));
        plain.push_str(rest.as_str());
    }
    plain
}
