//! The promises of the ports of users, groups, grants and sessions, and what each change means for credentials.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::identities::login;
use crate::access::{Action, Grant, Means, Pattern, Role, Scope, User};
use crate::artifact::StoreError;
use crate::identity::{
    Credential, Directory, Edited, Email, GrantId, Grantee, GroupName, Identity, NewGrant, NewSession, NewToken,
    NewUser, SESSION_IDLE, SESSION_LIFE, SESSIONS_PER_USER, SessionId, TokenHash, UserChange, UserKind, UserRecord,
    Window,
};
use crate::repository::Actor;

/// The promises of a store of identities that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn directory(store: &dyn Directory) {
    a_user_is_kept_and_changed_as_a_whole(store).await;
    the_last_administrator_stays(store).await;
    grants_reach_a_user_directly_and_by_groups(store).await;
    lists_follow_their_ids(store).await;
    a_token_is_listed_used_and_revoked(store).await;
    a_session_lives_while_it_is_used(store).await;
    sessions_end_with_the_password_and_in_number(store).await;
    a_user_goes_with_everything(store).await;
}

const ALL: Window = Window { after: None, limit: 200 };

fn by() -> Actor {
    Actor { login: "tester".to_owned(), ..Actor::default() }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn group(text: &str) -> GroupName {
    GroupName::try_from(text).expect("a name")
}

fn what(repositories: &str, role: Role) -> Grant {
    Grant { repositories: Pattern::parse(repositories).expect("a pattern"), role }
}

fn done<T: std::fmt::Debug>(edited: Edited<T>) -> T {
    match edited {
        Edited::Done(record) => record,
        other => panic!("done, not {other:?}"),
    }
}

async fn user(store: &dyn Directory, name: &str, admin: bool) -> UserRecord {
    let new = NewUser::person(login(name), admin, format!("hash of {name}"));
    store.create_user(new, &by()).await.expect("a new user")
}

async fn change(store: &dyn Directory, name: &str, change: UserChange) -> Edited<UserRecord> {
    store.change_user(&login(name), None, change, &by()).await.expect("an answer")
}

async fn token(store: &dyn Directory, secret: &str, owner: &str) -> TokenHash {
    let hash = TokenHash::of(secret);
    let (display, name, owner) = ("akp_Ab12".to_owned(), secret.to_owned(), login(owner));
    let token = NewToken { hash, display, name, owner, scope: Scope::unlimited(), expires_at: None };
    store.create_token(token, &by()).await.expect("a token");
    hash
}

async fn valid(store: &dyn Directory, hash: TokenHash) -> User {
    match store.credential(&hash, now()).await.expect("an answer") {
        Credential::Valid(user) => *user,
        other => panic!("valid, not {other:?}"),
    }
}

async fn session(store: &dyn Directory, secret: &str, owner: &str, at: Timestamp) -> SessionId {
    let (id, hash, login) = (SessionId::new(), TokenHash::of(secret), login(owner));
    let (address, agent) = (Some("192.0.2.7".to_owned()), None);
    let session = NewSession { id, hash, login, created_at: at, address, agent };
    assert!(store.create_session(session, &by()).await.expect("an answer"), "a session of an enabled user");
    id
}

async fn session_lives(store: &dyn Directory, secret: &str, at: Timestamp) -> bool {
    let found = store.session(&TokenHash::of(secret), at).await.expect("an answer");
    assert!(matches!(found, Credential::Valid(_) | Credential::Unknown), "{found:?}");
    matches!(found, Credential::Valid(_))
}

async fn a_user_is_kept_and_changed_as_a_whole(store: &dyn Directory) {
    let before = store.identity_generation();
    let made = user(store, "root", true).await;
    assert!(store.identity_generation() > before, "a new user raises the generation");
    assert_eq!(made.identity, Identity::local(made.id), "who it is");
    assert_eq!(store.user(&login("root")).await.expect("an answer"), Some(made.clone()));
    assert_eq!(store.user(&login("nobody")).await.expect("an answer"), None);
    let email = Some(Email::try_from("root@corp.example").expect("an address"));
    let wanted = UserChange {
        display_name: Some("Root".to_owned()),
        email: Some(email.clone()),
        password: Some("new hash".to_owned()),
        ..UserChange::default()
    };
    let stale = store.change_user(&login("root"), Some(made.revision + 1), wanted.clone(), &by()).await;
    assert_eq!(stale.expect("an answer"), Edited::Stale, "a change for another revision");
    let changed = done(store.change_user(&login("root"), Some(made.revision), wanted, &by()).await.expect("an answer"));
    assert_eq!((&*changed.display_name, &changed.email, changed.admin), ("Root", &email, true));
    assert!(changed.revision > made.revision, "a change changes the revision");
    assert_eq!(store.password("root").await.expect("an answer").as_deref(), Some("new hash"));
    let without = change(store, "root", UserChange { email: Some(None), ..UserChange::default() }).await;
    assert_eq!(done(without).email, None, "an address can be taken away");
    assert_eq!(change(store, "nobody", UserChange::default()).await, Edited::Absent);
    let old = "new hash";
    store.rehash_password(&login("root"), "another hash", "x".to_owned()).await.expect("an answer");
    assert_eq!(store.password("root").await.expect("an answer").as_deref(), Some(old), "only the known hash");
    store.rehash_password(&login("root"), old, "better".to_owned()).await.expect("an answer");
    assert_eq!(store.password("root").await.expect("an answer").as_deref(), Some("better"));
}

async fn the_last_administrator_stays(store: &dyn Directory) {
    let robot = NewUser { kind: UserKind::Robot, password: None, ..NewUser::person(login("bot"), true, String::new()) };
    let robot = store.create_user(robot, &by()).await.expect("a robot");
    assert_eq!((robot.kind, robot.password_changed_at), (UserKind::Robot, None));
    let demote = || UserChange { admin: Some(false), ..UserChange::default() };
    let disable = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    for refused in [demote(), disable(true)] {
        assert_eq!(change(store, "root", refused).await, Edited::LastAdministrator, "a robot is nobody to turn to");
    }
    let deleted = store.delete_user(&login("root"), None, &by()).await.expect("an answer");
    assert_eq!(deleted, Edited::LastAdministrator);
    user(store, "second", true).await;
    done(change(store, "second", disable(true)).await);
    assert_eq!(store.password("second").await.expect("an answer"), None, "who is disabled cannot sign in");
    assert_eq!(change(store, "root", demote()).await, Edited::LastAdministrator, "one who is disabled does not count");
    done(change(store, "second", disable(false)).await);
    assert!(!done(change(store, "root", demote()).await).admin, "another one is there");
    assert_eq!(change(store, "second", demote()).await, Edited::LastAdministrator);
    done(change(store, "root", UserChange { admin: Some(true), ..UserChange::default() }).await);
}

async fn grants_reach_a_user_directly_and_by_groups(store: &dyn Directory) {
    user(store, "ann", false).await;
    let hash = token(store, "of ann", "ann").await;
    assert_eq!(valid(store, hash).await.grants, [], "nothing by itself");
    let team = store.create_group(&group("team"), "a team", &by()).await.expect("a group");
    let again = store.create_group(&group("team"), "", &by()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "a taken name is AlreadyExists, not {again:?}");
    let give = async |grantee: &Grantee, grant: Grant| {
        store.create_grant(NewGrant { grantee: grantee.clone(), grant }, &by()).await
    };
    let (to_ann, to_team) = (Grantee::User(login("ann")), Grantee::Group(group("team")));
    let direct = give(&to_ann, what("go/local", Role::Reader)).await.expect("an answer").expect("a grant");
    let twice = give(&to_ann, what("go/local", Role::Owner)).await;
    assert!(matches!(twice, Err(StoreError::AlreadyExists)), "one role on one pattern, not {twice:?}");
    let by_team = give(&to_team, what("go/team-*", Role::Publisher)).await.expect("an answer").expect("a grant");
    for absent in [Grantee::User(login("nobody")), Grantee::Group(group("nobodies"))] {
        assert_eq!(give(&absent, what("*", Role::Reader)).await.expect("an answer"), None, "{absent:?}");
    }
    assert_eq!(valid(store, hash).await.grants, [what("go/local", Role::Reader)], "not in the group yet");
    let before = store.identity_generation();
    assert!(store.add_member(&team.name, &login("ann"), &by()).await.expect("an answer"));
    assert!(store.add_member(&team.name, &login("ann"), &by()).await.expect("an answer"), "a repeat is fine");
    assert!(!store.add_member(&team.name, &login("nobody"), &by()).await.expect("an answer"));
    assert!(!store.add_member(&group("nobodies"), &login("ann"), &by()).await.expect("an answer"));
    assert!(store.identity_generation() > before, "a membership raises the generation");
    let both = [what("go/local", Role::Reader), what("go/team-*", Role::Publisher)];
    assert_eq!(valid(store, hash).await.grants, both, "directly and by the group");
    assert_eq!(store.grants_of(&login("ann")).await.expect("an answer"), both);
    assert_eq!(store.grants_of(&login("nobody")).await.expect("an answer"), []);
    assert_eq!(store.group(&team.name).await.expect("an answer").expect("the group").members, 1);
    let members = store.members(&team.name, ALL).await.expect("an answer").items;
    assert_eq!(members.iter().map(|one| one.login.as_str()).collect::<Vec<_>>(), ["ann"]);
    assert_eq!(store.grant(by_team.id).await.expect("an answer"), Some(by_team.clone()));
    let of_team = store.grants(Some(&to_team), ALL).await.expect("an answer").items;
    assert_eq!(of_team, std::slice::from_ref(&by_team), "by grantee");
    let counting = store.grants_counting_for(&login("ann"), ALL).await.expect("an answer").items;
    assert_eq!(counting.len(), 2, "directly and by the group");
    assert!(counting.contains(&direct) && counting.contains(&by_team), "each with whom it names");
    assert_eq!(store.grants_counting_for(&login("nobody"), ALL).await.expect("an answer").items, []);
    assert!(store.remove_member(&team.name, &login("ann"), &by()).await.expect("an answer"));
    assert!(!store.remove_member(&team.name, &login("ann"), &by()).await.expect("an answer"));
    assert!(store.delete_grant(direct.id, &by()).await.expect("an answer"));
    assert!(!store.delete_grant(direct.id, &by()).await.expect("an answer"));
    assert!(!store.delete_grant(GrantId::new(), &by()).await.expect("an answer"));
    assert_eq!(valid(store, hash).await.grants, [], "all taken back");
    let stale = store.change_group(&team.name, Some(team.revision + 1), "x", &by()).await.expect("an answer");
    assert_eq!(stale, Edited::Stale);
    let renamed = store.change_group(&team.name, Some(team.revision), "the team", &by()).await.expect("an answer");
    assert_eq!(done(renamed).description, "the team");
    store.add_member(&team.name, &login("ann"), &by()).await.expect("an answer");
    done(store.delete_group(&team.name, None, &by()).await.expect("an answer"));
    assert_eq!(valid(store, hash).await.grants, [], "a group goes with its grants");
    assert_eq!(store.grants(None, ALL).await.expect("an answer").items, []);
    let absent = store.delete_group(&team.name, None, &by()).await.expect("an answer");
    assert_eq!(absent, Edited::Absent);
}

async fn lists_follow_their_ids(store: &dyn Directory) {
    for number in 0..5 {
        user(store, &format!("many-{number}"), false).await;
    }
    let all: Vec<_> = store.users(ALL).await.expect("an answer").items.iter().map(|one| one.id).collect();
    let mut sorted = all.clone();
    sorted.sort_unstable();
    assert_eq!(all, sorted, "in order of their ids");
    let (mut seen, mut after): (Vec<_>, Option<Uuid>) = (Vec::new(), None);
    loop {
        let page = store.users(Window { after, limit: 2 }).await.expect("an answer");
        seen.extend(page.items.iter().map(|one| one.id));
        after = page.items.last().map(|one| one.id.0);
        if !page.more {
            break;
        }
        assert_eq!(page.items.len(), 2, "a page with another behind it is full");
    }
    assert_eq!(seen, all, "pages make up the list");
}

async fn a_token_is_listed_used_and_revoked(store: &dyn Directory) {
    let hash = token(store, "of many-0", "many-0").await;
    let listed = store.tokens(Some(&login("many-0")), ALL).await.expect("an answer").items;
    let [record] = &listed[..] else { panic!("one token, not {listed:?}") };
    assert_eq!((&*record.name, &*record.created_by, record.used_at), ("of many-0", "tester", None));
    let Means::Token(id) = valid(store, hash).await.means else { panic!("a token was presented") };
    assert_eq!(id, record.id, "the credential names its token");
    assert_eq!(store.token(id).await.expect("an answer").as_ref(), Some(record));
    let before = store.identity_generation();
    store.token_used(id, now(), Some("192.0.2.7")).await.expect("an answer");
    assert_eq!(store.identity_generation(), before, "a use changes no right");
    let used = store.token(id).await.expect("an answer").expect("the token");
    assert_eq!((used.used_at, used.used_from.as_deref()), (Some(now()), Some("192.0.2.7")));
    let seen = store.seen(&[login("many-0"), login("many-1"), login("nobody")]).await.expect("an answer");
    assert_eq!((seen.len(), seen.get(&login("many-0"))), (1, Some(&now())), "who was seen, and when last");
    assert!(store.seen(&[]).await.expect("an answer").is_empty());
    done(change(store, "many-0", UserChange { disabled: Some(true), ..UserChange::default() }).await);
    let disabled = store.credential(&hash, now()).await.expect("an answer");
    assert!(matches!(disabled, Credential::Disabled), "{disabled:?}");
    done(change(store, "many-0", UserChange { disabled: Some(false), ..UserChange::default() }).await);
    assert!(store.revoke_token(id, &by()).await.expect("an answer"));
    assert!(store.identity_generation() > before, "a revocation raises the generation");
    assert!(!store.revoke_token(id, &by()).await.expect("an answer"));
    let revoked = store.credential(&hash, now()).await.expect("an answer");
    assert!(matches!(revoked, Credential::Unknown), "{revoked:?}");
    assert_eq!(store.tokens(Some(&login("many-0")), ALL).await.expect("an answer").items, [], "revoked is not listed");
}

async fn a_session_lives_while_it_is_used(store: &dyn Directory) {
    let moment = SignedDuration::from_secs(1);
    let id = session(store, "cookie", "ann", now()).await;
    let Credential::Valid(user) = store.session(&TokenHash::of("cookie"), now()).await.expect("an answer") else {
        panic!("a new session lives");
    };
    assert_eq!((&*user.login, user.means), ("ann", Means::Session(id)));
    assert_eq!(user.scope, Scope::unlimited(), "the whole right of its user");
    assert!(user.scope.actions.contains(Action::Admin));
    assert!(!session_lives(store, "Cookie", now()).await, "another text");
    let unknown = store.credential(&TokenHash::of("cookie"), now()).await.expect("an answer");
    assert!(matches!(unknown, Credential::Unknown), "a cookie is no token");
    assert!(session_lives(store, "cookie", now() + SESSION_IDLE - moment).await);
    assert!(!session_lives(store, "cookie", now() + SESSION_IDLE).await, "it was not used");
    let mut used = now();
    while used + SESSION_IDLE < now() + SESSION_LIFE {
        used += SESSION_IDLE - moment;
        store.session_used(id, used).await.expect("an answer");
        assert!(session_lives(store, "cookie", used).await, "it was used");
    }
    assert!(!session_lives(store, "cookie", now() + SESSION_LIFE).await, "used or not");
    assert!(!store.end_session(&login("root"), id, &by()).await.expect("an answer"), "that of another user");
    assert!(store.end_session(&login("ann"), id, &by()).await.expect("an answer"));
    assert!(!store.end_session(&login("ann"), id, &by()).await.expect("an answer"));
    assert!(!session_lives(store, "cookie", now()).await, "it was ended");
}

async fn sessions_end_with_the_password_and_in_number(store: &dyn Directory) {
    let [one, two] = ["one", "two"].map(|secret| (secret, session(store, secret, "ann", now())));
    let (keep, _other) = (one.1.await, two.1.await);
    assert!(store.set_password(&login("ann"), "h".to_owned(), Some(keep), &by()).await.expect("an answer"));
    assert!(session_lives(store, one.0, now()).await && !session_lives(store, two.0, now()).await);
    assert!(!store.set_password(&login("nobody"), "h".to_owned(), None, &by()).await.expect("an answer"));
    done(change(store, "ann", UserChange { password: Some("h".to_owned()), ..UserChange::default() }).await);
    assert!(!session_lives(store, one.0, now()).await, "an administrator's change ends them all");
    for secret in ["three", "four"] {
        session(store, secret, "ann", now()).await;
    }
    let before = store.identity_generation();
    assert!(store.end_sessions(&login("ann"), &by()).await.expect("an answer"));
    assert!(store.identity_generation() > before, "the end of sessions raises the generation");
    assert!(!session_lives(store, "three", now()).await && !session_lives(store, "four", now()).await, "all of them");
    assert!(store.end_sessions(&login("ann"), &by()).await.expect("an answer"), "none is left");
    assert!(!store.end_sessions(&login("nobody"), &by()).await.expect("an answer"));
    for number in 0..=SESSIONS_PER_USER {
        session(store, &format!("cookie {number}"), "ann", now() + SignedDuration::from_secs(number.into())).await;
    }
    let later = now() + SignedDuration::from_secs(SESSIONS_PER_USER.into());
    assert_eq!(store.sessions(&login("ann"), later).await.expect("an answer").len(), SESSIONS_PER_USER as usize);
    assert!(!session_lives(store, "cookie 0", later).await, "the oldest made room");
    done(change(store, "ann", UserChange { disabled: Some(true), ..UserChange::default() }).await);
    assert!(!session_lives(store, "cookie 1", later).await, "the user is disabled");
    let refused = NewSession {
        id: SessionId::new(),
        hash: TokenHash::of("late"),
        login: login("ann"),
        created_at: now(),
        address: None,
        agent: None,
    };
    assert!(!store.create_session(refused, &by()).await.expect("an answer"), "none for a disabled user");
    done(change(store, "ann", UserChange { disabled: Some(false), ..UserChange::default() }).await);
}

async fn a_user_goes_with_everything(store: &dyn Directory) {
    let hash = token(store, "last", "ann").await;
    session(store, "last cookie", "ann", now()).await;
    store.create_group(&group("rest"), "", &by()).await.expect("a group");
    store.add_member(&group("rest"), &login("ann"), &by()).await.expect("an answer");
    let grant = NewGrant { grantee: Grantee::User(login("ann")), grant: what("*", Role::Reader) };
    store.create_grant(grant, &by()).await.expect("an answer").expect("a grant");
    let stale = store.delete_user(&login("ann"), Some(0), &by()).await.expect("an answer");
    assert_eq!(stale, Edited::Stale);
    done(store.delete_user(&login("ann"), None, &by()).await.expect("an answer"));
    assert_eq!(store.delete_user(&login("ann"), None, &by()).await.expect("an answer"), Edited::Absent);
    let gone = store.credential(&hash, now()).await.expect("an answer");
    assert!(matches!(gone, Credential::Unknown), "{gone:?}");
    assert!(!session_lives(store, "last cookie", now()).await);
    assert_eq!(store.group(&group("rest")).await.expect("an answer").expect("the group").members, 0);
    assert_eq!(store.grants(None, ALL).await.expect("an answer").items, []);
    let again = user(store, "ann", false).await;
    assert_ne!(again.identity, Identity::local(Default::default()));
    assert_eq!(valid(store, token(store, "new", "ann").await).await.grants, [], "a login again is a new user");
}
