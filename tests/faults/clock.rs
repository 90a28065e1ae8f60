//! A wall clock that jumps by an hour and by ten years, forwards and backwards, while the server runs and while it is
//! away: nothing that is needed goes, nothing under way ends, and what has ended says so.

use std::fs;

use serde_json::{Value, json};

use super::files::{Client, QUIET, bytes, gc, path, with_files};
use crate::harness::exchange::Exchange;
use crate::harness::http;
use crate::harness::people::{Credential, PASSWORD, ask, cookie, person, sign_in};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::shim::Shim;
use crate::harness::wait;

const HOUR: i64 = 3_600;
const YEARS: i64 = 10 * 365 * 24 * HOUR;

const SETTINGS: [(&str, &str); 5] = [
    ("KEEPER_GC_GRACE", "1h"),
    ("KEEPER_GC_UNLINK_DELAY", "0s"),
    ("KEEPER_GC_MAX_PERCENT", "100"),
    ("KEEPER_RETENTION_PERIOD", "200ms"),
    QUIET,
];

/// Waits until the rules were applied at a time that is told after this call.
fn rules_are_applied(server: &Server) {
    let ended = || {
        let status = server.api("GET", "/api/status", None).expect(200).json();
        let mut jobs = status["jobs"].as_array().expect("jobs").iter();
        jobs.find(|job| job["name"] == "retention").map_or(Value::Null, |job| job["ended_at"].clone())
    };
    for _ in 0..2 {
        let before = ended();
        wait::until("the rules were applied", || ended() != before);
    }
}

#[test]
fn a_clock_that_jumps_removes_nothing_ends_nothing_and_revives_nothing() {
    let mut server = with_files(Server::with(&SETTINGS));
    server.stop();
    let shim = Shim::build();
    shim.stand_before(&mut server);
    server.start_again();
    let day = server.token("--name day --actions read --repositories generic/files --expires 1d");
    person(&server, "ann");
    let signs_in = |server: &Server| Credential::Cookie(cookie(&sign_in(server, "ann", PASSWORD).expect(201)));
    let session = signs_in(&server);
    let mut ended = false;
    let rules = json!({ "rules": [{ "older_than_days": 30 }, { "unused_for_days": 30 }] });
    server.api("PUT", "/api/repositories/generic/files/retention", Some(&rules)).expect(200);
    // A copy that no row names yet, as that of an upload under way. Nobody has looked at it so far.
    let orphan = server.data().join("blobs/sha256/ab").join(format!("ab{}.k3v5w7x2m1", "0".repeat(62)));
    fs::write(&orphan, "on its way").expect("the folder is there");

    for (version, jump) in (0..).zip([HOUR, -HOUR, YEARS, -YEARS, 0]) {
        // An upload of which one half comes before the jump.
        let content = bytes(version);
        let mut upload = Exchange::with(server.host()).expect("it listens");
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: {}\r\n\r\n",
            path("m", version),
            server.host(),
            content.len()
        );
        let (first, second) = content.split_at(content.len() / 2);
        upload.send(&[head.as_bytes(), first].concat()).expect("it reads");
        shim.set_clock(jump);
        gc(&server).expect("it collects");
        upload.send(second).expect("it reads on");
        let answer = upload.answer().expect("it answers");
        assert_eq!(answer.status, 201, "{jump}: {}", answer.text());

        for restarts in [false, true] {
            // What was seen is known after a kill as well.
            if restarts && jump == YEARS {
                server.kill();
                server.start_again();
            } else if restarts {
                server.stop();
                server.start_again();
            }
            gc(&server).expect("it collects");
            rules_are_applied(&server);
            let mut client = Client::of(&server);
            for version in 0..=version {
                let read = client.read("m", version).expect("it runs").expect(200);
                assert!(read.body == bytes(version), "{jump}: {version}");
            }
            for health in ["livez", "readyz"] {
                assert_eq!(http::get(&format!("{}/{health}", server.url)).status, 200, "{jump}: {health}");
            }
            ended |= jump == YEARS;
            let when = format!("jump {jump}, after a restart: {restarts}");
            let read = server.send(Some(&day), "GET", &path("m", 0), &[], &[]);
            assert_eq!(read.status, if ended { 401 } else { 200 }, "{when}: a token that ends in a day");
            let me = |who| ask(&server, "GET", "/api/me/sessions", who, None).status;
            assert_eq!(me(&session), if ended { 401 } else { 200 }, "{when}: a session that ends in a week");
            // Those of today are good, whatever the clock says.
            assert_eq!(me(&signs_in(&server)), 200, "{when}: a session that begins");
            let fresh = server.token("--name fresh --actions read --repositories generic/files --expires 1d");
            assert_eq!(server.send(Some(&fresh), "GET", &path("m", 0), &[], &[]).status, 200, "{when}: a fresh token");
        }
        if jump == HOUR {
            // From here on it was seen by a walk in the past of the next jumps.
            assert!(orphan.exists(), "{jump}: one look is not enough, whatever the clock says");
        }
    }
    server.command("verify").succeeded();
    let told = server.output().matches("the clock of this machine went back").count();
    assert!(told >= 2, "who looks into the log is told {told} times that the clock went back");
}
