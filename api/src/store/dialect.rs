//! The one place that knows in what the databases differ, as far as it is a matter of words.
//!
//! Statements are written once, with `$1, $2, …` and with what SQLite and PostgreSQL both understand. What they do
//! not share is asked for here; whole features that they do not share (the index of words, the way in which
//! connections are made and changes committed) have a file for each: [`words`](super::words),
//! [`place`](super::place).
//!
//! What both understand and what it needs: `IN ()` is no SQL, so a list of values is never empty; a subquery in
//! `FROM` has a name; whole numbers are cast to `BIGINT` where they are computed; text is compared byte by byte
//! (a database of PostgreSQL with another order is refused at start).

use sea_orm::{ConnectionTrait, DbBackend};

/// A database's way of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// That of a connection.
    pub(super) fn of(on: &impl ConnectionTrait) -> Self {
        match on.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    /// The operator that finds a pattern in whatever ASCII case; `ESCAPE '\'` may follow.
    pub(super) fn like(self) -> &'static str {
        match self {
            Self::Sqlite => "LIKE",
            Self::Postgres => "ILIKE",
        }
    }

    /// The names of all tables that the database did not make for itself.
    pub(super) fn tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            }
            Self::Postgres => {
                "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()"
            }
        }
    }

    /// The length of everything that is kept, in bytes, as `bytes`.
    pub(super) fn length(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
            Self::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
        }
    }

    /// What the database finds wrong with its own pages, a line each as `line`; `None` when it checks them whenever
    /// it reads them and has no question for it.
    pub(super) fn integrity(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => {
                Some("SELECT integrity_check AS line FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
            }
            Self::Postgres => None,
        }
    }

    /// The rows of a JSON array of arrays of texts that is `$n`: a table of which [`element`](Self::element) gives
    /// the columns.
    pub(super) fn elements(self, place: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({place})"),
            Self::Postgres => format!("jsonb_array_elements(CAST({place} AS JSONB)) AS list(value)"),
        }
    }

    /// The text number `at` of such a row.
    pub(super) fn element(self, at: usize) -> String {
        match self {
            Self::Sqlite => format!("json_extract(value, '$[{at}]')"),
            Self::Postgres => format!("value ->> {at}"),
        }
    }
}
