//! A verification of sound data finds nothing; each fault is found and named, and ends with exit code 5.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::workshop::{blobs, publish, server, verify};
use crate::harness::database::sql;
use crate::harness::wait;

#[test]
fn sound_data_has_no_faults_with_and_without_a_server() {
    let mut server = server(&[]);
    for number in 0..3 {
        publish(&server, "example.com/m", number, number).expect(201);
    }
    for flags in ["", "--quick"] {
        let (findings, summary) = verify(&server, flags);
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!((&summary["blobs"], &summary["repositories"]), (&3.into(), &3.into()), "{summary}");
    }
    server.command("verify").succeeded().says(&["0 faults and 0 notes in 3 blobs"]);
    server.stop();
    assert_eq!(verify(&server, "").0, [""; 0]);
}

#[test]
fn a_flipped_byte_a_short_file_and_a_missing_one_are_named() {
    let server = server(&[]);
    for number in 0..4 {
        publish(&server, "example.com/m", number, number).expect(201);
    }
    let paths: Vec<_> = blobs(&server).into_iter().collect();
    let name = |at: usize| paths[at].file_name().expect("a name").to_string_lossy().into_owned();
    let change = |at: usize, with: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(&paths[at]).expect("a blob");
        with(&mut bytes);
        fs::set_permissions(&paths[at], fs::Permissions::from_mode(0o640)).expect("writable");
        fs::write(&paths[at], bytes).expect("a blob");
    };
    change(0, &|bytes| bytes[10_000] ^= 1);
    change(1, &|bytes| bytes.truncate(10_000));
    fs::remove_file(&paths[2]).expect("a blob");
    let (mut found, summary) = verify(&server, "");
    found.sort();
    let mut expected =
        [format!("blob_corrupt {}", name(0)), format!("blob_corrupt {}", name(1)), format!("blob_missing {}", name(2))];
    expected.sort();
    assert_eq!(found, expected, "{summary}");
    let (quick, _) = verify(&server, "--quick");
    assert_eq!(quick.len(), 2, "a quick look does not read the bytes: {quick:?}");
    server.command("verify").failed().says(&["fault blob_missing", "3 faults"]);
}

#[test]
fn a_wrong_total_and_a_damaged_row_are_named() {
    let mut server = server(&[]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    server.stop();
    sql(&server, "UPDATE usage SET artifacts = artifacts + 1 WHERE artifacts > 0");
    let zeros = match server.database() {
        None => "zeroblob(length(inline))",
        Some(_) => "decode(repeat('00', length(inline)), 'hex')",
    };
    sql(&server, &format!("UPDATE files SET inline = {zeros} WHERE path LIKE '%.info'"));
    let expected = ["count_wrong go/local", "file_corrupt example.com/m/@v/v1.0.0.info"];
    assert_eq!(verify(&server, "").0, expected);
    server.start_again();
    assert_eq!(verify(&server, "--quick").0, expected);
}

#[test]
fn a_changed_row_of_the_audit_is_named_by_its_seal() {
    let mut server = server(&[]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    server.stop();
    assert_eq!(verify(&server, "").0, [""; 0], "what was sealed at the stop");
    sql(
        &server,
        match server.database() {
            None => "DROP TRIGGER audit_refuses_update",
            Some(_) => "DROP TRIGGER audit_refuses_change ON audit",
        },
    );
    sql(&server, "UPDATE audit SET actor = 'bob' WHERE action = 'publish'");
    let (found, _) = verify(&server, "");
    assert!(matches!(&found[..], [one] if one.starts_with("audit_changed seal ")), "{found:?}");
}

#[test]
fn a_long_run_is_held_back_tells_how_far_it_is_and_goes_on_after_a_kill() {
    let server = server(&[]);
    for number in 0..12 {
        publish(&server, "example.com/m", number, number).expect(201);
    }
    let paths: Vec<_> = blobs(&server).into_iter().collect();
    // In the order of their digests: the first one is bad, and so is the last.
    for at in [0, 11] {
        fs::set_permissions(&paths[at], fs::Permissions::from_mode(0o640)).expect("writable");
        let mut bytes = fs::read(&paths[at]).expect("a blob");
        bytes[10_000] ^= 1;
        fs::write(&paths[at], bytes).expect("a blob");
    }
    let state = server.data().join("verify.json");
    // At this rate all of it takes twenty seconds and more.
    let mut run = server.begin_command("verify --json --rate 10KiB");
    let looked_at = || {
        let kept: Option<Value> = fs::read(&state).ok().and_then(|text| serde_json::from_slice(&text).ok());
        kept.and_then(|kept| kept["progress"]["so_far"]["blobs"].as_u64()).unwrap_or(0)
    };
    wait::until("some blobs were looked at", || looked_at() >= 2);
    run.kill().expect("it runs");
    run.wait().expect("it ends");
    let before = looked_at();
    assert!(before < 12, "it was held back");
    let quick = server.command("verify --quick --resume");
    assert_eq!(quick.code(), Some(2), "one that reads is not gone on with by one that does not: {quick}");
    let (found, summary) = verify(&server, "--resume --rate 0");
    let name = |at: usize| paths[at].file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(found, [format!("blob_corrupt {}", name(11))], "the first was told by the run before: {summary}");
    assert_eq!((&summary["blobs"], &summary["faults"]), (&12.into(), &2.into()), "{summary}");
    assert!(!state.exists(), "it came to its end");
    let anew = server.command("verify --resume --rate 0");
    assert_eq!(anew.code(), Some(5), "{anew}");
    anew.says(&["no run was interrupted", "2 faults and 0 notes in 12 blobs"]);
}
