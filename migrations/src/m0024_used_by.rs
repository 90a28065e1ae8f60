//! By how many packages each package is needed, kept where a list can follow it in order.
//!
//! Shape:
//!
//! ```text
//! package_needs       one row for each package and each other that at least one of its versions needs; tombstones need nothing
//! packages.used_by    how many rows of its format name it
//! ```
//!
//! Triggers keep both in step with `dependencies`: a program of the step before goes on writing there while servers are
//! upgraded one after the other, and knows nothing of them. PostgreSQL looks at all rows of a statement at once, SQLite at
//! each.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let used_by = &mut big_integer("used_by").default(0).to_owned();
        manager.alter_table(Table::alter().table("packages").add_column(used_by).to_owned()).await?;
        manager.create_table(package_needs()).await?;
        let triggers: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &POSTGRES,
            _ => &SQLITE,
        };
        for statement in INDEXES.iter().chain(&CARRIED_OVER).chain(triggers) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// `format` is that of the package's repository: names of two formats have nothing to do with each other.
fn package_needs() -> TableCreateStatement {
    let mut kept = ForeignKey::create()
        .from("package_needs", "package")
        .to("packages", "id")
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .to_owned();
    Table::create()
        .table("package_needs")
        .col(big_integer("package"))
        .col(text("name"))
        .col(text("format"))
        .primary_key(Index::create().col("package").col("name"))
        .foreign_key(&mut kept)
        .to_owned()
}

const INDEXES: [&str; 2] = [
    "CREATE INDEX package_needs_name ON package_needs (name, format)",
    "CREATE INDEX packages_used ON packages (repository, used_by, public_id, name) WHERE newest IS NOT NULL",
];

const CARRIED_OVER: [&str; 2] = [
    "INSERT INTO package_needs (package, name, format) SELECT DISTINCT a.package, d.name, r.format \
     FROM dependencies d JOIN artifacts a ON a.id = d.artifact JOIN packages p ON p.id = a.package \
     JOIN repositories r ON r.id = p.repository WHERE p.name <> d.name",
    "UPDATE packages SET used_by = (SELECT COUNT(*) FROM package_needs n WHERE n.name = packages.name AND n.format = \
     (SELECT format FROM repositories r WHERE r.id = packages.repository)) \
     WHERE name IN (SELECT name FROM package_needs)",
];

/// `CROSS JOIN` keeps the order: the versions of one package, not all that need the name.
const SQLITE: [&str; 5] = [
    "CREATE TRIGGER dependencies_added AFTER INSERT ON dependencies BEGIN \
     INSERT INTO package_needs (package, name, format) SELECT p.id, NEW.name, r.format \
     FROM artifacts a JOIN packages p ON p.id = a.package JOIN repositories r ON r.id = p.repository \
     WHERE a.id = NEW.artifact AND p.name <> NEW.name \
     AND NOT EXISTS (SELECT 1 FROM package_needs n WHERE n.package = p.id AND n.name = NEW.name); END",
    "CREATE TRIGGER dependencies_removed AFTER DELETE ON dependencies BEGIN \
     DELETE FROM package_needs WHERE name = OLD.name \
     AND package = (SELECT package FROM artifacts WHERE id = OLD.artifact) \
     AND NOT EXISTS (SELECT 1 FROM artifacts a CROSS JOIN dependencies d ON d.artifact = a.id AND d.name = OLD.name \
     WHERE a.package = package_needs.package); END",
    "CREATE TRIGGER package_needs_added AFTER INSERT ON package_needs BEGIN \
     UPDATE packages SET used_by = used_by + 1 \
     WHERE name = NEW.name AND repository IN (SELECT id FROM repositories WHERE format = NEW.format); END",
    "CREATE TRIGGER package_needs_removed AFTER DELETE ON package_needs BEGIN \
     UPDATE packages SET used_by = used_by - 1 \
     WHERE name = OLD.name AND repository IN (SELECT id FROM repositories WHERE format = OLD.format); END",
    "CREATE TRIGGER packages_added AFTER INSERT ON packages BEGIN \
     UPDATE packages SET used_by = (SELECT COUNT(*) FROM package_needs n WHERE n.name = NEW.name \
     AND n.format = (SELECT format FROM repositories WHERE id = NEW.repository)) WHERE id = NEW.id; END",
];

const POSTGRES: [&str; 9] = [
    "CREATE FUNCTION dependencies_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO package_needs (package, name, format) SELECT DISTINCT p.id, d.name, r.format \
     FROM added d JOIN artifacts a ON a.id = d.artifact JOIN packages p ON p.id = a.package \
     JOIN repositories r ON r.id = p.repository WHERE p.name <> d.name ON CONFLICT DO NOTHING; RETURN NULL; END $$",
    "CREATE TRIGGER dependencies_added AFTER INSERT ON dependencies REFERENCING NEW TABLE AS added \
     FOR EACH STATEMENT EXECUTE FUNCTION dependencies_added()",
    "CREATE FUNCTION dependencies_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     DELETE FROM package_needs n USING removed o, artifacts a WHERE a.id = o.artifact \
     AND n.package = a.package AND n.name = o.name AND NOT EXISTS (SELECT 1 FROM artifacts b \
     JOIN dependencies d ON d.artifact = b.id AND d.name = o.name WHERE b.package = n.package); RETURN NULL; END $$",
    "CREATE TRIGGER dependencies_removed AFTER DELETE ON dependencies REFERENCING OLD TABLE AS removed \
     FOR EACH STATEMENT EXECUTE FUNCTION dependencies_removed()",
    "CREATE FUNCTION package_needs_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     UPDATE packages p SET used_by = p.used_by + CASE TG_OP WHEN 'INSERT' THEN c.number ELSE -c.number END \
     FROM (SELECT name, format, COUNT(*) AS number FROM changed GROUP BY name, format) c \
     JOIN repositories r ON r.format = c.format WHERE p.repository = r.id AND p.name = c.name; RETURN NULL; END $$",
    "CREATE TRIGGER package_needs_added AFTER INSERT ON package_needs REFERENCING NEW TABLE AS changed \
     FOR EACH STATEMENT EXECUTE FUNCTION package_needs_changed()",
    "CREATE TRIGGER package_needs_removed AFTER DELETE ON package_needs REFERENCING OLD TABLE AS changed \
     FOR EACH STATEMENT EXECUTE FUNCTION package_needs_changed()",
    "CREATE FUNCTION packages_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     NEW.used_by := (SELECT COUNT(*) FROM package_needs n WHERE n.name = NEW.name \
     AND n.format = (SELECT format FROM repositories WHERE id = NEW.repository)); RETURN NEW; END $$",
    "CREATE TRIGGER packages_added BEFORE INSERT ON packages FOR EACH ROW EXECUTE FUNCTION packages_added()",
];
