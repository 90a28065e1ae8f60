//! The collector removes bytes that no version needs, and never others: among publishers of the very same
//! bytes, after a kill at any moment, and whatever lies in the folder.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::workshop::{assert_sound, blobs, delete, gc, publish, publish_to, server};
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::{http, is_long, wait};

#[test]
fn what_no_version_needs_is_told_first_and_removed_when_confirmed() {
    let server = server(&[]);
    publish(&server, "example.com/kept", 0, 0).expect(201);
    let gone = publish(&server, "example.com/gone", 0, 1).expect(201);
    delete(&server, &gone);
    for flags in ["", "--dry-run"] {
        let told = gc(&server, flags);
        assert_eq!((&told["unreferenced"]["blobs"], &told["unlinked"]["blobs"]), (&1.into(), &0.into()), "{told}");
    }
    assert_eq!(blobs(&server).len(), 2);
    let told = gc(&server, "--confirm");
    assert_eq!((&told["unlinked"]["blobs"], &told["stored"]["blobs"]), (&1.into(), &2.into()), "{told}");
    assert_eq!(blobs(&server).len(), 1);
    server.command("gc").succeeded().says(&["stored:      1 blobs", "Nothing was changed"]);
    server.command("gc --confirm --dry-run").failed().says(&["cannot be used with"]);
    assert_sound(&server);
}

#[test]
fn without_a_server_the_command_does_it_in_the_folder_itself() {
    let mut server = server(&[]);
    let gone = publish(&server, "example.com/gone", 0, 1).expect(201);
    delete(&server, &gone);
    server.stop();
    assert_eq!(gc(&server, "--confirm")["unlinked"]["blobs"], 1);
    assert!(blobs(&server).is_empty());
    assert_sound(&server);
}

#[test]
fn the_server_collects_by_itself_when_the_grace_is_over() {
    let server = server(&[("KEEPER_GC_PERIOD", "100ms")]);
    let gone = publish(&server, "example.com/gone", 0, 1).expect(201);
    publish(&server, "example.com/kept", 0, 0).expect(201);
    delete(&server, &gone);
    crate::harness::wait::until("the bytes are gone", || blobs(&server).len() == 1);
    assert_sound(&server);
}

#[test]
fn nothing_younger_than_the_grace_is_removed_not_even_when_confirmed() {
    let server = Server::with(&[("KEEPER_GC_UNLINK_DELAY", "0s")]);
    let gone = publish(&server, "example.com/gone", 0, 1).expect(201);
    delete(&server, &gone);
    let told = gc(&server, "--confirm");
    assert_eq!((&told["waiting"]["blobs"], &told["discarded"]["blobs"]), (&1.into(), &0.into()), "{told}");
    assert_eq!(blobs(&server).len(), 1);
}

#[test]
fn a_run_that_would_remove_suspiciously_much_waits_for_a_word() {
    let mut server = server(&[]);
    let published: Vec<_> =
        (0..20).map(|number| publish(&server, "example.com/m", number, number).expect(201)).collect();
    published.iter().for_each(|one| delete(&server, one));
    server.stop();
    server.set("KEEPER_GC_PERIOD", "100ms");
    server.start_again();
    crate::harness::wait::until("the stop is in the log", || server.output().contains("gc_suspicious"));
    assert_eq!(blobs(&server).len(), 20);
    crate::harness::wait::until("the confirmed run is done", || {
        server.command("gc --confirm");
        blobs(&server).is_empty()
    });
    assert_sound(&server);
}

#[test]
fn a_copy_that_no_row_names_goes_after_two_looks_and_a_strange_file_stays() {
    let server = server(&[]);
    publish(&server, "example.com/kept", 0, 0).expect(201);
    let folder = server.data().join("blobs/sha256/ab");
    let orphan = folder.join(format!("ab{}.k3v5w7x2m1", "0".repeat(62)));
    let strange = folder.join("notes.txt");
    for path in [&orphan, &strange] {
        fs::write(path, "nobody's").expect("a file");
    }
    let first = gc(&server, "--confirm");
    assert_eq!((&first["orphans"]["blobs"], &first["waiting"]["blobs"]), (&0.into(), &1.into()), "{first}");
    assert!(orphan.exists(), "once seen is not enough");
    let (findings, summary) = super::workshop::verify(&server, "");
    assert_eq!(findings, [format!("orphan ab{}.k3v5w7x2m1", "0".repeat(62))], "{summary}");
    let second = gc(&server, "--confirm");
    assert_eq!(second["orphans"]["blobs"], 1, "{second}");
    assert!(!orphan.exists() && strange.exists());
    assert_eq!(blobs(&server).len(), 2, "what a version needs is there");

    // A file from the future is young, whatever was seen before.
    fs::write(&orphan, "nobody's").expect("a file");
    let file = fs::File::options().write(true).open(&orphan).expect("a file");
    file.set_modified(SystemTime::now() + Duration::from_secs(3_600)).expect("a time");
    for _ in 0..3 {
        assert_eq!(gc(&server, "--confirm")["unlinked"]["blobs"], 0);
    }
    assert!(orphan.exists());
}

/// Publishes version after version to a repository and deletes most of them, until it ends.
fn churn(server: &Server, repository: &str, ends: &AtomicBool, mut chance: Random) -> u64 {
    let mut published = 0;
    for version in 0.. {
        if ends.load(Ordering::SeqCst) {
            break;
        }
        // The same module in each repository, so the same bytes: what one deletes another publishes meanwhile.
        let answer = publish_to(server, repository, "example.com/shared", version, version);
        // The collector may have taken an upload on its way for waste: that is told, and repeating it is safe.
        if answer.status == 503 {
            continue;
        }
        let answer = answer.expect(201);
        published += 1;
        let zip = format!("{}/example.com/shared/@v/v1.{version}.0.zip", server.go(repository));
        http::get(&zip).expect(200);
        if chance.below(4) > 0 {
            delete(server, &answer);
        } else {
            http::get(&zip).expect(200);
        }
    }
    published
}

#[test]
fn publishers_of_the_very_bytes_that_are_collected_lose_nothing() {
    let server = server(&[("KEEPER_GC_MAX_PERCENT", "100"), ("KEEPER_LOG", "warn,keeper_api=info,keeper_core=error")]);
    let mut chance = Random::of("collector");
    let repositories = ["one", "two", "three", "four"];
    for name in repositories {
        let settings = json!({ "format": "go", "name": name, "kind": "hosted", "anonymous_read": true });
        server.create_repository(&settings);
    }
    let ends = AtomicBool::new(false);
    let rounds = if is_long() { 500 } else { 15 };
    let published: u64 = thread::scope(|scope| {
        let ending = wait::RaiseAtEnd(&ends);
        let publishers: Vec<_> = repositories
            .iter()
            .map(|name| {
                let (server, ends, chance) = (&server, &ends, chance.fork());
                scope.spawn(move || churn(server, name, ends, chance))
            })
            .collect();
        let mut removed = 0;
        for _ in 0..rounds {
            removed += gc(&server, "--confirm")["unlinked"]["blobs"].as_u64().expect("a number");
        }
        drop(ending);
        assert!(removed > 0, "the collector has met nobody");
        publishers.into_iter().map(|one| one.join().expect("a publisher that loses nothing")).sum()
    });
    assert!(published > 20, "too little has happened: {published}");
    assert_sound(&server);
    gc(&server, "--confirm");
    gc(&server, "--confirm");
    let left = gc(&server, "");
    for kind in ["unreferenced", "orphans", "waiting", "in_trash"] {
        assert_eq!(left[kind]["blobs"], 0, "{left}");
    }
    assert_eq!(left["stored"]["blobs"], blobs(&server).len(), "{left}");
    assert_sound(&server);
}

#[test]
fn a_kill_in_the_middle_of_a_collection_costs_nothing_but_the_rest_of_the_work() {
    let mut chance = Random::of("killed collector");
    let mut server = server(&[("KEEPER_GC_MAX_PERCENT", "100"), ("KEEPER_GC_UNLINKS_PER_SECOND", "200")]);
    for round in 0..6 {
        for number in 0..12 {
            let one = publish(&server, &format!("example.com/m{number}"), round, 100 * round + number).expect(201);
            if number > 0 {
                delete(&server, &one);
            }
        }
        thread::scope(|scope| {
            let (server, delay) = (&server, Duration::from_millis(chance.below(120)));
            // It fails or not: the server may be gone before it has answered.
            scope.spawn(move || server.command("gc --confirm"));
            // A moment that nobody can foresee is the point here.
            thread::sleep(delay);
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(i32::try_from(server.pid()).expect("a pid")).expect("a pid"),
                rustix::process::Signal::KILL,
            )
            .expect("the process is ours");
        });
        server.kill();
        server.start_again();
        assert_sound(&server);
    }
    for _ in 0..3 {
        gc(&server, "--confirm");
    }
    assert_eq!(blobs(&server).len(), 6, "one version of each round is left, and its bytes");
    assert_sound(&server);
}
