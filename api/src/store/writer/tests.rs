//! The writer's promises, shown on a real database.

use futures_util::FutureExt;
use futures_util::future::join_all;
use keeper_core::artifact::ArtifactStore;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::super::Store;
use super::super::fixture::{Folder, publication, repository};
use super::super::soundness::Bounds;
use super::super::sql::{execute, one};
use super::*;

async fn opened() -> (Folder, Arc<Store>) {
    open(Folder::new()).await
}

async fn open(folder: Folder) -> (Folder, Arc<Store>) {
    let store = Arc::new(folder.open().await);
    (folder, store)
}

/// Stops the writer inside a command until the sender speaks, so that everything sent meanwhile is one group.
async fn hold(store: &Arc<Store>) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel::<()>();
    let (entered, inside) = oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let wait = async move {
            entered.send(()).expect("the test waits");
            released.await.expect("the test lets it go");
            Ok(())
        };
        store.writer.submit(|_| Box::pin(wait), |()| ()).await
    });
    inside.await.expect("the writer is inside");
    release
}

fn sql(
    sql: &'static str,
) -> impl for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<(), StoreError>> + Send + 'static {
    move |on| Box::pin(async move { on.execute_unprepared(sql).await.map(drop).map_err(super::super::sql::failed) })
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn users(store: &Store) -> i64 {
    let row: Option<Count> = one(&store.readers, "SELECT COUNT(*) AS count FROM users", []).await.expect("a count");
    row.expect("a row").count
}

const ADD: &str =
    "INSERT INTO users (login, admin, disabled, created_at) VALUES (CAST(random() AS TEXT), FALSE, FALSE, 0)";
const ADD_ONCE: &str = "INSERT INTO users (login, admin, disabled, created_at) VALUES ('once', FALSE, FALSE, 0)";

/// Sends all of them while the writer is held, and lets it go.
async fn as_one_group(store: &Arc<Store>, commands: &[&'static str]) -> Vec<Result<(), StoreError>> {
    let release = hold(store).await;
    let waiting = commands.iter().map(|command| store.writer.submit(sql(command), |()| ()));
    let waiting: Vec<_> = waiting.map(Box::pin).collect();
    let answers = join_all(waiting);
    let let_go = async {
        tokio::task::yield_now().await;
        release.send(()).expect("the writer waits");
    };
    tokio::join!(answers, let_go).0
}

#[tokio::test]
async fn a_failing_command_does_not_hurt_its_group() {
    let (_folder, store) = opened().await;
    let answers = as_one_group(&store, &[ADD, ADD_ONCE, ADD_ONCE, "no SQL", ADD]).await;
    assert!(answers[0].is_ok() && answers[1].is_ok() && answers[4].is_ok(), "{answers:?}");
    assert!(matches!(answers[2], Err(StoreError::AlreadyExists)));
    assert!(matches!(answers[3], Err(StoreError::Unavailable(_))));
    assert_eq!(users(&store).await, 3);
}

#[tokio::test]
async fn what_a_failing_command_did_before_its_error_is_undone() {
    let (_folder, store) = opened().await;
    async fn half(on: &DatabaseTransaction) -> Result<(), StoreError> {
        execute(on, ADD, []).await?;
        execute(on, ADD_ONCE, []).await?;
        Err(StoreError::TooLate)
    }
    let answer = store.writer.submit(|on| Box::pin(half(on)), |()| ()).await;
    assert!(matches!(answer, Err(StoreError::TooLate)), "{answer:?}");
    assert_eq!(users(&store).await, 0);
}

#[tokio::test]
async fn a_group_whose_commit_fails_is_lost_whole_and_the_writer_goes_on() {
    let (_folder, store) = open(Folder::of_sqlite()).await;
    // The key is checked at COMMIT, so it is COMMIT itself that fails.
    let dangling = "PRAGMA defer_foreign_keys = ON; \
                    INSERT INTO packages (repository, name, name_folded, created_at) VALUES (77, 'x', 'x', 0)";
    let answers = as_one_group(&store, &[ADD, dangling, ADD_ONCE, ADD_ONCE]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    assert_eq!(users(&store).await, 0);
    store.writer.submit(sql(ADD), |()| ()).await.expect("the writer goes on");
    assert_eq!(users(&store).await, 1);
}

#[tokio::test]
async fn a_transaction_that_the_database_gave_up_is_noticed_at_once() {
    let (_folder, store) = open(Folder::of_sqlite()).await;
    store.writer.submit(sql("CREATE TEMP TABLE mark (x)"), |()| ()).await.expect("a mark of this connection");
    let answers = as_one_group(&store, &[ADD, "ROLLBACK", ADD]).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert_eq!(users(&store).await, 0);
    let marked = store.writer.submit(sql("INSERT INTO mark VALUES (1)"), |()| ()).await;
    assert!(marked.is_err(), "the connection is another one");
    store.writer.submit(sql(ADD), |()| ()).await.expect("the writer goes on");
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_the_writer_goes_on() {
    let (_folder, store) = open(Folder::of_sqlite()).await;
    store.writer.submit(sql("PRAGMA max_page_count = 1"), |()| ()).await.expect("set to the least possible");
    let fill =
        "INSERT INTO users (login, admin, disabled, created_at) VALUES (hex(zeroblob(4000000)), FALSE, FALSE, 0)";
    let answers = as_one_group(&store, &[fill, ADD]).await;
    assert!(matches!(answers[0], Err(StoreError::Full)), "{answers:?}");
    let kept = i64::from(answers[1].is_ok());
    assert_eq!(users(&store).await, kept, "what was answered is what is there");
    store.writer.submit(sql(ADD), |()| ()).await.expect("the writer goes on");
}

#[tokio::test]
async fn a_command_that_panics_is_one_failed_command() {
    let (_folder, store) = opened().await;
    async fn panics() -> Result<(), StoreError> {
        panic!("on purpose")
    }
    let answer = store.writer.submit(|_| Box::pin(panics()), |()| ()).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    store.writer.submit(sql(ADD), |()| ()).await.expect("the writer goes on");
}

#[tokio::test]
async fn one_command_more_than_the_queue_holds_is_told_busy() {
    let (_folder, store) = opened().await;
    let release = hold(&store).await;
    let mut waiting: Vec<_> = (0..=QUEUE_COMMANDS).map(|_| Box::pin(store.writer.submit(sql(ADD), |()| ()))).collect();
    for command in &mut waiting[..QUEUE_COMMANDS] {
        assert!(command.now_or_never().is_none(), "it waits");
    }
    let one_more = waiting.pop().expect("the last");
    assert!(matches!(one_more.await, Err(StoreError::Busy)));
    release.send(()).expect("the writer waits");
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
    assert_eq!(users(&store).await, i64::try_from(QUEUE_COMMANDS).expect("small"));
}

/// Queues a command as if it had been sent so long ago.
fn send_earlier(store: &Store, age: Duration) -> oneshot::Receiver<Result<(), StoreError>> {
    let (reply, answer) = oneshot::channel();
    let command = Box::new(Waiting::new(sql(ADD), None, |_: &()| (), reply));
    let since = Instant::now().checked_sub(age).expect("the machine is up for longer");
    store.writer.queue.try_send(Queued { command, since }).unwrap_or_else(|_| panic!("there is room"));
    answer
}

#[tokio::test]
async fn a_command_whose_turn_comes_too_late_is_not_made() {
    let (_folder, store) = opened().await;
    let release = hold(&store).await;
    let (late, in_time) = (send_earlier(&store, WAIT + Duration::from_secs(1)), send_earlier(&store, WAIT / 2));
    release.send(()).expect("the writer waits");
    assert!(matches!(late.await, Ok(Err(StoreError::Busy))));
    assert!(matches!(in_time.await, Ok(Ok(()))));
    assert_eq!(users(&store).await, 1, "only the one in time");
}

#[tokio::test]
async fn nobody_joins_a_queue_in_which_others_wait_for_long() {
    let (_folder, store) = opened().await;
    let early = send_earlier(&store, 2 * SLUGGISH);
    assert!(matches!(early.await, Ok(Ok(()))), "it has waited, and is made");
    // Nobody waits: the next is taken however slow it was.
    store.writer.submit(sql(ADD), |()| ()).await.expect("taken");
    drop(send_earlier(&store, 2 * SLUGGISH).await);
    let release = hold(&store).await;
    store.writer.pulse.waited(2 * SLUGGISH);
    let mut waits = Box::pin(store.writer.submit(sql(ADD), |()| ()));
    assert!(waits.as_mut().now_or_never().is_none(), "the first behind the one at work waits");
    assert!(matches!(store.writer.submit(sql(ADD), |()| ()).await, Err(StoreError::Busy)), "behind one who waits");
    release.send(()).expect("the writer waits");
    waits.await.expect("made");
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_nothing() {
    let (folder, store) = opened().await;
    let local = repository(&store, "local").await.id;
    let what = publication("example.com/m", "v1.0.0");
    let coordinate = what.coordinate.clone();
    let release = hold(&store).await;
    let caller = tokio::spawn({
        let store = store.clone();
        async move { store.publish(local, what).await }
    });
    tokio::task::yield_now().await;
    caller.abort();
    assert!(caller.await.expect_err("aborted").is_cancelled());
    release.send(()).expect("the writer waits");
    store.close().await;
    let store = folder.open().await;
    assert!(store.find(local, &coordinate).await.expect("an answer").is_some());
}

#[tokio::test]
async fn closing_finishes_what_was_taken_and_leaves_no_log() {
    let folder = Folder::of_sqlite();
    let store = Arc::new(folder.open().await);
    let release = hold(&store).await;
    let taken: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.writer.submit(sql(ADD), |()| ()).await })
        })
        .collect();
    tokio::task::yield_now().await;
    release.send(()).expect("the writer waits");
    store.close().await;
    for answer in taken {
        answer.await.expect("a task").expect("kept");
    }
    assert!(matches!(store.writer.submit(sql(ADD), |()| ()).await, Err(StoreError::Unavailable(_))));
    store.close().await;
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["keeper.db"]);
    assert_eq!(users(&folder.open().await).await, 20);
}

#[tokio::test]
async fn the_writer_shows_that_it_lives() {
    let (_folder, store) = opened().await;
    assert!(store.writer_alive(Duration::from_secs(5)));
    let release = hold(&store).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!store.writer_alive(Duration::from_millis(50)), "it is stuck inside a command");
    release.send(()).expect("the writer waits");
}

#[tokio::test]
async fn a_log_that_cannot_be_folded_stops_changes_until_it_can() {
    let folder = Folder::of_sqlite();
    // The log of the first start is long; its end leaves none.
    folder.open().await.close().await;
    let (folder, store) = open(folder).await;
    let bounds = Bounds { warned: 100 << 10, refused: 400 << 10 };
    store.readers.soundness().bound(bounds);
    let change = || store.writer.submit(sql(ADD), |()| ());
    // A reader that stays: what it sees may not be overwritten.
    let reader = store.readers.begin().await.expect("a transaction");
    let _seen: Option<Count> = one(&reader, "SELECT COUNT(*) AS count FROM users", []).await.expect("a count");
    let mut made = 0;
    let refused = loop {
        match change().await {
            Ok(()) => made += 1,
            Err(error) => break error,
        }
        assert!(store.log_bytes() < bounds.refused + (200 << 10), "the log grows without end");
    };
    assert!(matches!(refused, StoreError::Busy), "{refused}");
    assert_eq!(users(&store).await, made, "what is there is read");
    reader.rollback().await.expect("it ends");
    // The log is folded soon, though nobody may change anything that would wake the writer.
    let began = Instant::now();
    while let Err(error) = change().await {
        assert!(matches!(error, StoreError::Busy) && began.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.log_bytes() < bounds.warned, "{}", store.log_bytes());
    store.close().await;
    drop(folder);
}

#[tokio::test]
async fn a_writer_that_dies_is_heard_of() {
    let (_folder, store) = opened().await;
    let stays = tokio::time::timeout(Duration::from_millis(100), store.writer_died()).await;
    assert!(stays.is_err(), "it lives");
    // What follows a commit is done by the task itself.
    let gone = store.writer.submit(sql(ADD), |()| panic!("a fault of the test")).await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    store.writer_died().await;
    assert!(store.writer.submit(sql(ADD), |()| ()).await.is_err());
}
