//! What stops a start, and what is only warned of. `configuration` and `database` have the rest of the table.
//!
//! Not here: J9 on NFS (a unit test knows the numbers of network file systems), J16, J17 (need another program), J27
//! (`remote_administration`).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::attempt::{Start, is_root};
use super::tls::{Pair, connect};
use crate::harness::database::sql;
use crate::harness::http::parse;
use crate::harness::server::{ON_SQLITE, Server};
use crate::harness::wait::until;

#[test]
fn an_address_that_cannot_be_had_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound listener").to_string();
    let ended = Start::new().with("KEEPER_LISTEN", &address).run();
    ended.refused("J7", 2, &[&format!("cannot listen on {address}: the address is in use"), "KEEPER_LISTEN", "port 0"]);

    let ended = Start::new().with("KEEPER_LISTEN", "192.0.2.1:0").run();
    ended.refused("J7 not ours", 2, &["cannot listen on 192.0.2.1:0", "KEEPER_LISTEN"]);

    // Some machines, containers above all, let everybody have every port.
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").expect("Linux");
    let ended = Start::new().unprivileged().with("KEEPER_LISTEN", "127.0.0.1:1").run();
    if first.trim().parse::<u16>().expect("a port") > 1 {
        ended.refused("J8", 2, &["cannot listen on 127.0.0.1:1", "CAP_NET_BIND_SERVICE", "KEEPER_LISTEN"]);
    } else {
        ended.runs("J8 where all ports are free", &[]);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let start = Start::new();
    let below_file = start.path("file/data");
    let start = start.write("file", "x").with("KEEPER_DATA_DIR", below_file);
    start.run().refused("J9 parent", 2, &["cannot make the folder", "file/data", "KEEPER_DATA_DIR"]);

    let start = Start::new();
    let file = start.path("file");
    start.write("file", "x").with("KEEPER_DATA_DIR", file).run().refused(
        "J9 file",
        2,
        &["is a file", "KEEPER_DATA_DIR"],
    );

    // The folder belongs to us and is closed for writing, the program runs as somebody else if it can.
    for (row, below, words) in
        [("J9 unwritable parent", "closed/data", "cannot make"), ("J9 not writable", "closed", "cannot write")]
    {
        let start = Start::new();
        fs::create_dir(start.path("closed")).expect("a fresh folder");
        fs::set_permissions(start.path("closed"), fs::Permissions::from_mode(0o555)).expect("our folder");
        let below = start.path(below);
        start.unprivileged().with("KEEPER_DATA_DIR", below).run().refused(
            row,
            2,
            &[words, "closed", "Permission denied"],
        );
    }

    let start = Start::new();
    let here = fs::metadata(start.folder.path()).expect("there").dev();
    let elsewhere = ["/dev/shm", "/run", "/var/tmp", "/tmp"]
        .into_iter()
        .find(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.dev() != here));
    let elsewhere = tempfile::tempdir_in(elsewhere.expect("a second file system")).expect("a folder");
    let url = format!("file://{}", elsewhere.path().display());
    start.with("KEEPER_STORAGE_URL", url).run().refused("J11", 2, &["different file systems", "tmp"]);
}

#[test]
fn a_data_folder_has_one_server() {
    let server = Server::start();
    let start = Start::new().with("KEEPER_DATA_DIR", server.data());
    let lock = fs::read_to_string(server.data().join("LOCK")).expect("the server's lock");
    let pid = lock.lines().next().expect("its first line");
    start.run().refused("J10", 3, &[&format!("another artifact-keeper (pid {pid}) uses"), "KEEPER_DATA_DIR"]);
    assert_eq!(server.api("GET", "/api/artifacts", None).status, 200, "J10: the first one goes on");
}

#[test]
fn a_database_that_is_not_ours_is_not_touched() {
    let database = |server: &Server| server.data().join("keeper.db");
    let mut server = Server::with(&[ON_SQLITE]);
    server.stop();
    let good = fs::read(database(&server)).expect("a database");

    let refused = |row: &str, code: i32, texts: &[&str]| {
        let before = fs::read(database(&server)).expect("a file");
        Start::new().with("KEEPER_DATA_DIR", server.data()).run().refused(row, code, texts);
        assert!(fs::read(database(&server)).expect("a file") == before, "{row}: the file was changed");
    };
    sql(&server, "INSERT INTO seaql_migrations VALUES ('m9999_future', 0)");
    sql(&server, "UPDATE instance SET migrated_by = '9.1.0', oldest_writer = 9999");
    refused("J14", 4, &["migrated by artifact-keeper 9.1.0, this is ", "m9999_future", "start the newer program"]);

    fs::write(database(&server), "notes, not a database\n".repeat(500)).expect("our file");
    refused("J15 text", 1, &["not an SQLite database", "nothing was changed"]);

    let mut damaged = good.clone();
    damaged[100..4096].fill(0xff);
    fs::write(database(&server), &damaged).expect("our file");
    refused("J15 damaged", 1, &["damaged", "nothing was changed", "restore a copy"]);

    fs::write(database(&server), &good[..good.len() / 2]).expect("our file");
    refused("J15 cut", 1, &["damaged", "restore a copy"]);

    fs::remove_file(database(&server)).expect("our file");
    sql(&server, "CREATE TABLE customers (name TEXT)");
    refused("J15 of another program", 1, &["belongs to another program", "nothing was changed"]);

    fs::write(database(&server), &good).expect("our file");
    Start::new().with("KEEPER_DATA_DIR", server.data()).run().runs("J15 restored", &[]);
}

#[test]
fn a_certificate_that_cannot_serve_is_told() {
    let (good, other, ended) = (Pair::new(), Pair::new(), Pair::until(2020));
    let der = data_encoding::BASE64.decode(b"MIIBszCCAVmgAwIBAgIUY29uZmln").expect("base64");
    let encrypted = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    type Row<'a> = (&'a str, &'a [u8], &'a [u8], u32, &'a [&'a str]);
    let rows: [Row<'_>; 8] = [
        ("mismatch", good.certificate.as_bytes(), other.key.as_bytes(), 0o600, &["does not belong to the certificate"]),
        ("expired", ended.certificate.as_bytes(), ended.key.as_bytes(), 0o600, &["ended at 2020-01-01", "renew"]),
        (
            "DER",
            &der,
            good.key.as_bytes(),
            0o600,
            &["holds no CERTIFICATE in PEM form", "BEGIN CERTIFICATE", "openssl"],
        ),
        ("swapped", good.key.as_bytes(), good.certificate.as_bytes(), 0o600, &["holds no CERTIFICATE in PEM form"]),
        (
            "no key",
            good.certificate.as_bytes(),
            good.certificate.as_bytes(),
            0o600,
            &["holds no PRIVATE KEY in PEM form"],
        ),
        ("open", good.certificate.as_bytes(), good.key.as_bytes(), 0o644, &["can be read by others", "chmod 600"]),
        ("encrypted", good.certificate.as_bytes(), encrypted.as_bytes(), 0o600, &["is encrypted", "openssl pkey"]),
        ("empty", b"", b"", 0o600, &["holds no CERTIFICATE in PEM form"]),
    ];
    for (row, certificate, key, mode, texts) in rows {
        let start = Start::new().write("cert.pem", certificate).write("key.pem", key);
        fs::set_permissions(start.path("key.pem"), fs::Permissions::from_mode(mode)).expect("our file");
        let (certificate, key) = (start.path("cert.pem"), start.path("key.pem"));
        let start = start.with("KEEPER_TLS_CERT", certificate).with("KEEPER_TLS_KEY", key);
        let ended = start.run();
        ended.refused(&format!("J19 {row}"), 2, texts);
        assert!(!ended.text.contains("ready"), "J19 {row}: {}", ended.text);
    }
    let start = Start::new().with("KEEPER_TLS_CERT", "/nowhere/cert.pem").with("KEEPER_TLS_KEY", "/nowhere/key.pem");
    start.run().refused("J19 missing", 2, &["cannot read /nowhere/cert.pem"]);
}

#[test]
fn what_is_unwise_is_warned_of() {
    let ended = Start::new().run();
    if is_root() {
        ended.runs("J24", &["\"WARN\"", "running as root", "systemd", "--user"]);
    } else {
        ended.runs("J24 by a user", &[]);
    }
    let ended = Start::new().unprivileged().run();
    assert!(!ended.text.contains("running as root"), "J24 by a user: {}", ended.text);

    Start::new().files(448).run().runs("J25", &["\"WARN\"", "448 files", "at most 96 connections", "LimitNOFILE"]);

    let open = || Start::new().with("KEEPER_LISTEN", "0.0.0.0:0");
    let words = "plain http";
    let ended = open().run();
    ended.runs("J26", &["\"WARN\"", words, "KEEPER_TLS_CERT", "KEEPER_TRUSTED_PROXIES"]);
    assert_eq!(ended.text.lines().filter(|line| line.contains(words)).count(), 1, "J26: {}", ended.text);
    for (name, value) in [("KEEPER_TLS_SELF_SIGNED", "true"), ("KEEPER_TRUSTED_PROXIES", "10.0.0.7")] {
        let ended = open().with(name, value).run();
        ended.runs("J26 remedied", &[]);
        assert!(!ended.text.contains(words), "J26 with {name}: {}", ended.text);
    }
}

#[test]
fn a_broken_certificate_does_not_replace_a_good_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |pair: &Pair| {
        fs::write(&key, &pair.key).and_then(|()| fs::write(&certificate, &pair.certificate)).expect("our files");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our file");
    };
    let (first, second) = (Pair::new(), Pair::new());
    put(&first);
    let (certificate_name, key_name) = (certificate.display().to_string(), key.display().to_string());
    let server = Server::with(&[("KEEPER_TLS_CERT", &certificate_name), ("KEEPER_TLS_KEY", &key_name)]);
    let answers = |pair: &Pair| {
        let Ok(mut stream) = connect(&server, &pair.certificate, b"http/1.1") else { return false };
        let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
        stream.write_all(request.as_bytes()).expect("a connection");
        let mut answer = Vec::new();
        let _end = stream.read_to_end(&mut answer);
        parse(&answer).is_some_and(|answer| answer.status == 200)
    };
    assert!(answers(&first) && !answers(&second), "J30: the first pair serves");

    fs::write(&certificate, "-----BEGIN NONSENSE-----\n").expect("our file");
    server.hang_up();
    until("J30: the log says so", || server.output().contains("the TLS certificate stays the old one"));
    assert!(answers(&first), "J30: the old pair stays");

    put(&second);
    server.hang_up();
    until("J30: the log says so", || server.output().contains("new TLS certificate"));
    assert!(answers(&second) && !answers(&first), "J30: a good pair is taken");
}
