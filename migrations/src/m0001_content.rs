//! Repositories, packages, artifacts, files, blobs and labels: what is published.
//!
//! Shape:
//!
//! ```text
//! repositories 1─n packages 1─n artifacts 1─n files n─1 blobs
//!                           └─n labels n─1 artifacts
//! ```
//!
//! Three promises are the database's own, so that no race can break them: a version exists once
//! (`artifacts_version`), a path leads to one file (`files_path`), and a blob that a file names cannot be
//! removed (the restricting key of `files.blob_digest`).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, blob, blob_null, boolean, text, text_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [instance(), repositories(), packages(), artifacts(), blobs(), files(), labels()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// One row: which data this is, and which program changed its schema last.
fn instance() -> TableCreateStatement {
    Table::create()
        .table("instance")
        .col(text("id").primary_key())
        .col(text("migrated_by"))
        .col(big_integer("created_at"))
        .to_owned()
}

fn repositories() -> TableCreateStatement {
    Table::create()
        .table("repositories")
        .col(big_pk_auto("id"))
        .col(text("format"))
        .col(text("name"))
        .col(text("kind"))
        .col(text("description"))
        .col(boolean("anonymous_read"))
        .col(boolean("default_upload"))
        .col(text("deletion"))
        .col(text("settings"))
        .col(big_integer("created_at"))
        .col(big_integer("revision"))
        .col(big_integer("generation"))
        .to_owned()
}

/// `name_folded` is the name in ASCII lower case: two packages that differ only there are case twins.
fn packages() -> TableCreateStatement {
    Table::create()
        .table("packages")
        .col(big_pk_auto("id"))
        .col(big_integer("repository"))
        .col(text("name"))
        .col(text("name_folded"))
        .col(big_integer("created_at"))
        .foreign_key(&mut kept("packages", "repository", "repositories", "id"))
        .to_owned()
}

/// `id` is a UUIDv7 in its text form, whose order is the order of publication. `repository` repeats what the
/// package says, so that a page of some repositories needs one index.
fn artifacts() -> TableCreateStatement {
    Table::create()
        .table("artifacts")
        .col(text("id").primary_key())
        .col(big_integer("repository"))
        .col(big_integer("package"))
        .col(text("version"))
        .col(blob("sort_key"))
        .col(text("state"))
        .col(text("state_reason"))
        .col(big_integer_null("state_changed_at"))
        .col(big_integer("published_at"))
        .col(text("published_by"))
        .col(text("content"))
        .col(text("purl"))
        .col(text("checksums"))
        .col(text("metadata"))
        .col(text("dependencies"))
        .col(text("warnings"))
        .col(text("upload_digest"))
        .foreign_key(&mut kept("artifacts", "repository", "repositories", "id"))
        .foreign_key(&mut kept("artifacts", "package", "packages", "id"))
        .to_owned()
}

/// `location` says which stored copy of the digest is the live one.
fn blobs() -> TableCreateStatement {
    Table::create()
        .table("blobs")
        .col(text("digest").primary_key())
        .col(big_integer("size"))
        .col(text("location"))
        .col(big_integer("created_at"))
        .to_owned()
}

/// The bytes are either here (`inline`) or in the blob store (`blob_digest`), never both, never neither.
fn files() -> TableCreateStatement {
    Table::create()
        .table("files")
        .col(big_pk_auto("id"))
        .col(text("artifact"))
        .col(big_integer("repository"))
        .col(text("path"))
        .col(text("name"))
        .col(text("media_type"))
        .col(text("digest"))
        .col(big_integer("size"))
        .col(blob_null("inline"))
        .col(text_null("blob_digest"))
        .check(Expr::cust("(inline IS NULL) <> (blob_digest IS NULL)"))
        .foreign_key(&mut kept("files", "artifact", "artifacts", "id"))
        .foreign_key(&mut kept("files", "repository", "repositories", "id"))
        .foreign_key(&mut kept("files", "blob_digest", "blobs", "digest"))
        .to_owned()
}

/// `kind` is `commit` or `name`. Several versions may come from one commit; a name points to one version.
fn labels() -> TableCreateStatement {
    Table::create()
        .table("labels")
        .col(big_pk_auto("id"))
        .col(big_integer("package"))
        .col(text("kind"))
        .col(text("name"))
        .col(text("artifact"))
        .foreign_key(&mut kept("labels", "package", "packages", "id"))
        .foreign_key(&mut kept("labels", "artifact", "artifacts", "id"))
        .to_owned()
}

/// A key whose target cannot go away while it is named. Nothing here cascades: what is removed is removed by
/// a statement that says so.
fn kept(
    table: &'static str,
    column: &'static str,
    target: &'static str,
    key: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, column)
        .to(target, key)
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .to_owned()
}

/// Pages and totals are answered from an index alone (the `newest` ones, `files_size`): the rows are wide.
fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        unique("repositories_address", "repositories", &["format", "name"]),
        unique("repositories_default", "repositories", &["format"]).and_where(Expr::cust("default_upload")).to_owned(),
        unique("packages_name", "packages", &["repository", "name"]),
        plain("packages_folded", "packages", &["repository", "name_folded", "name"]),
        unique("artifacts_version", "artifacts", &["package", "version"]),
        plain("artifacts_order", "artifacts", &["package", "sort_key"]),
        plain("artifacts_newest", "artifacts", &["repository", "id", "state", "package"]),
        plain("artifacts_newest_of_package", "artifacts", &["package", "id", "state"]),
        unique("files_path", "files", &["repository", "path"]),
        unique("files_name", "files", &["artifact", "name"]),
        plain("files_size", "files", &["repository", "size"]),
        plain("files_blob", "files", &["blob_digest"]),
        unique("labels_target", "labels", &["package", "kind", "name", "artifact"]),
        unique("labels_moving", "labels", &["package", "name"]).and_where(Expr::cust("kind = 'name'")).to_owned(),
        plain("labels_artifact", "labels", &["artifact"]),
    ]
}

fn plain(name: &str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

fn unique(name: &str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    plain(name, table, columns).unique().to_owned()
}
