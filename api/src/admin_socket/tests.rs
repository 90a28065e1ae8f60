//! Questions and answers over a socket that is there.

use super::*;

struct Echo;

#[async_trait]
impl AdminHandler for Echo {
    async fn answer(&self, request: Request, lines: Lines) -> Reply {
        match request {
            Request::TokenCreate(request) => Reply::refused(request.name),
            Request::Gc { .. } => {
                lines.while_working(tokio::time::sleep(3 * ANSWER_TIME)).await;
                Reply::Collected(Collected::default())
            }
            Request::Verify(_) => {
                for _ in 0..3 * LINES_WAITING {
                    assert!(lines.send(Reply::Working).await);
                }
                Reply::Verified(Verified::default())
            }
            other => Reply::refused(format!("{other:?}")),
        }
    }
}

fn question(name: &str) -> Request {
    Request::TokenCreate(NewTokenRequest { name: name.to_owned(), ..NewTokenRequest::sample() })
}

async fn raw(path: &Path, text: &str) -> String {
    let mut stream = UnixStream::connect(path).await.expect("connected");
    stream.write_all(text.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut down");
    let mut answer = String::new();
    // A server that stopped reading resets; what it said before is still here.
    let _reset = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn a_question_is_answered_and_a_stale_socket_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    std::mem::forget(std::os::unix::net::UnixListener::bind(&path).expect("a stale socket"));
    let socket = AdminSocket::serve(&path, Arc::new(Echo)).expect("served");
    assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let reply = call(&path, &question("ci")).await.expect("answered");
    assert!(matches!(reply, Reply::Refused { reason } if reason == "ci"));
    drop(socket);
    assert!(!path.exists());
    assert!(matches!(call(&path, &question("ci")).await, Err(CallError::Connect { .. })));
}

#[tokio::test]
async fn a_long_answer_sends_lines_on_its_way_and_ends_with_the_last_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let _socket = AdminSocket::serve(&path, Arc::new(Echo)).expect("served");
    let mut lines = 0;
    let reply = converse_with(&path, &Request::Verify(Scope::default()), |_| lines += 1).await.expect("answered");
    assert!(matches!(reply, Reply::Verified(_)) && lines == 3 * LINES_WAITING, "{reply:?} after {lines}");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_for_long_is_waited_for_while_it_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let _socket = AdminSocket::serve(&path, Arc::new(Echo)).expect("served");
    let reply = call(&path, &Request::Gc { confirm: true }).await.expect("answered");
    assert!(matches!(reply, Reply::Collected(_)), "{reply:?}");
}

#[tokio::test]
async fn a_long_path_is_no_obstacle() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).expect("made");
    let path = deep.join("admin.sock");
    let _socket = AdminSocket::serve(&path, Arc::new(Echo)).expect("served");
    call(&path, &question("ci")).await.expect("answered");
}

#[tokio::test]
async fn nonsense_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let _socket = AdminSocket::serve(&path, Arc::new(Echo)).expect("served");
    let rows = [
        ("{}\n".to_owned(), "not understood"),
        (r#"{"verb":"token_create","name":"x","scope":"all"}"#.to_owned() + "\n", "not understood"),
        (r#"{"verb":"format_disk"}"#.to_owned() + "\n", "not understood"),
        ("no newline".to_owned(), "breaks off"),
        ("x".repeat(LINE_BYTES as usize), "too long"),
    ];
    for (text, reason) in rows {
        let answer = raw(&path, &text).await;
        assert!(answer.contains(reason), "{reason}: {answer}");
    }
    let taken = folder.path().join("file");
    std::fs::write(&taken, "x").expect("written");
    assert!(AdminSocket::serve(&taken, Arc::new(Echo)).is_err(), "a file is not removed");
}
