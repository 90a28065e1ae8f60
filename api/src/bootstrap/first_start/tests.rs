//! First start on stores in memory.

use std::sync::Arc;

use keeper_core::identity::{IdentityStore as _, TokenStore as _, UserStore as _, Window};
use keeper_core::testing::memory::MemoryStore as Store;

use super::*;
use crate::admin_socket::administration::Administration;
use crate::admin_socket::{AdminHandler, Lines, Reply, Request};
use crate::bootstrap::passwords::{Passwords, Profile};
use crate::clock::Clock;
use crate::config::Overrides;

const TOKEN: &str = "c0ffee1234deadbeef5678badcab1e90ab";

/// A configuration from environment variables.
fn config(environment: &[(&str, &str)]) -> Config {
    let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::load(&Overrides::default(), environment, None).expect("no faults").config
}

async fn start(store: &Store, config: &Config, reveal: Reveal<'_>) -> FirstStart {
    let registry = handler::registry();
    let passwords = Passwords::new(2, Profile::Standard);
    let ports = Ports { identity: store, repositories: store, registry: &registry, passwords: &passwords };
    first_start(ports, config, reveal).await.expect("started")
}

#[tokio::test]
async fn an_empty_store_gets_an_administrator_and_the_first_repositories() {
    let store = Store::default();
    let made = start(&store, &config(&[]), Reveal::Terminal).await;
    let Administrator::Generated(password) = &made.administrator else { panic!("{made:?}") };
    let stored = store.password(ADMINISTRATOR).await.expect("asked");
    let verdict = Passwords::new(2, Profile::Standard).verify(password, stored).await.expect("a verdict");
    assert_eq!(verdict, Verdict::Right);
    assert!(!format!("{made:?}").contains(password.reveal()));

    let repositories = store.list().await.expect("asked");
    assert_eq!(repositories.len(), REPOSITORIES.len());
    for (first, one) in REPOSITORIES.iter().zip(&made.repositories) {
        let at = address(first).expect("an address");
        let stored = repositories.iter().find(|stored| stored.address == at).expect("it is there");
        assert!(one.address == at && one.open && one.kind == stored.kind());
        assert!(stored.anonymous_read && stored.settings.flag("strict"));
        assert_eq!(stored.default_upload, stored.kind() == RepositoryKind::Hosted, "{at}");
        for member in stored.source.members().iter().flat_map(|source| &source.members) {
            assert!(repositories.iter().any(|one| one.address.name == *member), "{at} has the member {member}");
        }
    }
    assert!(made.repositories.len() == REPOSITORIES.len() && !made.token);

    let again = start(&store, &config(&[]), Reveal::Terminal).await;
    assert!(matches!(again.administrator, Administrator::Existed) && again.warnings.is_empty());
    assert_eq!(store.list().await.expect("asked").len(), REPOSITORIES.len());
}

#[tokio::test]
async fn given_credentials_are_used_once_and_later_ones_ignored_with_a_warning() {
    let store = Store::default();
    let given: &[_] = &[("KEEPER_ADMIN_PASSWORD", "correct horse battery"), ("KEEPER_ADMIN_TOKEN", TOKEN)];
    let made = start(&store, &config(given), Reveal::Terminal).await;
    assert!(matches!(made.administrator, Administrator::Given) && made.token);
    let credential = store.credential(&TokenHash::of(TOKEN), Timestamp::UNIX_EPOCH).await.expect("asked");
    let Credential::Valid(user) = credential else { panic!("{credential:?}") };
    assert!(Action::ALL.into_iter().all(|action| user.scope.actions.contains(action)));
    assert!(user.scope.packages.is_none() && user.expires_at.is_none());
    assert!(!TOKEN.contains(&user.credential), "the display part shows nothing of the token");

    assert!(start(&store, &config(given), Reveal::Terminal).await.warnings.is_empty());
    let others: &[_] = &[
        ("KEEPER_ADMIN_PASSWORD", "another horse battery"),
        ("KEEPER_ADMIN_TOKEN", "deadbeef5678badcab1e90c0ffee1234ab"),
        ("KEEPER_ANONYMOUS_READ", "false"),
    ];
    let warnings = start(&store, &config(others), Reveal::Terminal).await.warnings;
    let names = "KEEPER_ADMIN_PASSWORD, KEEPER_ADMIN_TOKEN, KEEPER_ANONYMOUS_READ differs";
    assert!(warnings.len() == 1 && warnings[0].starts_with(names), "{warnings:?}");
    let tokens = store.tokens(None, Window { after: None, limit: 10 }).await.expect("asked");
    assert_eq!(tokens.items.len(), 1);
}

#[tokio::test]
async fn without_a_terminal_the_password_is_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = DataDir::open(folder.path(), Some(&folder.path().join("blobs")), true).expect("made");
    let store = Store::default();
    let made = start(&store, &config(&[]), Reveal::File(&data)).await;
    let Administrator::InFile(path) = made.administrator else { panic!("{made:?}") };
    let password = Secret::new(std::fs::read_to_string(path).expect("there").trim_end());
    let stored = store.password(ADMINISTRATOR).await.expect("asked");
    assert_eq!(
        Passwords::new(2, Profile::Standard).verify(&password, stored).await.expect("a verdict"),
        Verdict::Right
    );
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_continued() {
    let store = Store::default();
    let (registry, passwords) = (handler::registry(), Passwords::new(1, Profile::Standard));
    let ports = Ports { identity: &store, repositories: &store, registry: &registry, passwords: &passwords };
    for first in REPOSITORIES {
        repository(ports, first, true).await.expect("made");
    }
    let made = start(&store, &config(&[("KEEPER_LISTEN", "0.0.0.0:1")]), Reveal::Terminal).await;
    assert!(matches!(made.administrator, Administrator::Generated(_)) && made.repositories.is_empty());
}

/// Without what runs in the background.
#[async_trait::async_trait]
impl AdminHandler for Administration {
    async fn answer(&self, request: Request, _lines: Lines) -> Reply {
        self.answer(&request).await
    }
}

#[tokio::test]
async fn a_token_is_issued_for_a_user_that_exists() {
    use crate::admin_socket::token_create::{IssueError, NewTokenRequest, issue};
    use crate::admin_socket::{AdminSocket, call};
    let store = Arc::new(Store::default());
    let request = NewTokenRequest::sample();
    let early = issue(store.as_ref(), &request, Timestamp::UNIX_EPOCH).await;
    assert!(matches!(early, Err(IssueError::NoUser(_))));
    start(&store, &config(&[]), Reveal::Terminal).await;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let _socket = AdminSocket::serve(
        &path,
        Arc::new(Administration::new(
            store.clone(),
            Clock::open(folder.path(), None),
            Passwords::new(1, Profile::Standard),
            folder.path().join("first-password"),
        )),
    )
    .expect("served");
    let reply = call(&path, &Request::TokenCreate(request)).await.expect("answered");
    let Reply::TokenCreated(created) = reply else { panic!("{reply:?}") };
    assert!(created.expires_at.is_some() && created.packages.is_none());
    let found = store.credential(&TokenHash::of(&created.token), Timestamp::UNIX_EPOCH).await.expect("asked");
    assert!(matches!(found, Credential::Valid(user) if created.token.starts_with(&user.credential)));
    assert!(!format!("{created:?}").contains(&created.token));
}
