//! A module of the greatest size passes through in little memory, and one byte more is refused. So does one of as
//! many files as an archive may have.
//!
//! The limit of a Go module is 500 MiB: of the upload, of the zip that clients get, and of all files together.
//! The module here is noise, so its zip stores it as it is, and both zips are made to have exactly that size:
//! the noise fills the one that clients get, a comment behind the archive fills the upload.
//!
//! Everything is streamed; one such module at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::harness::archives;
use crate::harness::exchange::Exchange;
use crate::harness::goproxy::Module as Foreign;
use crate::harness::http::Response;
use crate::harness::random::Random;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::scripted::{Reply, Scripted};
use crate::harness::server::{ADMIN_TOKEN, Server};

/// The limit.
const LIMIT: u64 = 500 * 1024 * 1024;

/// What the other fields and the form's own lines may add to the length of a request.
const FORM: u64 = 1024 * 1024;

/// Resident memory above that of an idle server.
const MEMORY_KIB: u64 = 96 * 1024;

/// Bytes of noise that are sent at once.
const PIECE: usize = 64 * 1024;

const NAME: &str = "example.com/large";

/// Two such modules at once would need several gigabytes of disk.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A zip with a `go.mod`, a file of noise and a comment, nothing compressed.
#[derive(Clone, Copy)]
struct Module {
    noise: u64,
    comment: u64,
}

impl Module {
    /// The greatest one, measured by the zip that is made of a small one: noise adds to it byte by byte.
    fn at_the_limit(server: &Server) -> Self {
        let small = Self { noise: 1024 * 1024, comment: 0 };
        let answer = small.publish(server, "v0.0.1").expect(201).json();
        let zip = zip_of(&answer);
        let noise = small.noise + LIMIT - zip["size"].as_u64().expect("a size");
        Self { noise, comment: 0 }.commented()
    }

    /// With a comment that fills the upload to the limit.
    fn commented(self) -> Self {
        Self { comment: LIMIT - Self { comment: 0, ..self }.bytes(), ..self }
    }

    fn bytes(self) -> u64 {
        let (files, directory) = self.frame(0);
        let framed = files.iter().map(Vec::len).sum::<usize>() + directory.len();
        framed as u64 + self.noise + self.comment
    }

    /// What stands before the noise, behind each file, and at the end but for the comment.
    fn frame(self, noise_sum: u32) -> ([Vec<u8>; 2], Vec<u8>) {
        let go_mod = format!("module {NAME}\n").into_bytes();
        let mut sum = crc32fast::Hasher::new();
        sum.update(&go_mod);
        let entries = [("go.mod", go_mod.len() as u64, sum.finalize()), ("noise.bin", self.noise, noise_sum)];
        let (mut locals, mut directory, mut at) = (Vec::new(), Vec::new(), 0_u64);
        for (name, size, sum) in entries {
            // Version 2.0, stored, on the first day of 1980.
            let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
            for number in [sum, narrow(size), narrow(size)] {
                common.extend_from_slice(&number.to_le_bytes());
            }
            common.extend_from_slice(&[u8::try_from(name.len()).expect("a short name"), 0, 0, 0]);
            let local = [b"PK\x03\x04", &common[..], name.as_bytes()].concat();
            directory.extend_from_slice(&[b"PK\x01\x02\x14\0", &common[..], &[0; 10]].concat());
            directory.extend_from_slice(&narrow(at).to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
            at += local.len() as u64 + size;
            locals.push(local);
        }
        let [first, second] = &locals[..] else { unreachable!("there are two files") };
        let mut end = b"PK\x05\x06\0\0\0\0\x02\0\x02\0".to_vec();
        end.extend_from_slice(&narrow(directory.len() as u64).to_le_bytes());
        end.extend_from_slice(&narrow(at).to_le_bytes());
        end.extend_from_slice(&u16::try_from(self.comment).expect("a short comment").to_le_bytes());
        ([[&first[..], &go_mod].concat(), second.clone()], [directory, end].concat())
    }

    /// Gives the noise piece by piece; no two pieces are equal.
    fn noise(self, mut take: impl FnMut(&[u8])) {
        let mut piece = Random::seeded(7).bytes(PIECE);
        for number in 0..self.noise.div_ceil(PIECE as u64) {
            piece[..8].copy_from_slice(&number.to_be_bytes());
            let rest = self.noise - number * PIECE as u64;
            take(&piece[..usize::try_from(rest).map_or(PIECE, |rest| rest.min(PIECE))]);
        }
    }

    /// Sends it as the administrator.
    fn publish(self, server: &Server, version: &str) -> Response {
        let mut sum = crc32fast::Hasher::new();
        self.noise(|piece| sum.update(piece));
        let ([first, second], end) = self.frame(sum.finalize());
        let form = String::from_utf8(RawForm::module(NAME, version).file("").finished()).expect("text");
        let (before, behind) = form.rsplit_once("\r\n--").expect("an end");
        let length = form.len() as u64 + self.bytes();
        let framing = format!("Content-Length: {length}\r\nConnection: close");
        let mut exchange = Exchange::with(server.host()).expect("the server listens");
        // A refusal may come before all is sent; then it is the answer that counts.
        let mut send = |bytes: &[u8]| {
            let _sent = exchange.send(bytes);
        };
        send(raw_form::head(server, ADMIN_TOKEN, &framing).as_bytes());
        [before.as_bytes(), &first, &second].into_iter().for_each(&mut send);
        self.noise(&mut send);
        send(&end);
        send(&vec![b' '; usize::try_from(self.comment).expect("a short comment")]);
        send(format!("\r\n--{behind}").as_bytes());
        exchange.answer().expect("the server answers")
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("far below 4 GiB")
}

fn zip_of(artifact: &serde_json::Value) -> &serde_json::Value {
    let files = artifact["files"].as_array().expect("files");
    files.iter().find(|file| file["name"].as_str().is_some_and(|name| name.ends_with(".zip"))).expect("a zip")
}

/// A number of the process's status, in KiB.
fn memory_kib(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of it");
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().expect("a number")
}

/// Length and digest of a file.
fn download(server: &Server, url: &str) -> (u64, String) {
    let mut stream = TcpStream::connect(server.host()).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout above zero");
    let (_, path) = url.split_once(server.host()).expect("an address of this server");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    stream.write_all(head.as_bytes()).expect("the server reads");
    let mut reader = BufReader::with_capacity(PIECE, stream);
    let mut line = String::new();
    while reader.read_line(&mut line).expect("a head") > 2 {
        line.clear();
    }
    let (mut length, mut digest, mut piece) = (0, Sha256::new(), vec![0; PIECE]);
    while let count @ 1.. = reader.read(&mut piece).expect("the server writes") {
        length += count as u64;
        digest.update(&piece[..count]);
    }
    (length, HEXLOWER.encode(&digest.finalize()))
}

#[test]
fn a_module_at_the_limit_goes_in_and_out_within_96_mib_of_memory() {
    let _turn = turn();
    let server = Server::start();
    let idle = memory_kib(&server, "VmRSS");
    let module = Module::at_the_limit(&server);
    assert_eq!(module.bytes(), LIMIT);
    let artifact = module.publish(&server, "v1.0.0").expect(201).json();
    let published = memory_kib(&server, "VmHWM");
    let zip = zip_of(&artifact);
    assert_eq!(zip["size"], LIMIT, "{zip}");
    let (length, digest) = download(&server, zip["url"].as_str().expect("an address"));
    assert_eq!((length, &*digest), (LIMIT, zip["sha256"].as_str().expect("a digest")));
    let downloaded = memory_kib(&server, "VmHWM");
    assert!(published - idle <= MEMORY_KIB, "publishing: {published} KiB, idle {idle} KiB");
    assert!(downloaded - idle <= MEMORY_KIB, "downloading: {downloaded} KiB, idle {idle} KiB");
}

/// As many entries as are accepted, a few bytes each.
fn many_files(count: usize) -> Vec<u8> {
    let go_mod = format!("module {NAME}\n");
    let names: Vec<_> =
        (1..count).map(|number| format!("internal/generated/d{}/file{number}.go", number % 500)).collect();
    let files = names.iter().map(|name| (name.as_str(), &b"package d\n"[..]));
    archives::stored(&[("go.mod", go_mod.as_bytes())].into_iter().chain(files).collect::<Vec<_>>())
}

#[test]
fn a_module_of_very_many_files_is_published_within_96_mib_of_memory() {
    const ENTRIES: usize = 200_000;
    let _turn = turn();
    let server = Server::start();
    let idle = memory_kib(&server, "VmRSS");
    let archive = many_files(ENTRIES);
    let artifact = RawForm::module(NAME, "v1.0.0").file(archive).send(&server).expect(201).json();
    let peak = memory_kib(&server, "VmHWM");
    assert_eq!(artifact["metadata"]["files"], ENTRIES, "{artifact}");
    assert!(peak - idle <= MEMORY_KIB, "publishing: {peak} KiB, idle {idle} KiB");
}

#[test]
fn one_byte_over_the_limit_is_refused_whether_of_the_upload_or_of_the_zip_made_of_it() {
    let _turn = turn();
    let server = Server::start();
    let idle = memory_kib(&server, "VmRSS");
    let module = Module::at_the_limit(&server);
    let long_upload = Module { comment: module.comment + 1, ..module };
    let long_zip = Module { noise: module.noise + 1, ..module }.commented();
    assert_eq!((long_upload.bytes(), long_zip.bytes()), (LIMIT + 1, LIMIT));
    for module in [long_upload, long_zip] {
        let answer = module.publish(&server, "v1.0.0").expect(413).json();
        assert_eq!(answer["code"], "too_large", "{answer}");
    }
    let peak = memory_kib(&server, "VmHWM");
    assert!(peak - idle <= MEMORY_KIB, "{peak} KiB, idle {idle} KiB");
    let left = std::fs::read_dir(server.data().join("tmp")).expect("a folder for unfinished files").count();
    assert_eq!(left, 0, "unfinished files");
    let page = server.api("GET", &format!("/api/artifacts?name={NAME}&version=v1.0.0"), None).expect(200).json();
    assert_eq!(page["items"], serde_json::json!([]));
}

#[test]
fn what_is_taken_over_goes_by_within_96_mib_of_memory_however_much_it_is() {
    const VERSIONS: usize = 6;
    const NOISE: usize = 48 * 1024 * 1024;
    let _turn = turn();
    let server = Server::start();
    let idle = memory_kib(&server, "VmRSS");
    let disk = tempfile::tempdir().expect("a folder");
    for minor in 0..VERSIONS {
        let version = format!("v1.{minor}.0");
        let folder = disk.path().join(NAME).join(&version);
        std::fs::create_dir_all(&folder).expect("a folder");
        let go_mod = format!("module {NAME}\n");
        let noise = Random::seeded(minor as u64).bytes(NOISE);
        let below = |name: &str| format!("{NAME}@{version}/{name}");
        let files = [(below("go.mod"), go_mod.as_bytes()), (below("noise.bin"), noise.as_slice())];
        let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        std::fs::write(folder.join("source.zip"), archives::stored(&files)).expect("written");
        std::fs::write(folder.join("go.mod"), go_mod).expect("written");
    }
    // From a folder, several at once; then the server gives them to another one, which is asked for nothing else.
    let order = format!("import --from {} --to go/local", disk.path().display());
    drop(server.command(&order).succeeded().says(&["taken over: 6\n"]));
    let peak = memory_kib(&server, "VmHWM");
    assert!(peak - idle <= MEMORY_KIB, "from a folder: {peak} KiB, idle {idle} KiB");
    drop(disk);
    let other = Server::start();
    let idle = memory_kib(&other, "VmRSS");
    let from = server.go("local");
    let order = format!("import --from {from} --to go/local --allow-network localhost --module {NAME}");
    drop(other.command(&order).succeeded().says(&["taken over: 6\n"]));
    let peak = memory_kib(&other, "VmHWM");
    assert!(peak - idle <= MEMORY_KIB, "from a server: {peak} KiB, idle {idle} KiB");
    let gives = memory_kib(&server, "VmHWM");
    assert!(gives - idle <= MEMORY_KIB, "the one that gives: {gives} KiB, idle {idle} KiB");
}

#[test]
fn what_is_given_out_while_it_comes_goes_by_within_96_mib_of_memory() {
    let _turn = turn();
    let server = Server::with(&[("KEEPER_NETWORK_ALLOW", "127.0.0.1")]);
    let upstream = Scripted::start();
    let module = Foreign::new(NAME, "v1.0.0").with("noise.bin", archives::noise(200 * 1024 * 1024));
    let zip = module.zip();
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone())]);
    server.create_repository(&serde_json::json!({
        "format": "go", "name": "copies", "kind": "remote", "anonymous_read": true,
        "upstream": { "url": upstream.url, "allow_http": true },
        "settings": { "checksum_database": "off", "verify": "off" },
    }));
    let idle = memory_kib(&server, "VmRSS");
    let url = format!("{}{}", server.go("copies"), module.at("zip"));
    let wanted = (zip.len() as u64, HEXLOWER.encode(&Sha256::digest(&zip)));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| download(&server, &url))).collect();
        for client in clients {
            assert_eq!(client.join().expect("no client panics"), wanted);
        }
    });
    let peak = memory_kib(&server, "VmHWM");
    assert!(peak - idle <= MEMORY_KIB, "{peak} KiB, idle {idle} KiB");
}

#[test]
fn a_body_that_is_announced_as_too_long_is_refused_before_it_is_sent() {
    let server = Server::start();
    for (length, expect, start) in [
        (LIMIT + FORM + 1, "", "HTTP/1.1 413 "),
        (LIMIT + FORM + 1, "\r\nExpect: 100-continue", "HTTP/1.1 413 "),
        (1 << 50, "", "HTTP/1.1 413 "),
        (LIMIT + FORM, "\r\nExpect: 100-continue", "HTTP/1.1 100 "),
    ] {
        let mut stream = TcpStream::connect(server.host()).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout above zero");
        let head = raw_form::head(&server, ADMIN_TOKEN, &format!("Content-Length: {length}{expect}"));
        stream.write_all(head.as_bytes()).expect("the server reads");
        let (mut answer, mut reader) = (String::new(), BufReader::new(stream));
        reader.read_line(&mut answer).expect("an answer, though no byte of the body was sent");
        assert!(answer.starts_with(start), "{length}{expect}: {answer}");
        if start.contains("413") {
            reader.read_to_string(&mut answer).expect("the connection is closed behind it");
            assert!(answer.contains("\"too_large\""), "{answer}");
        }
    }
}
