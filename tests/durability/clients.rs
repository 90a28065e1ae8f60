//! Clients that publish, repeat, contradict, delete and read, until the server is taken away; and the look at
//! what it still has when it is back.
//!
//! Versions are `example.com/p<n>@v1.0.0`, so a version is its number. Each has a few clients that may want it
//! at the same time; content is a number too, from which all bytes of the module follow.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::copies::Copies;
use super::model::{Content, Seen, Version};
use crate::harness::archives;
use crate::harness::exchange::{Exchange, ask};
use crate::harness::http::Response;
use crate::harness::random::Random;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::{ADMIN_TOKEN, Server};

/// A version, by its number.
pub(crate) type Key = u32;

/// The versions that the clients share, and what is known of each.
#[derive(Default)]
pub(crate) struct World {
    versions: Mutex<BTreeMap<Key, Entry>>,
    next: AtomicU32,
    /// Set before the server is killed: from then on a missing answer means nothing.
    pub(crate) ends: AtomicBool,
}

#[derive(Default, Clone)]
struct Entry {
    model: Version,
    /// As the answer to a publication tells it.
    id: Option<String>,
    /// Whether nothing has happened to it since it was last looked at.
    settled: bool,
}

impl World {
    /// A client that found a fault must not make the others fail, too.
    fn versions(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a version.
    fn change<T>(&self, key: Key, change: impl FnOnce(&mut Entry) -> T) -> T {
        change(self.versions().entry(key).or_default())
    }

    /// The versions to which something has happened since they were last looked at, and some others.
    pub(crate) fn unsettled(&self, chance: &mut Random, others: usize) -> Vec<Key> {
        let versions = self.versions();
        let (settled, mut all): (Vec<_>, Vec<_>) = versions.keys().partition(|key| versions[key].settled);
        all.extend((0..others).filter_map(|_| chance.one_of(&settled)).copied());
        all
    }

    /// All versions.
    pub(crate) fn all(&self) -> Vec<Key> {
        self.versions().keys().copied().collect()
    }

    /// Looks at a version while nothing is under way.
    pub(crate) fn settle(&self, server: &Server, key: Key) -> Seen {
        let seen = look(server, key);
        self.change(key, |entry| {
            let before = entry.clone();
            assert!(entry.model.settles(seen), "{} is {seen:?}, but: {:?}", name(key), before.model);
            entry.settled = true;
            if seen == Seen::Absent {
                entry.id = None;
            }
        });
        seen
    }

    /// Works until the server is gone.
    pub(crate) fn client(&self, copies: &Copies, host: &str, mut chance: Random) {
        while self.step(copies, host, &mut chance).is_some() {}
        // An answer that does not come while the server lives is a fault of it.
        assert!(self.ends.load(Ordering::SeqCst), "a connection broke before the server was killed");
    }

    fn step(&self, copies: &Copies, host: &str, chance: &mut Random) -> Option<()> {
        match chance.below(24) {
            // Versions that are new to all, and ones that others have just begun as well.
            0..9 => self.publish(host, self.next.fetch_add(1, Ordering::Relaxed), content(chance)),
            9..13 => self.publish(host, self.recent(chance), chance.below(2) as Content),
            13..15 => self.publish(host, self.recent(chance), content(chance)),
            15..17 => self.delete(host, chance),
            17..20 => self.read(host, self.recent(chance)),
            _ => copies.read(host, self.next.load(Ordering::Relaxed), chance),
        }
    }

    fn recent(&self, chance: &mut Random) -> Key {
        let next = self.next.load(Ordering::Relaxed);
        next.saturating_sub(chance.below(12) as Key)
    }

    fn publish(&self, host: &str, key: Key, content: Content) -> Option<()> {
        let before = self.change(key, |entry| {
            entry.settled = false;
            let before = entry.model.clone();
            entry.model.publishes(content);
            before
        });
        let form = RawForm::module(&name(key), "v1.0.0").file(module(content)).finished();
        let (_, response) = post(host, &form)?;
        self.change(key, |entry| {
            let (status, known) = (response.status, entry.model.clone());
            let allowed = entry.model.published(&before, content, status);
            assert!(allowed, "{} {content}: {status} {}; before {before:?}, now {known:?}", name(key), response.text());
            if matches!(status, 200 | 201) {
                entry.id = response.json()["id"].as_str().map(str::to_owned);
            }
        });
        Some(())
    }

    /// Deletes one of the latest versions that have an id.
    fn delete(&self, host: &str, chance: &mut Random) -> Option<()> {
        let known = |(key, entry): (&Key, &Entry)| Some((*key, entry.id.clone()?));
        let known: Vec<_> = self.versions().iter().rev().filter_map(known).take(12).collect();
        let Some((key, id)) = chance.one_of(&known) else { return Some(()) };
        let key = *key;
        self.change(key, |entry| {
            entry.settled = false;
            entry.model.deletes();
        });
        let response = ask(host, "DELETE", &format!("/api/artifacts/{id}?reason=test"), Some(ADMIN_TOKEN))?;
        assert_eq!(response.status, 204, "{}: {}", name(key), response.text());
        self.change(key, |entry| entry.model.deleted());
        Some(())
    }

    fn read(&self, host: &str, key: Key) -> Option<()> {
        let before = self.change(key, |entry| entry.model.clone());
        let response = ask(host, "GET", &format!("/go/local/{}", file(key, ".zip")), None)?;
        let seen = seen(&response);
        self.change(key, |entry| {
            let (allowed, now) = (entry.model.read(&before, seen), &entry.model);
            assert!(allowed, "{} is {seen:?}, before {before:?}, now {now:?}", name(key));
        });
        Some(())
    }
}

/// What a version shows everywhere: in the API, in the list of versions, and in each of its files.
fn look(server: &Server, key: Key) -> Seen {
    let get = |path: &str| ask(server.host(), "GET", path, Some(ADMIN_TOKEN)).expect("the server runs");
    let page = get(&format!("/api/artifacts?name={}&version=v1.0.0", name(key))).expect(200).json();
    let zip = get(&format!("/go/local/{}", file(key, ".zip")));
    let seen = seen(&zip);
    let rows = page["items"].as_array().expect("a page has items");
    let list = get(&format!("/go/local/{}/@v/list", name(key)));
    let is_there = matches!(seen, Seen::There(_));
    assert_eq!(rows.len(), usize::from(is_there), "{} is {seen:?} as a file, but here: {page}", name(key));
    let listed = if list.status == 200 { list.text() } else { String::new() };
    assert_eq!(listed, if is_there { "v1.0.0\n" } else { "" }, "{} is {seen:?}", name(key));
    for ending in [".info", ".mod"] {
        let status = get(&format!("/go/local/{}", file(key, ending))).status;
        assert_eq!(status, zip.status, "{} {ending}", name(key));
    }
    for row in rows {
        let files = row["files"].as_array().expect("an artifact has files");
        assert_eq!(files.len(), 3, "{row}");
        files.iter().for_each(|file| check(file, &get));
    }
    seen
}

/// A file has the bytes that its row tells of.
fn check(file: &Value, get: &impl Fn(&str) -> Response) {
    let url = file["url"].as_str().expect("a file has an address");
    let path = url.split_once("/go/").map(|(_, path)| format!("/go/{path}")).expect("an address of a Go repository");
    let body = get(&path).expect(200).body;
    assert_eq!(file["size"], body.len(), "{file}");
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&body));
    assert_eq!(file["sha256"], digest, "{file}");
}

/// What an answer to a request for the zip means. Anything but these three is a fault.
fn seen(response: &Response) -> Seen {
    match response.status {
        200 => Seen::There(content_of(&response.body)),
        404 => Seen::Absent,
        410 => Seen::Gone,
        status => panic!("{status} {}", response.text()),
    }
}

/// Sends a form; gives the client's port and the answer.
pub(crate) fn post(host: &str, form: &[u8]) -> Option<(u16, Response)> {
    let head = format!(
        "POST /api/artifacts HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nConnection: close\r\n\
         Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
        raw_form::content_type(),
        form.len()
    );
    let mut exchange = Exchange::with(host)?;
    let port = exchange.port;
    exchange.send(head.as_bytes())?;
    // A refusal may come before all of the form was sent.
    let _sent = exchange.send(form);
    Some((port, exchange.answer()?))
}

fn name(key: Key) -> String {
    format!("example.com/p{key}")
}

fn file(key: Key, ending: &str) -> String {
    format!("{}/@v/v1.0.0{ending}", name(key))
}

/// Mostly small modules, which live in the database, and some that are blobs.
fn content(chance: &mut Random) -> Content {
    chance.below(1_000_000) as Content
}

/// The module with this content; its zip is of about 0.5, 50 or 400 KiB.
fn module(content: Content) -> Vec<u8> {
    let length = match content % 8 {
        0..5 => 100,
        5..7 => 50 * 1024,
        _ => 400 * 1024,
    };
    let noise = Random::seeded(u64::from(content)).bytes(length);
    archives::zip(&[("content.txt", content.to_string().as_bytes()), ("noise.bin", &noise)])
}

/// The content that a module was made of; all of it must be that.
fn content_of(zip: &[u8]) -> Content {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap_or_else(|error| panic!("a torn zip: {error}"));
    let mut bytes = |ending: &str| {
        let at = archive.file_names_raw().position(|name| name.ends_with(ending.as_bytes()));
        let mut entry = archive.by_index(at.unwrap_or_else(|| panic!("a zip without {ending}"))).expect("it is there");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("torn bytes of {ending}: {error}"));
        bytes
    };
    let content = String::from_utf8(bytes("/content.txt")).expect("text").parse().expect("a number");
    let noise = bytes("/noise.bin");
    assert!(noise == Random::seeded(u64::from(content)).bytes(noise.len()), "the noise of {content} is another one");
    content
}
