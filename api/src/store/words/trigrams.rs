//! The index of words of PostgreSQL: one table with two indexes of the extension `pg_trgm`.
//!
//! ```text
//! package   its key
//! name      example.com/résumé/tools            in small letters: for "anywhere in the name" and mistyped words
//! words     ⏎ example com resume tools ⏎ …      one line for name, description and keywords each, a blank before
//!                                               every word: `% tools exa%` is two words in a row, the last begun
//! ```
//!
//! Words are cut here, as FTS5 of SQLite cuts them: at everything that is no letter or digit, in small letters,
//! without accents. Both columns are found by `LIKE`, so that the index only saves work and never decides.

use keeper_core::artifact::StoreError;
use keeper_core::catalog::{About, SearchQuery};
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, Value};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{PART_CHARACTERS, RANKED};
use crate::store::sql::{Places, escape_like, execute};
use crate::store::walk::places;

const RANK: &str = "CAST(CASE WHEN p.name_folded = $1 THEN 0 \
    WHEN right('/' || p.name_folded, length($1) + 1) = '/' || $1 THEN 1 \
    WHEN strpos('/' || p.name_folded, '/' || $1) > 0 THEN 2 \
    WHEN strpos(p.name_folded, $1) > 0 THEN 3 ELSE 4 END * 10000 + least(length(p.name), 9999) AS BIGINT)";

pub(super) fn question(query: &SearchQuery, limit: usize) -> (String, Vec<Value>) {
    let mut values = Places(vec![query.terms.join(" ").to_ascii_lowercase().into()]);
    values.0.extend(query.repositories.iter().map(|repository| Value::from(repository.0)));
    let readable = places(2, query.repositories.len());
    let mut found = String::new();
    for term in &query.terms {
        let mut ways = Vec::new();
        let words = words(term);
        if !words.is_empty() {
            ways.push(format!("w.words LIKE {}", values.of(format!("% {}%", words.join(" ")))));
        }
        if term.chars().count() >= PART_CHARACTERS {
            ways.push(format!("w.name LIKE {} ESCAPE '\\'", values.of(escape_like(&term.to_lowercase()))));
        }
        if ways.is_empty() {
            ways.push("FALSE".to_owned());
        }
        found += &format!(" AND ({})", ways.join(" OR "));
    }
    let behind = query.after.map_or_else(String::new, |(rank, id)| {
        format!(" WHERE (rank, public_id) > ({}, {})", values.of(i64::from(rank)), values.of(id.to_string()))
    });
    let sql = format!(
        "SELECT id, rank FROM (SELECT p.id, p.public_id, {RANK} AS rank \
         FROM package_words w JOIN packages p ON p.id = w.package \
         WHERE p.repository IN ({readable}) AND p.newest IS NOT NULL{found} LIMIT {RANKED}) AS ranked{behind} \
         ORDER BY rank, public_id LIMIT {}",
        limit + 1
    );
    (sql, values.0)
}

/// Those of which a part is most like the word first. How alike is enough is a setting of the connection.
pub(super) fn similar(within: &[RepositoryId], word: &str, limit: u32) -> (String, Vec<Value>) {
    let question = format!(
        "SELECT p.id FROM package_words w JOIN packages p ON p.id = w.package \
         WHERE $1 <% w.name AND p.newest IS NOT NULL AND p.repository IN ({}) \
         ORDER BY word_similarity($1, w.name) DESC, w.name LIMIT {limit}",
        places(2, within.len())
    );
    let values = std::iter::once(word.to_lowercase().into()).chain(within.iter().map(|one| Value::from(one.0)));
    (question, values.collect())
}

const KEEP: &str = "INSERT INTO package_words (package, name, words) VALUES ($1, $2, $3) \
    ON CONFLICT (package) DO UPDATE SET words = excluded.words";

pub(super) async fn keep(on: &impl ConnectionTrait, package: i64, name: &str, about: &About) -> Result<(), StoreError> {
    let lines = [name, &about.description, &about.keywords.join(" ")].map(|text| words(text).join(" "));
    let values = [package.into(), name.to_lowercase().into(), format!(" {}", lines.join("\n ")).into()];
    execute(on, KEEP, values).await.map(drop)
}

pub(super) async fn forget(on: &impl ConnectionTrait, package: i64) -> Result<(), StoreError> {
    execute(on, "DELETE FROM package_words WHERE package = $1", [package.into()]).await.map(drop)
}

/// The words of a text.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfd().filter(|character| !is_combining_mark(*character)).collect();
    let words = plain.split(|character: char| !character.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_small_letters_without_accents() {
        let rows: [(&str, &[&str]); 4] = [
            ("github.com/YourCompany/my-module_v2", &["github", "com", "yourcompany", "my", "module", "v2"]),
            ("Résumé, für alle!", &["resume", "fur", "alle"]),
            ("日本語", &["日本語"]),
            ("--%_'\"", &[]),
        ];
        for (text, expected) in rows {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
