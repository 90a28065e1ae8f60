//! The promises of the ports of tokens: what a credential stands for.

use jiff::{SignedDuration, Timestamp};

use crate::access::{Action, Pattern, Scope};
use crate::artifact::StoreError;
use crate::identity::{Credential, Directory, Login, NewToken, NewUser, TokenHash};
use crate::repository::Actor;

/// The promises of a store of identities that has no user when it is given.
///
/// # Panics
/// When one is broken.
pub async fn identity_store(store: &dyn Directory) {
    a_login_is_taken_once(store).await;
    a_token_comes_back_with_its_owner_and_scope(store).await;
    a_restriction_to_no_package_is_not_lost(store).await;
    a_token_ends_at_its_time(store).await;
    what_is_unknown_is_unknown(store).await;
    a_hash_is_taken_once(store).await;
    a_token_needs_an_owner(store).await;
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

pub(super) fn login(text: &str) -> Login {
    Login::try_from(text).expect("a login")
}

async fn new_user(store: &dyn Directory, name: &str, admin: bool, password: &str) -> Result<(), StoreError> {
    let user = NewUser::person(login(name), admin, password.to_owned());
    store.create_user(user, &Actor::system()).await.map(drop)
}

fn token(secret: &str, owner: &str) -> NewToken {
    let pattern = |text| Pattern::parse(text).expect("a pattern");
    NewToken {
        hash: TokenHash::of(secret),
        display: "akp_Ab12".to_owned(),
        name: "a laptop".to_owned(),
        owner: login(owner),
        scope: Scope {
            actions: [Action::Read, Action::Publish].into_iter().collect(),
            repositories: vec![pattern("go/team-*"), pattern("go/local")],
            packages: Some(vec![pattern("example.com/team/*")]),
        },
        expires_at: None,
    }
}

async fn kept(store: &dyn Directory, token: NewToken) {
    store.create_token(token, &Actor::system()).await.expect("a new token of an existing user");
}

async fn asked(store: &dyn Directory, secret: &str, at: Timestamp) -> Credential {
    store.credential(&TokenHash::of(secret), at).await.expect("an answer")
}

async fn a_login_is_taken_once(store: &dyn Directory) {
    assert!(!store.has_administrator().await.expect("an answer"), "an empty store has no administrator");
    assert_eq!(store.password("admin").await.expect("an answer"), None, "an unknown login has no password");
    new_user(store, "plain", false, "hash-0").await.expect("a user");
    assert!(!store.has_administrator().await.expect("an answer"), "a plain user is no administrator");
    new_user(store, "admin", true, "$argon2id$hash-1").await.expect("an administrator");
    assert!(store.has_administrator().await.expect("an answer"), "an administrator is one");
    let again = new_user(store, "admin", false, "hash-2").await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "a taken login is AlreadyExists, not {again:?}");
    let password = store.password("admin").await.expect("an answer");
    assert_eq!(password.as_deref(), Some("$argon2id$hash-1"), "a refused creation changes nothing");
    assert!(store.has_administrator().await.expect("an answer"), "a refused creation changes nothing");
}

async fn a_token_comes_back_with_its_owner_and_scope(store: &dyn Directory) {
    let given = token("one", "admin");
    kept(store, given.clone()).await;
    let Credential::Valid(user) = asked(store, "one", now()).await else {
        panic!("a token without an end is valid");
    };
    assert_eq!((&*user.login, user.admin), ("admin", true), "the owner");
    assert_eq!(user.credential, given.display, "the display part");
    assert_eq!(user.scope.actions, given.scope.actions, "the actions");
    assert_eq!(user.scope.repositories, given.scope.repositories, "the repositories, in order");
    assert_eq!(user.scope.packages, given.scope.packages, "the packages");
    assert_eq!(user.expires_at, None, "the end");
    kept(store, token("of plain", "plain")).await;
    let Credential::Valid(user) = asked(store, "of plain", now()).await else {
        panic!("a second user's token is valid");
    };
    assert_eq!((&*user.login, user.admin), ("plain", false), "the owner, not the last one asked for");
}

/// `None` is no limit and `Some([])` allows nothing: a store that mixes them up opens everything.
async fn a_restriction_to_no_package_is_not_lost(store: &dyn Directory) {
    for (secret, packages) in [("unlimited", None), ("nothing", Some(Vec::new()))] {
        let mut given = token(secret, "admin");
        given.scope = Scope { actions: [].into_iter().collect(), repositories: Vec::new(), packages };
        kept(store, given.clone()).await;
        let Credential::Valid(user) = asked(store, secret, now()).await else {
            panic!("an empty scope is a scope");
        };
        assert_eq!(user.scope.packages, given.scope.packages, "no limit and no package are two things");
        assert_eq!(user.scope.repositories, [], "no repository is no repository");
        assert_eq!(user.scope.actions, given.scope.actions, "no action is no action");
    }
}

async fn a_token_ends_at_its_time(store: &dyn Directory) {
    let moment = SignedDuration::from_secs(1);
    let end = now();
    kept(store, NewToken { expires_at: Some(end), ..token("ending", "admin") }).await;
    let Credential::Valid(user) = asked(store, "ending", end - moment).await else {
        panic!("a token is valid before its end");
    };
    assert_eq!(user.expires_at, Some(end), "the end");
    for late in [end, end + moment] {
        let Credential::Expired { display, at } = asked(store, "ending", late).await else {
            panic!("a token has expired at its end and after it");
        };
        assert_eq!((&*display, at), ("akp_Ab12", end), "which token, and when");
    }
}

async fn what_is_unknown_is_unknown(store: &dyn Directory) {
    for secret in ["", "two", "ONE"] {
        let answer = asked(store, secret, now()).await;
        assert!(matches!(answer, Credential::Unknown), "{secret:?} is unknown, not {answer:?}");
    }
}

async fn a_hash_is_taken_once(store: &dyn Directory) {
    let again = store.create_token(token("one", "plain"), &Actor::system()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "a known hash is AlreadyExists, not {again:?}");
    let Credential::Valid(user) = asked(store, "one", now()).await else {
        panic!("the first token stays");
    };
    assert_eq!(user.login, "admin", "a refused creation changes nothing");
}

async fn a_token_needs_an_owner(store: &dyn Directory) {
    let orphan = store.create_token(token("orphan", "nobody"), &Actor::system()).await;
    assert!(orphan.is_err(), "a token of an unknown user is refused");
    let answer = asked(store, "orphan", now()).await;
    assert!(matches!(answer, Credential::Unknown), "a refused token is unknown, not {answer:?}");
}
