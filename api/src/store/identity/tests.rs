//! What the ports do not show: damaged rows, the audit, rows of older programs.

use std::time::Duration;

use keeper_core::access::{Action, Actions};
use keeper_core::identity::{Login, NewToken, NewUser, TokenStore, UserStore};
use keeper_core::repository::Actor;

use super::super::fixture::{Folder, execute_beside};
use super::*;

fn login(text: &str) -> Login {
    Login::try_from(text).expect("a login")
}

fn token(text: &str, expires_at: Option<Timestamp>) -> NewToken {
    NewToken {
        hash: TokenHash::of(text),
        display: "akp_Ab12".into(),
        name: "laptop".into(),
        owner: login("alice"),
        scope: Scope {
            actions: Actions::parse_words("read,publish").expect("actions"),
            repositories: vec![Pattern::parse("go/*").expect("a pattern")],
            packages: Some(vec![Pattern::parse("corp.example/*").expect("a pattern")]),
        },
        expires_at,
    }
}

async fn with_alice(folder: &Folder) -> Store {
    let store = folder.open().await;
    assert!(!store.has_administrator().await.expect("an answer"));
    store
        .create_user(NewUser::person(login("alice"), true, "$argon2id$…".into()), &Actor::system())
        .await
        .expect("made");
    assert!(store.has_administrator().await.expect("an answer"));
    store
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_with_its_user_and_scope() {
    let folder = Folder::new();
    let store = with_alice(&folder).await;
    let now = Timestamp::now();
    store.create_token(token("one", Some(now + Duration::from_secs(60))), &Actor::system()).await.expect("made");
    let found = store.credential(&TokenHash::of("one"), now).await.expect("an answer");
    let Credential::Valid(user) = found else { panic!("{found:?}") };
    assert_eq!((user.login.as_str(), user.admin, user.credential.as_str()), ("alice", true, "akp_Ab12"));
    assert_eq!(user.scope.actions.to_words(), "read,publish");
    assert_eq!(user.scope.repositories[0].as_str(), "go/*");
    assert_eq!(user.scope.packages.expect("a limit")[0].as_str(), "corp.example/*");
    assert!(matches!(store.credential(&TokenHash::of("two"), now).await, Ok(Credential::Unknown)));
    let later = now + Duration::from_secs(60);
    let expired = store.credential(&TokenHash::of("one"), later).await.expect("an answer");
    assert!(matches!(expired, Credential::Expired { display, .. } if display == "akp_Ab12"));
}

#[tokio::test]
async fn logins_and_hashes_are_taken_once_and_a_token_needs_its_user() {
    let folder = Folder::new();
    let store = with_alice(&folder).await;
    let by = Actor::system();
    assert!(matches!(
        store.create_user(NewUser::person(login("alice"), false, "x".into()), &by).await,
        Err(StoreError::AlreadyExists)
    ));
    store.create_token(token("one", None), &by).await.expect("made");
    assert!(matches!(store.create_token(token("one", None), &by).await, Err(StoreError::AlreadyExists)));
    let orphan = NewToken { owner: login("nobody"), ..token("two", None) };
    assert!(matches!(store.create_token(orphan, &by).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.credential(&TokenHash::of("two"), Timestamp::now()).await, Ok(Credential::Unknown)));
    assert_eq!(store.password("alice").await.expect("an answer").as_deref(), Some("$argon2id$…"));
    assert_eq!(store.password("nobody").await.expect("an answer"), None);
}

#[tokio::test]
async fn a_stored_scope_that_does_not_parse_allows_nothing() {
    let folder = Folder::new();
    with_alice(&folder).await.close().await;
    for (number, damage) in [
        "actions = 'read,everything'",
        "repositories = ''",
        "repositories = 'null'",
        "repositories = '[\"**\"]'",
        "packages = '[1]'",
        "packages = ''",
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("token {number}");
        let store = folder.open().await;
        store.create_token(token(&text, None), &Actor::system()).await.expect("made");
        store.close().await;
        let hash = TokenHash::of(&text);
        execute_beside(&folder, &format!("UPDATE tokens SET {damage} WHERE hash = '{}'", hash.0)).await;
        let store = folder.open().await;
        let found = store.credential(&hash, Timestamp::now()).await.expect("an answer");
        let Credential::Valid(user) = found else { panic!("{found:?}") };
        assert!(Action::ALL.iter().all(|action| !user.scope.actions.contains(*action)), "{damage}");
        assert!(user.scope.repositories.is_empty(), "{damage}");
        assert_eq!(user.scope.packages.map(|list| list.len()), Some(0), "{damage}");
        store.close().await;
    }
}

#[tokio::test]
async fn revoked_tokens_are_unknown_and_disabled_users_are_told_so() {
    let folder = Folder::new();
    let store = with_alice(&folder).await;
    store.create_token(token("one", None), &Actor::system()).await.expect("made");
    store.close().await;
    execute_beside(&folder, "UPDATE users SET disabled = TRUE").await;
    let store = folder.open().await;
    let now = Timestamp::now();
    assert!(matches!(store.credential(&TokenHash::of("one"), now).await, Ok(Credential::Disabled)));
    assert_eq!(store.password("alice").await.expect("an answer"), None);
    store.close().await;
    execute_beside(&folder, "UPDATE tokens SET revoked_at = 1").await;
    let store = folder.open().await;
    assert!(matches!(store.credential(&TokenHash::of("one"), now).await, Ok(Credential::Unknown)));
}

/// What the program before this one wrote: users and tokens without ids, nobody's grants.
#[tokio::test]
async fn users_and_tokens_of_an_older_program_count_on() {
    use keeper_migrations::Migrator;
    use sea_orm_migration::MigratorTrait;

    let folder = Folder::of_sqlite();
    let connection = sea_orm::Database::connect(folder.url()).await.expect("a database");
    Migrator::up(&connection, Some(3)).await.expect("the schema of then");
    let hash = TokenHash::of("one").0;
    for statement in [
        "INSERT INTO instance (id, migrated_by, created_at) \
         VALUES ('0199a3b4-0000-7000-8000-000000000000', '0.1.0', 1700000000000000)",
        "INSERT INTO users (login, admin, password, disabled, created_at) \
         VALUES ('admin', TRUE, 'hash', FALSE, 1700000000000000)",
        &format!(
            "INSERT INTO tokens (hash, display, name, owner, actions, repositories, created_at, created_by) \
             VALUES ('{hash}', 'akp_Ab12', 'laptop', 1, 'read', '[\"*\"]', 1700000000000001, 'admin')"
        ),
    ] {
        connection.execute_unprepared(statement).await.expect(statement);
    }
    connection.close().await.expect("closed");

    let store = folder.open().await;
    let admin = store.user(&login("admin")).await.expect("an answer").expect("the user");
    assert_eq!(admin.identity, Identity::local(admin.id));
    assert_eq!(admin.id.0.get_version_num(), 7, "{}", admin.id);
    assert_eq!((admin.kind, admin.admin, admin.revision), (UserKind::Person, true, 1));
    assert_eq!(admin.password_changed_at, Some(admin.created_at));
    let found = store.credential(&TokenHash::of("one"), Timestamp::now()).await.expect("an answer");
    let Credential::Valid(user) = found else { panic!("{found:?}") };
    let Means::Token(id) = user.means else { panic!("{user:?}") };
    assert_eq!(store.token(id).await.expect("an answer").expect("the token").name, "laptop");
}

#[tokio::test]
async fn every_change_is_in_the_audit_and_no_secret_is() {
    use keeper_core::identity::{GrantStore, Grantee, GroupName, GroupStore, NewGrant, UserChange};

    #[derive(FromQueryResult)]
    struct Row {
        action: String,
        resource: String,
        detail: String,
    }

    let folder = Folder::new();
    let store = with_alice(&folder).await;
    let (by, alice) = (Actor::system(), login("alice"));
    store.create_token(token("one", None), &by).await.expect("made");
    let tokens = store.tokens(None, Window { after: None, limit: 9 }).await.expect("a list").items;
    store.revoke_token(tokens[0].id, &by).await.expect("revoked");
    let change = UserChange { password: Some("a secret hash".into()), ..UserChange::default() };
    store.change_user(&alice, None, change, &by).await.expect("changed");
    store.set_password(&alice, "a secret hash".into(), None, &by).await.expect("changed");
    let team = GroupName::try_from("team").expect("a name");
    store.create_group(&team, "", &by).await.expect("made");
    for _ in 0..2 {
        store.add_member(&team, &alice, &by).await.expect("added");
    }
    let grant = Grant { repositories: Pattern::everything(), role: Role::Reader };
    store.create_grant(NewGrant { grantee: Grantee::Group(team.clone()), grant }, &by).await.expect("made");
    store.remove_member(&team, &alice, &by).await.expect("removed");
    store.delete_group(&team, None, &by).await.expect("deleted");
    let rows: Vec<Row> =
        all(&store.readers, "SELECT action, resource, detail FROM audit ORDER BY seq", []).await.expect("rows");
    let told: Vec<_> = rows.iter().map(|row| format!("{} {}", row.action, row.resource.replace(['"'], ""))).collect();
    let expected = [
        "user.create user alice",
        "token.create token akp_Ab12",
        "token.revoke token akp_Ab12",
        "user.update user alice",
        "user.password user alice",
        "group.create group team",
        "group.add_member group team",
        "grant.create grant",
        "group.remove_member group team",
        "group.delete group team",
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
    assert!(rows.iter().all(|row| !row.detail.contains("secret") && !row.detail.contains("$argon2id")));
}

#[tokio::test]
async fn every_page_of_people_and_credentials_follows_an_index() {
    use super::super::fixture::plan;
    use keeper_core::identity::{Grantee, GroupName};

    let folder = Folder::of_sqlite();
    let store = folder.open().await;
    let user = Grantee::User(login("alice"));
    let group = Grantee::Group(GroupName::try_from("team").expect("a name"));
    let everybody = format!("{} WHERE TRUE", users::SELECT);
    let groups = format!("{} WHERE TRUE", groups::SELECT);
    // The beginning of a list, its key, the place of the key's value, and an index on the way.
    let lists = [
        (everybody, "uid", 1, "users_uid (uid>?)"),
        (groups, "uid", 1, "sqlite_autoindex_groups_1 (uid>?)"),
        (tokens::listed(false), "t.uid", 1, "tokens_live (uid>?)"),
        (tokens::listed(true), "t.uid", 2, "tokens_live_owner (owner=? AND uid>?)"),
        (grants::listed(None), "g.uid", 1, "sqlite_autoindex_grants_1 (uid>?)"),
        (grants::listed(Some(&user)), "g.uid", 2, "grants_user_list (user_id=? AND uid>?)"),
        (grants::listed(Some(&group)), "g.uid", 2, "grants_group_list (group_uid=? AND uid>?)"),
        (grants::counting(), "g.uid", 2, "sqlite_autoindex_grants_1 (uid=?)"),
    ];
    for (select, key, place, index) in lists {
        let plan = plan(&store, &behind(&select, key, place, 51), Vec::new()).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{select}: {plan:#?}");
        let (scans, sorts) = ("SCAN", "TEMP B-TREE FOR ORDER BY");
        assert!(!plan.iter().any(|step| step.starts_with(scans) || step.contains(sorts)), "{select}: {plan:#?}");
    }
    // In the order of users, but kept by the group: sorted, and nobody but its members is looked at.
    for statement in [behind(&groups::members(), "uid", 2, 51), ENDING.to_owned()] {
        let plan = plan(&store, &statement, Vec::new()).await;
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{statement}: {plan:#?}");
    }
}
