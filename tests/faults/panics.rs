//! The task that commits dies: nobody knows what it left undone, so the process ends, and what was acknowledged is there.

use std::thread;

use crate::harness::archives;
use crate::harness::exchange::Exchange;
use crate::harness::http;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Form;

fn form(version: &str) -> Form {
    Form::go(archives::zip(&[("m.go", b"package m\n")])).with("name", "example.com/m").with("version", version)
}

#[test]
fn a_writer_that_dies_ends_the_process() {
    let mut server = Server::faulty("", &[]);
    form("v1.0.0").send(&server).expect(201);
    server.stop();
    server.set_failpoints("F10=panic");
    let ready = server.begin();
    thread::scope(|scope| {
        scope.spawn(move || {
            // If it comes so far: the first change is its last.
            let Ok(url) = ready.recv() else { return };
            let host = url.strip_prefix("http://").expect("plain");
            let body = r#"{"format":"go","name":"more","kind":"hosted"}"#;
            let request = format!(
                "POST /api/repositories HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: \
                 application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let Some(mut connection) = Exchange::with(host) else { return };
            let _sent = connection.send(request.as_bytes());
            let answer = connection.answer().map(|answer| answer.status);
            assert!(matches!(answer, None | Some(503)), "it was acknowledged: {answer:?}");
        });
        assert_eq!(server.ended().code(), Some(1));
    });
    assert!(server.output().contains("the task that commits has died"), "{}", server.output());
    server.set_failpoints("");
    server.start_again();
    assert_eq!(http::get(&format!("{}/example.com/m/@v/v1.0.0.zip", server.go("local"))).status, 200);
    form("v1.1.0").send(&server).expect(201);
}
