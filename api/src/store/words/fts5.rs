//! The index of words of SQLite: two tables of FTS5.
//!
//! ```text
//! package_words   whole words and their beginnings of name, description and keywords
//! package_parts   every three characters of the name
//! ```
//!
//! A search text is always a quoted string of FTS5, in which nothing has a meaning but its words.

use keeper_core::artifact::StoreError;
use keeper_core::catalog::{About, SearchQuery};
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, Value};

use super::{PART_CHARACTERS, PARTS, RANKED};
use crate::store::sql::{Places, execute};
use crate::store::walk::places;

const RANK: &str = "CASE WHEN name_folded = $1 THEN 0 \
    WHEN substr('/' || name_folded, -length($1) - 1) = '/' || $1 THEN 1 \
    WHEN instr('/' || name_folded, '/' || $1) > 0 THEN 2 \
    WHEN instr(name_folded, $1) > 0 THEN 3 ELSE 4 END * 10000 + min(length(name), 9999)";

pub(in crate::store) fn question(query: &SearchQuery, limit: usize) -> (String, Vec<Value>) {
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

/// Those that share the rarest and most parts first.
pub(super) fn similar(within: &[RepositoryId], word: &str, limit: u32) -> (String, Vec<Value>) {
    let characters: Vec<_> = word.chars().collect();
    let parts = characters.windows(PART_CHARACTERS).map(|part| quoted(&part.iter().collect::<String>()));
    let parts: Vec<_> = parts.take(PARTS).collect();
    let question = format!(
        "SELECT p.id FROM package_parts f JOIN packages p ON p.id = f.rowid \
         WHERE package_parts MATCH $1 AND p.repository IN ({}) ORDER BY f.rank LIMIT {limit}",
        places(2, within.len())
    );
    let values = std::iter::once(parts.join(" OR ").into()).chain(within.iter().map(|one| Value::from(one.0)));
    (question, values.collect())
}

/// A string of FTS5.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Every three characters of a name; a name never changes, so this is done when the package begins to be shown.
const FIRST_PARTS: &str = "INSERT INTO package_parts (rowid, name) \
    SELECT id, name FROM packages WHERE id = $1 AND newest IS NULL";

pub(super) async fn begin(on: &impl ConnectionTrait, package: i64) -> Result<(), StoreError> {
    execute(on, FIRST_PARTS, [package.into()]).await.map(drop)
}

const WORDS: &str = "INSERT OR REPLACE INTO package_words (rowid, name, description, keywords) VALUES ($1, $2, $3, $4)";

pub(super) async fn keep(on: &impl ConnectionTrait, package: i64, name: &str, about: &About) -> Result<(), StoreError> {
    let values =
        [package.into(), name.into(), about.description.as_str().into(), about.keywords.join(" ").as_str().into()];
    execute(on, WORDS, values).await.map(drop)
}

pub(super) async fn forget(on: &impl ConnectionTrait, package: i64) -> Result<(), StoreError> {
    execute(on, "DELETE FROM package_words WHERE rowid = $1", [package.into()]).await?;
    execute(on, "DELETE FROM package_parts WHERE rowid = $1", [package.into()]).await.map(drop)
}

/// Makes a connection see whether what it remembers of these tables is out of date. Searches do that, but SQLite's
/// check of a table judges by what is remembered, and takes what others have written since for damage.
pub(super) async fn look_again(on: &impl ConnectionTrait) -> Result<(), StoreError> {
    execute(on, "SELECT rowid FROM package_words WHERE package_words MATCH 'a' LIMIT 1", []).await?;
    execute(on, "SELECT rowid FROM package_parts WHERE package_parts MATCH 'aaa' LIMIT 1", []).await.map(drop)
}
