//! The schema of the database, as a list of frozen steps.
//!
//! A migration that has been released is never changed again: it names tables and columns by its own
//! literals, knows no entity and no constant of another crate, does one thing, and runs in one transaction.
//! Changes that are not additions come in two releases (expand, then contract), so that any newer program
//! opens any older database, and servers of two releases can work on one for as long as an upgrade takes.
//!
//! Conventions of every table: times are integers, microseconds since 1970 in UTC; sizes are bytes in 64
//! bits; digests are 64 lower-case hexadecimal digits; lists and maps are JSON in text columns. Column types
//! are the few that SQLite and PostgreSQL share, and each step runs on both.

use sea_orm_migration::prelude::*;

mod m0001_content;
mod m0002_identities;
mod m0003_audit;
mod m0006_catalog;
mod m0007_audit;
mod m0008_access;
mod m0009_lifecycle;
mod m0010_sources;
mod m0020_replicas;
mod m0021_operations;
mod m0022_lists;
mod m0023_checks;
mod m0024_used_by;
mod m0025_provenance;
mod m0026_removals;

/// What a program knows: the number of its last step.
pub const LEVEL: i64 = 26;

/// The lowest [`LEVEL`] whose programs may go on writing to a database of this one. A step that only adds what older
/// programs can leave alone does not change it; one that they would break, or that would break them, makes it its own
/// number. (Programs below 21 look at the steps alone and refuse any that they do not know.)
pub const OLDEST_WRITER: i64 = 21;

/// Brings a database to the schema of this program.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_content::Migration),
            Box::new(m0002_identities::Migration),
            Box::new(m0003_audit::Migration),
            Box::new(m0006_catalog::Migration),
            Box::new(m0007_audit::Migration),
            Box::new(m0008_access::Migration),
            Box::new(m0009_lifecycle::Migration),
            Box::new(m0010_sources::Migration),
            Box::new(m0020_replicas::Migration),
            Box::new(m0021_operations::Migration),
            Box::new(m0022_lists::Migration),
            Box::new(m0023_checks::Migration),
            Box::new(m0024_used_by::Migration),
            Box::new(m0025_provenance::Migration),
            Box::new(m0026_removals::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_number_of_the_last_step() {
        let names = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect::<Vec<_>>();
        assert!(names.is_sorted(), "{names:?}");
        let last = names.last().and_then(|name| name.get(1..5)?.parse::<i64>().ok());
        assert_eq!(last, Some(LEVEL), "{names:?}");
        const { assert!(OLDEST_WRITER <= LEVEL) };
    }
}
