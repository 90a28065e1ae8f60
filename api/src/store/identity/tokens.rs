//! The port of tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::access::{Actions, Pattern, Scope};
use keeper_core::artifact::{Page, StoreError};
use keeper_core::identity::{Login, NewToken, TokenId, TokenRecord, TokenStore, Window};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use serde_json::json;

use super::super::Store;
use super::super::audit;
use super::super::sql::{corrupt, execute, micros, one, timestamp};
use super::{id, window};

#[async_trait]
impl TokenStore for Store {
    async fn create_token(&self, token: NewToken, by: &Actor) -> Result<TokenId, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(create(on, token, by))).await
    }

    async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        find(&self.readers, id).await
    }

    async fn tokens(&self, owner: Option<&Login>, of: Window) -> Result<Page<TokenRecord>, StoreError> {
        let value = owner.map(|owner| owner.as_str().into());
        window(&self.readers, &listed(owner.is_some()), "t.uid", value, of, Row::parse).await
    }

    async fn revoke_token(&self, id: TokenId, by: &Actor) -> Result<bool, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(revoke(on, id, by))).await
    }

    async fn token_used(&self, id: TokenId, at: Timestamp, from: Option<&str>) -> Result<(), StoreError> {
        let from = from.map(str::to_owned);
        let statement = "UPDATE tokens SET used_at = $2, used_from = $3 WHERE uid = $1";
        let work = async move |on: &DatabaseTransaction| {
            execute(on, statement, [id.to_string().into(), micros(at).into(), from.into()]).await.map(drop)
        };
        self.writer.submit(move |on| Box::pin(async move { work(on).await }), |()| ()).await
    }
}

/// Begins the list of the tokens that count: of everybody, or of the owner whose login is `$1`.
pub(super) fn listed(of_one: bool) -> String {
    let condition = if of_one { "u.login = $1" } else { "TRUE" };
    format!("{SELECT} WHERE t.revoked_at IS NULL AND {condition}")
}

/// What is asked of a presented token.
pub(super) const PRESENTED: &str = "SELECT uid, display, actions, repositories, packages, expires_at, owner AS user_id \
    FROM tokens WHERE hash = $1 AND revoked_at IS NULL";

#[derive(FromQueryResult)]
pub(super) struct Presented {
    pub(super) uid: Option<String>,
    pub(super) display: String,
    #[sea_orm(nested)]
    pub(super) scope: StoredScope,
    pub(super) expires_at: Option<i64>,
    pub(super) user_id: i64,
}

#[derive(FromQueryResult)]
pub(super) struct StoredScope {
    actions: String,
    repositories: String,
    packages: Option<String>,
}

impl StoredScope {
    /// The scope; nothing when any part of it does not parse.
    pub(super) fn parse(&self, shown: &str) -> Scope {
        self.whole().unwrap_or_else(|| {
            tracing::error!(token = shown, "the stored scope of a token does not parse: it allows nothing");
            Scope { actions: Actions::default(), repositories: Vec::new(), packages: Some(Vec::new()) }
        })
    }

    fn whole(&self) -> Option<Scope> {
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

const SELECT: &str = "SELECT t.uid, t.display, t.name, u.login, t.actions, t.repositories, t.packages, t.expires_at, \
    t.created_at, t.created_by, t.revoked_at, t.used_at, t.used_from FROM tokens t JOIN users u ON u.id = t.owner";

#[derive(FromQueryResult)]
struct Row {
    uid: Option<String>,
    display: String,
    name: String,
    login: String,
    #[sea_orm(nested)]
    scope: StoredScope,
    expires_at: Option<i64>,
    created_at: i64,
    created_by: String,
    revoked_at: Option<i64>,
    used_at: Option<i64>,
    used_from: Option<String>,
}

impl Row {
    fn parse(self) -> Result<TokenRecord, StoreError> {
        let what = format!("token {}", self.display);
        Ok(TokenRecord {
            id: TokenId(id(&what, self.uid.as_deref())?),
            scope: self.scope.parse(&self.display),
            display: self.display,
            name: self.name,
            owner: Login::try_from(self.login.as_str()).map_err(|error| corrupt(&what, error))?,
            expires_at: self.expires_at.map(timestamp).transpose()?,
            created_at: timestamp(self.created_at)?,
            created_by: self.created_by,
            revoked_at: self.revoked_at.map(timestamp).transpose()?,
            used_at: self.used_at.map(timestamp).transpose()?,
            used_from: self.used_from,
        })
    }
}

async fn find(on: &impl ConnectionTrait, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
    let row: Option<Row> = one(on, &format!("{SELECT} WHERE t.uid = $1"), [id.to_string().into()]).await?;
    row.map(Row::parse).transpose()
}

const INSERT: &str = "INSERT INTO tokens (uid, hash, display, name, owner, actions, repositories, packages, \
    expires_at, created_at, created_by) SELECT $11, $1, $2, $3, id, $5, $6, $7, $8, $9, $10 FROM users WHERE login = $4";

async fn create(on: &impl ConnectionTrait, token: NewToken, by: Actor) -> Result<TokenId, StoreError> {
    let id = TokenId::new();
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
        id.to_string().into(),
    ];
    if execute(on, INSERT, values).await? == 0 {
        let owner = &token.owner;
        return Err(StoreError::Unavailable(format!("there is no user \"{owner}\" to own a token").into()));
    }
    let detail = json!({
        "id": id.to_string(), "name": token.name, "owner": token.owner.as_str(), "actions": actions,
        "repositories": repositories, "packages": packages,
        "expires_at": token.expires_at.map(|at| at.to_string()),
    });
    audit::record(on, &by, "token.create", format!("token {}", token.display), detail).await?;
    Ok(id)
}

async fn revoke(on: &impl ConnectionTrait, id: TokenId, by: Actor) -> Result<bool, StoreError> {
    let Some(token) = find(on, id).await?.filter(|token| token.revoked_at.is_none()) else { return Ok(false) };
    let statement = "UPDATE tokens SET revoked_at = $2 WHERE uid = $1";
    execute(on, statement, [id.to_string().into(), micros(Timestamp::now()).into()]).await?;
    let detail = json!({ "id": id.to_string(), "name": token.name, "owner": token.owner.as_str() });
    audit::record(on, &by, "token.revoke", format!("token {}", token.display), detail).await?;
    Ok(true)
}
