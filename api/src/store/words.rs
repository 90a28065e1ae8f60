//! Packages found by words.
//!
//! A word is found as the beginning of a word of the name, the description or the keywords (`package_words`), or,
//! from three characters on, anywhere in the name (`package_parts`). Names are cut into words at everything that
//! is no letter or digit, so `yourcompany/my` finds `github.com/yourcompany/mymodule`: two words in a row, the
//! last of which only begins so.
//!
//! The rank is made of the package and the words alone, unlike the built-in one, which moves with every other
//! row. It says where in the name the text was found, and then prefers short names:
//!
//! ```text
//! 0  the name           2  at the beginning of an element     4  elsewhere: in other words
//! 1  its last element   3  within the name                    each times 10,000, plus the length of the name
//! ```
//!
//! Bounds: at most [`RANKED`] packages are ranked, which the caller may read; [`PARTS`] parts of a mistyped word.
//! A search text is always a quoted string of FTS5, in which nothing has a meaning but its words.

use keeper_core::artifact::{Page, StoreError};
use keeper_core::catalog::{Hit, Package, Rank, SearchQuery};
use keeper_core::limits::PAGE_LIMIT_MAX;
use keeper_core::repository::RepositoryId;
use sea_orm::{DatabaseConnection, FromQueryResult, TransactionTrait, Value};

use super::packages::by_ids;
use super::sql::{Places, all, corrupt, failed};
use super::walk::places;

/// Packages that are ranked: who finds more has to say more.
const RANKED: usize = 10_000;

/// Parts of a mistyped word that are looked for.
const PARTS: usize = 64;

/// Characters of a part, as `package_parts` has them.
const PART_CHARACTERS: usize = 3;

/// A page of what is found.
pub(super) async fn find(readers: &DatabaseConnection, query: &SearchQuery) -> Result<Page<Hit>, StoreError> {
    let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
    if query.repositories.is_empty() || query.terms.is_empty() {
        return Ok(Page { items: Vec::new(), more: false });
    }
    let snapshot = readers.begin().await.map_err(failed)?;
    let (question, values) = question(query, limit);
    let mut rows: Vec<RankedRow> = all(&snapshot, &question, values).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let packages = by_ids(&snapshot, &ids).await?;
    snapshot.rollback().await.map_err(failed)?;
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

const RANK: &str = "CASE WHEN name_folded = $1 THEN 0 \
    WHEN substr('/' || name_folded, -length($1) - 1) = '/' || $1 THEN 1 \
    WHEN instr('/' || name_folded, '/' || $1) > 0 THEN 2 \
    WHEN instr(name_folded, $1) > 0 THEN 3 ELSE 4 END * 10000 + min(length(name), 9999)";

pub(super) fn question(query: &SearchQuery, limit: usize) -> (String, Vec<Value>) {
    let mut values = Places(vec![query.terms.join(" ").to_ascii_lowercase().into()]);
    values.0.extend(query.repositories.iter().map(|repository| Value::from(repository.0)));
    let readable = places(2, query.repositories.len());
    let mut found = String::new();
    for term in &query.terms {
        let begins = values.of(format!("{}*", quoted(term)));
        found += &format!(" AND id IN (SELECT rowid FROM package_words WHERE package_words MATCH {begins}");
        if term.chars().count() >= PART_CHARACTERS {
            let part = values.of(quoted(term));
            found += &format!(" UNION SELECT rowid FROM package_parts WHERE package_parts MATCH {part}");
        }
        found.push(')');
    }
    let behind = query.after.map_or_else(String::new, |(rank, id)| {
        format!(" WHERE (rank, public_id) > ({}, {})", values.of(i64::from(rank)), values.of(id.to_string()))
    });
    let sql = format!(
        "SELECT id, rank FROM (SELECT id, public_id, {RANK} AS rank FROM packages \
         WHERE +repository IN ({readable}) AND newest IS NOT NULL{found} LIMIT {RANKED}){behind} \
         ORDER BY rank, public_id LIMIT {}",
        limit + 1
    );
    (sql, values.0)
}

/// Packages whose names share parts with a mistyped word, those that share the rarest and most first.
pub(super) async fn similar(
    readers: &DatabaseConnection,
    within: &[RepositoryId],
    word: &str,
    limit: u32,
) -> Result<Vec<Package>, StoreError> {
    let characters: Vec<_> = word.chars().collect();
    let parts = characters.windows(PART_CHARACTERS).map(|part| quoted(&part.iter().collect::<String>()));
    let parts: Vec<_> = parts.take(PARTS).collect();
    if within.is_empty() || parts.is_empty() {
        return Ok(Vec::new());
    }
    let question = format!(
        "SELECT p.id FROM package_parts f JOIN packages p ON p.id = f.rowid \
         WHERE package_parts MATCH $1 AND p.repository IN ({}) ORDER BY f.rank LIMIT {limit}",
        places(2, within.len())
    );
    let values = std::iter::once(parts.join(" OR ").into()).chain(within.iter().map(|one| Value::from(one.0)));
    let snapshot = readers.begin().await.map_err(failed)?;
    let rows: Vec<IdRow> = all(&snapshot, &question, values).await?;
    let ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    let packages = by_ids(&snapshot, &ids).await?;
    snapshot.rollback().await.map_err(failed)?;
    Ok(packages)
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

/// A string of FTS5.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
