//! The port of users and tokens.
//!
//! A token is found by the hash of its text, through a unique index, together with its user: one statement.
//! What a token allows is parsed when it is read; a scope that does not parse allows *nothing*, so that no
//! damage and no later spelling can ever widen it.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::access::{Actions, Pattern, Scope, User};
use keeper_core::artifact::StoreError;
use keeper_core::identity::{Credential, IdentityStore, NewToken, TokenHash};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::Store;
use super::audit;
use super::sql::{execute, micros, one, timestamp};

#[async_trait]
impl IdentityStore for Store {
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let row: Option<TokenRow> = one(&self.readers, CREDENTIAL, [hash.0.to_hex().into()]).await?;
        row.map_or(Ok(Credential::Unknown), |row| row.judge(now))
    }

    async fn password(&self, login: &str) -> Result<Option<String>, StoreError> {
        let question = "SELECT password FROM users WHERE login = $1 AND disabled = FALSE";
        let row: Option<PasswordRow> = one(&self.readers, question, [login.into()]).await?;
        Ok(row.and_then(|row| row.password))
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        let question = "SELECT COUNT(*) AS count FROM users WHERE admin = TRUE";
        let row: Option<CountRow> = one(&self.readers, question, []).await?;
        Ok(row.is_some_and(|row| row.count > 0))
    }

    async fn create_user(&self, login: &str, admin: bool, password: &str, by: &Actor) -> Result<(), StoreError> {
        let (login, password, by) = (login.to_owned(), password.to_owned(), by.clone());
        self.writer.submit(move |on| Box::pin(create_user(on, login, admin, password, by)), |()| ()).await
    }

    async fn create_token(&self, token: NewToken, by: &Actor) -> Result<(), StoreError> {
        let by = by.clone();
        self.writer.submit(move |on| Box::pin(create_token(on, token, by)), |()| ()).await
    }
}

impl Store {
    /// Live tokens that end between two moments.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn tokens_ending(&self, from: Timestamp, to: Timestamp) -> Result<u64, StoreError> {
        let question = "SELECT COUNT(*) AS count FROM tokens \
                        WHERE revoked_at IS NULL AND expires_at >= $1 AND expires_at < $2";
        let row: Option<CountRow> = one(&self.readers, question, [micros(from).into(), micros(to).into()]).await?;
        Ok(row.map_or(0, |row| row.count.unsigned_abs()))
    }
}

const CREDENTIAL: &str = "SELECT t.display, t.actions, t.repositories, t.packages, t.expires_at, t.revoked_at, \
    u.login, u.admin, u.disabled FROM tokens t JOIN users u ON u.id = t.owner WHERE t.hash = $1";

#[derive(FromQueryResult)]
struct TokenRow {
    display: String,
    actions: String,
    repositories: String,
    packages: Option<String>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    login: String,
    admin: bool,
    disabled: bool,
}

impl TokenRow {
    fn judge(self, now: Timestamp) -> Result<Credential, StoreError> {
        if self.revoked_at.is_some() {
            return Ok(Credential::Unknown);
        }
        let expires_at = self.expires_at.map(timestamp).transpose()?;
        if let Some(at) = expires_at
            && at <= now
        {
            return Ok(Credential::Expired { display: self.display, at });
        }
        if self.disabled {
            return Ok(Credential::Disabled);
        }
        let scope = self.scope().unwrap_or_else(|| {
            tracing::error!(token = %self.display, "the stored scope of a token does not parse: it allows nothing");
            Scope { actions: Actions::default(), repositories: Vec::new(), packages: Some(Vec::new()) }
        });
        let user = User { login: self.login, admin: self.admin, credential: self.display, scope, expires_at };
        Ok(Credential::Valid(Box::new(user)))
    }

    /// `None` when any part of it does not parse.
    fn scope(&self) -> Option<Scope> {
        Some(Scope {
            actions: Actions::parse_words(&self.actions)?,
            repositories: patterns(&self.repositories)?,
            packages: match &self.packages {
                None => None,
                Some(list) => Some(patterns(list)?),
            },
        })
    }
}

fn patterns(list: &str) -> Option<Vec<Pattern>> {
    let texts: Vec<String> = serde_json::from_str(list).ok()?;
    texts.iter().map(|text| Pattern::parse(text).ok()).collect()
}

#[derive(FromQueryResult)]
struct PasswordRow {
    password: Option<String>,
}

#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
}

async fn create_user(
    on: &impl ConnectionTrait,
    login: String,
    admin: bool,
    password: String,
    by: Actor,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO users (login, admin, password, disabled, created_at) VALUES ($1, $2, $3, FALSE, $4)";
    let values = [login.as_str().into(), admin.into(), password.into(), micros(Timestamp::now()).into()];
    execute(on, insert, values).await?;
    audit::record(on, &by, "user.create", format!("user {login}"), json!({ "admin": admin })).await
}

const INSERT_TOKEN: &str = "INSERT INTO tokens (hash, display, name, owner, actions, repositories, packages, \
    expires_at, created_at, created_by) SELECT $1, $2, $3, id, $5, $6, $7, $8, $9, $10 FROM users WHERE login = $4";

async fn create_token(on: &impl ConnectionTrait, token: NewToken, by: Actor) -> Result<(), StoreError> {
    let list = |patterns: &[Pattern]| json!(patterns.iter().map(Pattern::as_str).collect::<Vec<_>>());
    let (actions, repositories) = (token.scope.actions.to_words(), list(&token.scope.repositories));
    let packages = token.scope.packages.as_deref().map(list);
    let values = [
        token.hash.0.to_hex().into(),
        token.display.as_str().into(),
        token.name.as_str().into(),
        token.owner.as_str().into(),
        actions.as_str().into(),
        repositories.to_string().into(),
        packages.as_ref().map(ToString::to_string).into(),
        token.expires_at.map(micros).into(),
        micros(Timestamp::now()).into(),
        by.login.as_str().into(),
    ];
    if execute(on, INSERT_TOKEN, values).await? == 0 {
        return Err(StoreError::Unavailable(format!("there is no user {:?} to own a token", token.owner).into()));
    }
    let detail = json!({
        "name": token.name, "owner": token.owner, "actions": actions, "repositories": repositories,
        "packages": packages, "expires_at": token.expires_at.map(|at| at.to_string()),
    });
    audit::record(on, &by, "token.create", format!("token {}", token.display), detail).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keeper_core::access::Action;

    use super::super::fixture::{Folder, execute_beside};
    use super::*;

    fn token(text: &str, expires_at: Option<Timestamp>) -> NewToken {
        NewToken {
            hash: TokenHash::of(text),
            display: "akp_Ab12".into(),
            name: "laptop".into(),
            owner: "alice".into(),
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
        store.create_user("alice", true, "$argon2id$…", &Actor::system()).await.expect("made");
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
        assert!(matches!(store.create_user("alice", false, "x", &by).await, Err(StoreError::AlreadyExists)));
        store.create_token(token("one", None), &by).await.expect("made");
        assert!(matches!(store.create_token(token("one", None), &by).await, Err(StoreError::AlreadyExists)));
        let orphan = NewToken { owner: "nobody".into(), ..token("two", None) };
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
}
