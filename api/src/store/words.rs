//! Packages found by words.
//!
//! A word is found as the beginning of a word of the name, the description or the keywords, or, from three
//! characters on, anywhere in the name. Names are cut into words at everything that is no letter or digit, so
//! `yourcompany/my` finds `github.com/yourcompany/mymodule`: two words in a row, the last of which only begins so.
//!
//! Each database has an index of its own for it: [`fts5`] of SQLite, [`trigrams`] of PostgreSQL.
//!
//! The rank is made of the package and the words alone, unlike the built-in ones, which move with every other
//! row. It says where in the name the text was found, and then prefers short names:
//!
//! ```text
//! 0  the name           2  at the beginning of an element     4  elsewhere: in other words
//! 1  its last element   3  within the name                    each times 10,000, plus the length of the name
//! ```
//!
//! Bounds: at most [`RANKED`] packages are ranked, which the caller may read; [`PARTS`] parts of a mistyped word.

use keeper_core::artifact::{Page, StoreError};
use keeper_core::catalog::{About, Hit, Package, Rank, SearchQuery};
use keeper_core::limits::PAGE_LIMIT_MAX;
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::dialect::Dialect;
use super::packages::by_ids;
use super::readers::Readers;
use super::sql::{all, corrupt, end};

pub(super) mod fts5;
mod trigrams;

/// Packages that are ranked: who finds more has to say more.
const RANKED: usize = 10_000;

/// Parts of a mistyped word that are looked for.
const PARTS: usize = 64;

/// Characters of a part.
const PART_CHARACTERS: usize = 3;

/// A page of what is found.
pub(super) async fn find(readers: &Readers, query: &SearchQuery) -> Result<Page<Hit>, StoreError> {
    let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
    if query.repositories.is_empty() || query.terms.is_empty() {
        return Ok(Page { items: Vec::new(), more: false });
    }
    let snapshot = readers.begin().await?;
    let (question, values) = match Dialect::of(&snapshot) {
        Dialect::Sqlite => fts5::question(query, limit),
        Dialect::Postgres => trigrams::question(query, limit),
    };
    let mut rows: Vec<RankedRow> = all(&snapshot, &question, values).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let packages = by_ids(&snapshot, &ids).await?;
    end(snapshot).await?;
    let hit = |(row, package): (RankedRow, Package)| {
        let rank = Rank::try_from(row.rank).map_err(|error| corrupt("a rank", error))?;
        Ok(Hit { package, rank })
    };
    Ok(Page { items: rows.into_iter().zip(packages).map(hit).collect::<Result<_, _>>()?, more })
}

#[derive(FromQueryResult)]
struct RankedRow {
    id: i64,
    rank: i64,
}

/// Packages whose names share parts with a mistyped word, those that share the most first.
pub(super) async fn similar(
    readers: &Readers,
    within: &[RepositoryId],
    word: &str,
    limit: u32,
) -> Result<Vec<Package>, StoreError> {
    if within.is_empty() || word.chars().count() < PART_CHARACTERS {
        return Ok(Vec::new());
    }
    let snapshot = readers.begin().await?;
    let (question, values) = match Dialect::of(&snapshot) {
        Dialect::Sqlite => fts5::similar(within, word, limit),
        Dialect::Postgres => trigrams::similar(within, word, limit),
    };
    let rows: Vec<IdRow> = all(&snapshot, &question, values).await?;
    let ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    let packages = by_ids(&snapshot, &ids).await?;
    end(snapshot).await?;
    Ok(packages)
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

/// A package is about to be shown for the first time, or again.
pub(super) async fn begin(on: &impl ConnectionTrait, package: i64) -> Result<(), StoreError> {
    match Dialect::of(on) {
        Dialect::Sqlite => fts5::begin(on, package).await,
        // Its one row comes with its words.
        Dialect::Postgres => Ok(()),
    }
}

/// What a package is found by, now.
pub(super) async fn keep(on: &impl ConnectionTrait, package: i64, name: &str, about: &About) -> Result<(), StoreError> {
    match Dialect::of(on) {
        Dialect::Sqlite => fts5::keep(on, package, name, about).await,
        Dialect::Postgres => trigrams::keep(on, package, name, about).await,
    }
}

/// A package is found no more.
pub(super) async fn forget(on: &impl ConnectionTrait, package: i64) -> Result<(), StoreError> {
    match Dialect::of(on) {
        Dialect::Sqlite => fts5::forget(on, package).await,
        Dialect::Postgres => trigrams::forget(on, package).await,
    }
}

/// Prepares a connection for the database's check of itself.
pub(super) async fn look_again(on: &impl ConnectionTrait) -> Result<(), StoreError> {
    match Dialect::of(on) {
        Dialect::Sqlite => fts5::look_again(on).await,
        Dialect::Postgres => Ok(()),
    }
}
