//! The promises of [`AuditStore`]. That rows come with changes, and can be neither changed nor removed, is for the
//! implementation's own tests: no port does either.

use jiff::{SignedDuration, Timestamp};

use crate::artifact::StoreError;
use crate::audit::{
    AUDIT_PAGE_ROWS, AuditFilter, AuditKey, AuditRow, AuditStore, NewAuditRow, Outcome, Seal, seal_new, verify_audit,
};
use crate::digest::Digest;
use crate::repository::Actor;

/// The promises of an audit that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn audit_store(store: &dyn AuditStore) {
    an_empty_audit_is_sound(store).await;
    rows_come_back_whole(store).await;
    every_filter_finds_its_rows_and_no_other(store).await;
    pages_follow_their_key_newest_first(store).await;
    rows_are_read_in_the_order_of_their_writing(store).await;
    seals_form_one_chain(store).await;
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_001).expect("a time") + SignedDuration::from_secs(second)
}

fn row(second: i64, login: &str, action: &str, resource: &str) -> NewAuditRow {
    NewAuditRow {
        at: moment(second),
        by: Actor {
            login: login.to_owned(),
            credential: Some("akp_Ab12".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            request: Some(format!("R{second}")),
        },
        action: action.to_owned(),
        resource: resource.to_owned(),
        outcome: Outcome::Done,
        detail: r#"{"b":1, "a":"ö"}"#.to_owned(),
    }
}

fn samples() -> Vec<NewAuditRow> {
    vec![
        row(1, "alice", "publish", "go/local example.com/m@v1.0.0"),
        row(2, "bob", "publish", "go/local example.com/m@v1.1.0"),
        row(3, "alice", "publish", "go/local-2 example.com/other@v1.0.0"),
        // The clock went back.
        row(2, "alice", "delete", "go/local example.com/m@v1.0.0"),
        row(5, "alice", "repository.update", "go/local"),
        NewAuditRow { outcome: Outcome::Denied, by: Actor::system(), ..row(6, "", "login", "/api/session") },
    ]
}

async fn an_empty_audit_is_sound(store: &dyn AuditStore) {
    let page = store.page(&AuditFilter::default(), None, 10).await.expect("a page");
    assert!(page.items.is_empty() && !page.more, "an empty audit has no rows");
    assert_eq!(store.head().await.expect("an answer"), None, "an empty audit has no seal");
    assert_eq!(seal_new(store, moment(0)).await.expect("nothing to seal"), 0);
    assert_eq!(store.head().await.expect("an answer"), None, "nothing is sealed by no seal");
    let check = verify_audit(store).await.expect("a check");
    assert_eq!((check.seals, check.rows, check.unsealed, check.broken), (0, 0, 0, None));
}

async fn rows_come_back_whole(store: &dyn AuditStore) {
    store.record(samples()).await.expect("recorded");
    let rows = store.rows_after(0, None, None).await.expect("rows");
    assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq), "numbers grow");
    assert!(rows.first().is_some_and(|row| row.seq > 0), "numbers begin above 0");
    let told: Vec<_> = rows.into_iter().map(|row| row.told).collect();
    assert_eq!(told, samples(), "every field, in order, to the microsecond and the letter");
}

async fn every_filter_finds_its_rows_and_no_other(store: &dyn AuditStore) {
    let none = AuditFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let rows = [
        (none(), 6),
        (AuditFilter { actor: text("alice"), ..none() }, 4),
        (AuditFilter { actor: text("ALICE"), ..none() }, 0),
        (AuditFilter { action: text("publish"), ..none() }, 3),
        (AuditFilter { repository: text("go/local"), ..none() }, 4),
        (AuditFilter { repository: text("go/loc"), ..none() }, 0),
        (AuditFilter { repository: text("/api/session"), ..none() }, 0),
        (AuditFilter { package: text("example.com/m"), ..none() }, 3),
        (AuditFilter { package: text("example.com"), ..none() }, 0),
        (AuditFilter { repository: text("go/local"), package: text("example.com/other"), ..none() }, 0),
        (AuditFilter { outcome: Some(Outcome::Denied), ..none() }, 1),
        (AuditFilter { outcome: Some(Outcome::Done), ..none() }, 5),
        (AuditFilter { request: text("R2"), ..none() }, 2),
        (AuditFilter { from: Some(moment(2)), to: Some(moment(5)), ..none() }, 3),
        (AuditFilter { from: Some(moment(6)), ..none() }, 1),
        (AuditFilter { to: Some(moment(1)), ..none() }, 0),
        (AuditFilter { actor: text("alice"), action: text("delete"), ..none() }, 1),
    ];
    for (filter, count) in rows {
        let page = store.page(&filter, None, 100).await.expect("a page");
        assert_eq!(page.items.len(), count, "{filter:?}");
        assert!(page.items.iter().all(|row| filter.admits(&row.told)), "{filter:?}");
    }
}

async fn pages_follow_their_key_newest_first(store: &dyn AuditStore) {
    for limit in [1, 2, 3, 6] {
        let (mut seen, mut before): (Vec<AuditKey>, _) = (Vec::new(), None);
        loop {
            let page = store.page(&AuditFilter::default(), before, limit).await.expect("a page");
            seen.extend(page.items.iter().map(AuditRow::key));
            before = seen.last().copied();
            if !page.more {
                break;
            }
        }
        assert!(seen.len() == 6 && seen.windows(2).all(|pair| pair[0] > pair[1]), "pages of {limit}: {seen:?}");
    }
}

async fn rows_are_read_in_the_order_of_their_writing(store: &dyn AuditStore) {
    let all = store.rows_after(0, None, None).await.expect("rows");
    let rest = store.rows_after(all[1].seq, None, None).await.expect("rows");
    assert_eq!(rest, all[2..], "those after a number");
    let within = store.rows_after(0, Some(moment(2)), Some(moment(3))).await.expect("rows");
    assert_eq!(within, [all[1].clone(), all[3].clone()], "those of a time, also when the clock went back");
    let end = all.last().expect("rows").seq;
    assert_eq!(store.rows_after(end, None, None).await.expect("rows"), [], "nothing after the last");
}

async fn seals_form_one_chain(store: &dyn AuditStore) {
    assert_eq!(seal_new(store, moment(10)).await.expect("sealed"), 6);
    assert_eq!(seal_new(store, moment(20)).await.expect("nothing new"), 0);
    let many = (0..i64::from(AUDIT_PAGE_ROWS) + 1).map(|n| row(30 + n, "ci", "publish", "go/local")).collect();
    store.record(many).await.expect("recorded");
    assert_eq!(verify_audit(store).await.expect("a check").unsealed, 1_001, "rows wait for their seal");
    assert_eq!(seal_new(store, moment(40)).await.expect("sealed"), 1_001);
    let seals = store.seals_after(0).await.expect("seals");
    assert_eq!(seals.iter().map(|seal| seal.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.seals_after(1).await.expect("seals"), seals[1..], "those after a number");
    assert_eq!(store.head().await.expect("a head"), seals.last().copied(), "the head is the last");
    let taken = Seal { hash: Digest::of(b"other"), ..seals[1] };
    let again = store.add_seal(taken).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "a taken number is AlreadyExists, not {again:?}");
    let check = verify_audit(store).await.expect("a check");
    assert_eq!((check.seals, check.rows, check.unsealed, check.broken), (2, 1_007, 0, None));
    assert_eq!(check.head, seals.last().copied());
}
