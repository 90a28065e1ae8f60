//! Copies of what an upstream has, fetched until the server is taken away: what was given out once is here for ever, with
//! the bytes that the upstream sent, and is never asked for again.
//!
//! The upstream has `example.com/r<n>@v1.0.0` for every number; all bytes follow from it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::clients::Key;
use crate::harness::exchange::ask;
use crate::harness::goproxy::Module;
use crate::harness::random::Random;
use crate::harness::scripted::{Asked, Reply, Scripted};
use crate::harness::server::Server;

const VERSION: &str = "v1.0.0";
const ENDINGS: [&str; 3] = ["info", "mod", "zip"];

/// A file: the number of its module, and which of the three it is.
type File = (Key, usize);

/// The upstream, and what clients were given of it.
pub(super) struct Copies {
    upstream: Scripted,
    given: Mutex<BTreeSet<File>>,
}

fn module(key: Key) -> Module {
    let length = [100, 30_000, 300_000][key as usize % 3];
    let noise = Random::seeded(u64::from(key)).bytes(length);
    Module::new(&format!("example.com/r{key}"), VERSION).with("noise.bin", noise)
}

fn bytes((key, which): File) -> Vec<u8> {
    let module = module(key);
    match ENDINGS[which] {
        "info" => module.info().into_bytes(),
        "mod" => module.go_mod().as_bytes().to_vec(),
        _ => module.zip(),
    }
}

/// The path of a file below the upstream.
fn path((key, which): File) -> String {
    module(key).at(ENDINGS[which])
}

/// What the upstream sends.
fn answer(asked: &Asked) -> Reply {
    let file = || {
        let (key, rest) = asked.path.strip_prefix("/example.com/r")?.split_once('/')?;
        let which = ENDINGS.iter().position(|ending| rest == format!("@v/{VERSION}.{ending}"))?;
        Some((key.parse().ok()?, which))
    };
    file().map_or_else(|| Reply::status(404), |file| Reply::bytes(bytes(file)))
}

impl Copies {
    /// An upstream, and a repository of the server with copies of it: `go/mirror`.
    pub(super) fn of(server: &Server) -> Self {
        let upstream = Scripted::answering(answer);
        server.create_repository(&json!({
            "format": "go", "name": "mirror", "kind": "remote", "anonymous_read": true,
            "upstream": { "url": upstream.url, "allow_http": true },
            "settings": { "checksum_database": "off", "verify": "off" },
        }));
        Self { upstream, given: Mutex::default() }
    }

    fn given(&self) -> MutexGuard<'_, BTreeSet<File>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many files were given out.
    pub(super) fn count(&self) -> usize {
        self.given().len()
    }

    /// Reads one of the latest files. `None` when the server is gone.
    pub(super) fn read(&self, host: &str, newest: Key, chance: &mut Random) -> Option<()> {
        let file = (newest.saturating_sub(chance.below(6) as Key), chance.below(3) as usize);
        let was_given = self.given().contains(&file);
        let response = ask(host, "GET", &format!("/go/mirror{}", path(file)), None)?;
        // The collector, which waits for nobody here, may have taken a copy on its way for waste.
        if response.status == 503 && !was_given {
            return Some(());
        }
        assert_eq!(response.status, 200, "{file:?}: {}", response.text());
        assert!(response.body == bytes(file), "{file:?} has other bytes");
        self.given().insert(file);
        Some(())
    }

    /// Looks at some of what was given out, or at all of it. Nobody is asked for it any more.
    pub(super) fn look_at(&self, server: &Server, chance: &mut Random, some: Option<usize>) {
        let given: Vec<_> = self.given().iter().copied().collect();
        let files: Vec<_> = match some {
            Some(count) => (0..count).filter_map(|_| chance.one_of(&given).copied()).collect(),
            None => given,
        };
        self.upstream.forget();
        for file in files {
            let response = ask(server.host(), "GET", &format!("/go/mirror{}", path(file)), None).expect("it runs");
            assert_eq!(response.status, 200, "{file:?} was given out: {}", response.text());
            assert!(response.body == bytes(file), "{file:?} has other bytes");
        }
        assert_eq!(self.upstream.requests(), [""; 0], "what is here is asked for again");
    }
}
