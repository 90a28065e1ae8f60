//! Pages over several repositories: one walk of an index for each of them, cut to the length of a page.
//!
//! An index that begins with the repository is in order within each and not over all. One statement with
//! `repository IN (…) ORDER BY …` would therefore sort everything that the caller may read before it shows a
//! page of it. The walks together are at most as many rows as repositories times the length of a page.

use keeper_core::artifact::StoreError;
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::sql::all;

/// Stands for the repository in the statement of a walk.
pub(super) const REPOSITORY: &str = "{repository}";

/// Walks of one statement: SQLite joins at most 500.
const WALKS_PER_STATEMENT: usize = 200;

/// The rows of all walks, in no order. `walk` is the statement of one, with [`REPOSITORY`] in it and `shared` as
/// its `$1`, `$2`, ….
pub(super) async fn walk_each<R: FromQueryResult>(
    on: &impl ConnectionTrait,
    repositories: &[RepositoryId],
    walk: &str,
    shared: &[Value],
) -> Result<Vec<R>, StoreError> {
    let mut rows = Vec::new();
    for some in repositories.chunks(WALKS_PER_STATEMENT) {
        let values = shared.iter().cloned().chain(some.iter().map(|repository| repository.0.into()));
        rows.append(&mut all(on, &joined(walk, shared.len(), some.len()), values).await?);
    }
    Ok(rows)
}

/// The statement of `count` walks, whose repositories are the values behind the first `shared`.
pub(super) fn joined(walk: &str, shared: usize, count: usize) -> String {
    let one = |number: usize| format!("SELECT * FROM ({}) AS walk", walk.replace(REPOSITORY, &format!("${number}")));
    let walks: Vec<_> = (shared + 1..=shared + count).map(one).collect();
    walks.join(" UNION ALL ")
}

/// `$from, $from+1, …`: places for so many values.
pub(super) fn places(from: usize, count: usize) -> String {
    let places: Vec<_> = (from..from + count).map(|number| format!("${number}")).collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repository_has_its_own_walk_and_all_share_the_other_values() {
        let walk = "SELECT id FROM t WHERE repository = {repository} AND id < $1 ORDER BY id DESC LIMIT 2";
        let expected = "SELECT * FROM (SELECT id FROM t WHERE repository = $2 AND id < $1 ORDER BY id DESC LIMIT 2) AS walk \
            UNION ALL SELECT * FROM (SELECT id FROM t WHERE repository = $3 AND id < $1 ORDER BY id DESC LIMIT 2) AS walk";
        assert_eq!(joined(walk, 1, 2), expected);
        assert_eq!(places(3, 2), "$3, $4");
    }
}
