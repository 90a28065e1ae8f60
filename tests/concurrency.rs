//! Many clients want one version at the same moment: one gets it, and all are told the truth.
//!
//! Each client has a token of its own. All send their form but for its last byte, meet at a barrier, and then
//! send that: nothing of the server's work on a form can be done before, whatever the machine is busy with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::harness::archives;
use crate::harness::exchange::Exchange;
use crate::harness::http;
use crate::harness::random::Random;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Answer;
use crate::harness::{is_long, postgres};

/// Clients at once.
const CLIENTS: usize = 32;

/// Versions that they want, one after the other; in the tests of this file together three times as many.
fn rounds() -> usize {
    match (is_long(), postgres::is_wanted()) {
        (true, _) => 1_000,
        (false, false) => 100,
        (false, true) => 10,
    }
}

/// A server and those who want something of it.
struct Crowd {
    server: Server,
    tokens: Vec<String>,
}

impl Crowd {
    fn gather() -> Self {
        let server = Server::start();
        let token = |number| server.token(&format!("--name client-{number} --actions publish --repositories go/local"));
        let tokens = (0..CLIENTS).map(token).collect();
        Self { server, tokens }
    }

    /// All publish this version at once, the n-th client the n-th of these archives, again and again.
    fn publish(&self, version: &str, archives: &[Vec<u8>]) -> Vec<Answer> {
        let barrier = &Barrier::new(CLIENTS);
        thread::scope(|scope| {
            let pairs = self.tokens.iter().zip(archives.iter().cycle());
            let clients = pairs.map(|(token, archive)| scope.spawn(|| self.client(barrier, token, version, archive)));
            let clients: Vec<_> = clients.collect();
            clients.into_iter().map(|client| client.join().expect("a client that does not panic")).collect()
        })
    }

    fn client(&self, barrier: &Barrier, token: &str, version: &str, archive: &[u8]) -> Answer {
        let form = RawForm::module("example.com/wanted", version).file(archive).finished();
        let framing = format!("Content-Length: {}\r\nConnection: close", form.len());
        let mut exchange = Exchange::with(self.server.host()).expect("the server listens");
        exchange.send(raw_form::head(&self.server, token, &framing).as_bytes()).expect("the server reads");
        exchange.send(&form[..form.len() - 1]).expect("the server reads");
        barrier.wait();
        exchange.send(&form[form.len() - 1..]).expect("the server reads");
        let response = exchange.answer().expect("the server answers");
        Answer { status: response.status, body: response.json() }
    }

    /// The version is there once, its files have the bytes that the API tells of; gives its id.
    fn check(&self, version: &str) -> String {
        let page = self.server.api("GET", &format!("/api/artifacts?name=example.com/wanted&version={version}"), None);
        let page = page.expect(200).json();
        let [artifact] = &page["items"].as_array().expect("items")[..] else { panic!("not one row: {page}") };
        for file in artifact["files"].as_array().expect("files") {
            let body = http::get(file["url"].as_str().expect("an address")).expect(200).body;
            assert_eq!(file["sha256"], HEXLOWER.encode(&Sha256::digest(&body)), "{file}");
        }
        artifact["id"].as_str().expect("an id").to_owned()
    }

    /// The stored blobs by their digests.
    fn blobs(&self) -> BTreeMap<String, usize> {
        let entries = |folder: PathBuf| {
            let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            entries.map(|entry| entry.expect("a readable folder").path())
        };
        let mut found = BTreeMap::new();
        for path in entries(self.server.data().join("blobs").join("sha256")).flat_map(entries) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            *found.entry(name.split('.').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
        found
    }
}

/// A module of some number; even ones live in the database, odd ones are blobs.
fn module(number: usize) -> Vec<u8> {
    let length = if number.is_multiple_of(2) { 100 } else { 64 * 1024 };
    archives::zip(&[("noise.bin", &Random::seeded(number as u64).bytes(length))])
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[test]
fn of_many_who_publish_equal_bytes_at_once_one_gets_201_and_the_others_200() {
    let crowd = Crowd::gather();
    for round in 0..rounds() {
        let version = format!("v1.{round}.0");
        let answers = crowd.publish(&version, &[module(round)]);
        assert_eq!((count(&answers, 201), count(&answers, 200)), (1, CLIENTS - 1), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body["id"] == answers[0].body["id"]), "{answers:?}");
        crowd.check(&version);
    }
    // Those who came too late have left no copy of their own.
    let blobs = crowd.blobs();
    assert_eq!(blobs.len(), rounds() / 2, "{blobs:?}");
    assert!(blobs.values().all(|copies| *copies == 1), "{blobs:?}");
}

#[test]
fn of_many_who_publish_different_bytes_at_once_one_wins_and_only_its_equals_are_told_so() {
    let crowd = Crowd::gather();
    for round in 0..rounds() {
        let version = format!("v1.{round}.0");
        let archives: Vec<_> = (0..4).map(|number| module(4 * round + number)).collect();
        let answers = crowd.publish(&version, &archives);
        let winner = answers.iter().position(|answer| answer.status == 201).expect("somebody won");
        for (client, answer) in answers.iter().enumerate() {
            let is_equal = client % archives.len() == winner % archives.len();
            let expected = if client == winner {
                201
            } else if is_equal {
                200
            } else {
                409
            };
            assert_eq!(answer.status, expected, "client {client}, winner {winner}: {answer}");
            assert!(expected != 409 || answer.text("code") == "version_exists", "{answer}");
        }
        crowd.check(&version);
    }
    assert!(crowd.blobs().values().all(|copies| *copies == 1), "{:?}", crowd.blobs());
}

#[test]
fn nobody_of_many_gets_a_deleted_version_not_even_with_its_own_bytes() {
    let crowd = Crowd::gather();
    for round in 0..rounds() / 2 {
        let version = format!("v1.{round}.0");
        crowd.publish(&version, &[module(round)]);
        let path = format!("/api/artifacts/{}", crowd.check(&version));
        crowd.server.api("DELETE", &path, None).expect(204);
        let answers = crowd.publish(&version, &[module(round), module(round + 1)]);
        assert_eq!(count(&answers, 410), CLIENTS, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.text("code") == "version_deleted"), "{answers:?}");
    }
}

#[test]
fn a_deletion_among_many_repeats_of_a_publication_is_final() {
    let crowd = Crowd::gather();
    for round in 0..rounds() / 2 {
        let version = format!("v1.{round}.0");
        let id = crowd.publish(&version, &[module(round)])[0].text("id").to_owned();
        thread::scope(|scope| {
            let publishers = scope.spawn(|| crowd.publish(&version, &[module(round)]));
            let token = Some(ADMIN_TOKEN);
            let path = format!("/api/artifacts/{id}");
            let deleted = crate::harness::exchange::ask(crowd.server.host(), "DELETE", &path, token);
            assert_eq!(deleted.expect("an answer").status, 204);
            let answers = publishers.join().expect("clients that do not panic");
            assert_eq!(count(&answers, 200) + count(&answers, 410), CLIENTS, "{answers:?}");
        });
        for ending in [".info", ".mod", ".zip"] {
            let url = format!("{}/example.com/wanted/@v/{version}{ending}", crowd.server.go("local"));
            http::get(&url).expect(410);
        }
    }
}
