//! The port of retention: rules, last uses, and the transaction that removes what rules say.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{ArtifactId, PackageName, StoreError};
use keeper_core::repository::{Actor, RepositoryAddress, RepositoryId};
use keeper_core::retention::{Candidate, Day, Doomed, PackageVersions, RetentionStore, Rules, SetRules, day_of};
use keeper_core::uses::Use;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::burial::bury;
use super::publishing::{Ended, next_generation};
use super::sql::{all, corrupt, end, execute, micros, one, timestamp};
use super::usage::{later_than, number};
use super::{Store, audit, rows};

/// Uses written down in one transaction.
const USES: usize = 500;

#[async_trait]
impl RetentionStore for Store {
    async fn rules(&self, of: RepositoryId) -> Result<Option<SetRules>, StoreError> {
        rules(&self.readers, of).await
    }

    async fn set_rules(
        &self,
        of: RepositoryId,
        rules: Rules,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        let (address, by) = (self.address(of).await?, by.clone());
        self.writer.submit(move |on| Box::pin(set_rules(on, of, address, rules, expected, by)), |_| ()).await
    }

    async fn uses_known_since(&self) -> Result<Day, StoreError> {
        known_since(&self.readers).await
    }

    async fn packages(&self, of: RepositoryId, after: i64, limit: u32) -> Result<Vec<PackageVersions>, StoreError> {
        let snapshot = self.readers.begin().await?;
        let values = [of.0.into(), after.into(), i64::from(limit).into()];
        let packages: Vec<PackageRow> = all(&snapshot, PACKAGES, values).await?;
        let mut found = Vec::with_capacity(packages.len());
        for package in packages {
            found.push(versions(&snapshot, package).await?);
        }
        end(snapshot).await?;
        Ok(found)
    }

    async fn apply_rules(
        &self,
        of: RepositoryId,
        package: i64,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError> {
        let (address, then) = (self.address(of).await?, self.follow(of));
        let ended = self.writer.submit(move |on| Box::pin(apply(on, of, address, package, now, limit)), then).await?;
        Ok(ended.answer)
    }

    async fn record_uses(&self, uses: Vec<Use>) -> Result<(), StoreError> {
        for part in uses.chunks(USES) {
            let part = part.to_vec();
            self.writer.submit(move |on| Box::pin(record_uses(on, part)), |()| ()).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct RulesRow {
    rules: String,
    set_by: String,
    set_at: i64,
}

async fn rules(on: &impl ConnectionTrait, of: RepositoryId) -> Result<Option<SetRules>, StoreError> {
    let question = "SELECT rules, set_by, set_at FROM retention WHERE repository = $1";
    let row: Option<RulesRow> = one(on, question, [of.0.into()]).await?;
    row.map(|row| {
        Ok(SetRules { rules: rows::json("retention rules", &row.rules)?, by: row.set_by, at: timestamp(row.set_at)? })
    })
    .transpose()
}

async fn set_rules(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    rules: Rules,
    expected: Option<i64>,
    by: Actor,
) -> Result<bool, StoreError> {
    let present = SetRules::revision(self::rules(on, of).await?.as_ref());
    if expected.is_some_and(|expected| expected != present) {
        return Ok(false);
    }
    execute(on, "DELETE FROM retention WHERE repository = $1", [of.0.into()]).await?;
    if !rules.list().is_empty() {
        let insert = "INSERT INTO retention (repository, rules, set_by, set_at) VALUES ($1, $2, $3, $4)";
        let now = later_than(present);
        execute(on, insert, [of.0.into(), json!(rules).to_string().into(), by.login.as_str().into(), now.into()])
            .await?;
    }
    audit::record(on, &by, "repository.retention", address.to_string(), json!({ "rules": rules })).await?;
    Ok(true)
}

#[derive(FromQueryResult)]
struct SinceRow {
    use_recorded_from: i64,
}

async fn known_since(on: &impl ConnectionTrait) -> Result<Day, StoreError> {
    let row: Option<SinceRow> = one(on, "SELECT use_recorded_from FROM instance", []).await?;
    Ok(row.map_or(0, |row| row.use_recorded_from))
}

const PACKAGES: &str = "SELECT id, name FROM packages WHERE repository = $1 AND id > $2 ORDER BY id LIMIT $3";
const PACKAGE: &str = "SELECT id, name FROM packages WHERE repository = $1 AND id = $2";

#[derive(FromQueryResult)]
struct PackageRow {
    id: i64,
    name: String,
}

const VERSIONS: &str = "SELECT a.id, a.version, a.state, a.published_at, a.last_used_on, a.pinned, \
    (SELECT CAST(COALESCE(SUM(f.size), 0) AS BIGINT) FROM files f WHERE f.artifact = a.id) AS bytes \
    FROM artifacts a WHERE a.package = $1 AND a.state <> 'deleted' ORDER BY a.sort_key, a.version";

#[derive(FromQueryResult)]
struct VersionRow {
    id: String,
    version: String,
    state: String,
    published_at: i64,
    last_used_on: Option<i64>,
    pinned: bool,
    bytes: i64,
}

async fn versions(on: &impl ConnectionTrait, package: PackageRow) -> Result<PackageVersions, StoreError> {
    let rows: Vec<VersionRow> = all(on, VERSIONS, [package.id.into()]).await?;
    let name = PackageName::try_from(package.name.as_str()).map_err(|error| corrupt("a package", error))?;
    let versions = rows.into_iter().map(|row| {
        Ok(Candidate {
            id: ArtifactId(Uuid::parse_str(&row.id).map_err(|error| corrupt("an artifact", error))?),
            version: rows::version(&row.version)?,
            state: rows::state(&row.state)?,
            published_at: timestamp(row.published_at)?,
            last_used_on: row.last_used_on,
            pinned: row.pinned,
            bytes: number(row.bytes)?,
        })
    });
    Ok(PackageVersions { key: package.id, package: name, versions: versions.collect::<Result<_, StoreError>>()? })
}

/// Rules and versions are read here and not handed in: between a look and the removal somebody may pin a
/// version, delete the newest, or change the rules.
async fn apply(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: i64,
    now: Timestamp,
    limit: u32,
) -> Result<Ended<Vec<Doomed>>, StoreError> {
    let nothing = || Ok(Ended { answer: Vec::new(), changed: false });
    let Some(SetRules { rules, .. }) = rules(on, of).await? else { return nothing() };
    let Some(package) = one::<PackageRow>(on, PACKAGE, [of.0.into(), package.into()]).await? else { return nothing() };
    let mut doomed = rules.doomed(&versions(on, package).await?, known_since(on).await?, now);
    doomed.truncate(limit as usize);
    let mut by_rule = BTreeMap::<usize, Vec<String>>::new();
    for one in &doomed {
        by_rule.entry(one.rule).or_default().push(one.candidate.id.to_string());
    }
    for (rule, ids) in by_rule {
        bury(on, of, &ids, &format!("retention, rule {rule}"), now).await?;
    }
    for one in &doomed {
        let detail = json!({ "id": one.candidate.id.to_string(), "rule": one.rule, "bytes": one.candidate.bytes });
        let resource = format!("{address} {}", one.coordinate);
        audit::record(on, &Actor::system(), "retention", resource, detail).await?;
    }
    let changed = !doomed.is_empty();
    if changed {
        next_generation(on, of).await?;
    }
    Ok(Ended { answer: doomed, changed })
}

const ONE: &str = "repository = $1 AND version = $3 AND state <> 'deleted' \
    AND package = (SELECT id FROM packages WHERE repository = $1 AND name = $2)";

/// The first use is the one that is written where none was yet: it costs no statement of its own.
async fn record_uses(on: &impl ConnectionTrait, uses: Vec<Use>) -> Result<(), StoreError> {
    let statement = format!(
        "UPDATE artifacts SET first_used_at = CASE WHEN last_used_on IS NULL THEN $5 ELSE first_used_at END, \
         last_used_on = $4 WHERE {ONE} AND (last_used_on IS NULL OR last_used_on < $4)"
    );
    for (of, what, at) in uses {
        let (package, version) = (what.package.as_str(), what.version.as_str());
        let values = [of.0.into(), package.into(), version.into(), day_of(at).into(), micros(at).into()];
        execute(on, &statement, values).await?;
    }
    Ok(())
}
