//! Very much in the browser: 10,000 versions of a package, 100,000 packages in a repository (a fortieth of that in
//! `make test`). Pages stay small, right while others publish, and the memory of browser and server flat.

use std::fs;

use serde_json::json;

use super::{scenario, server_with};
use crate::harness::archives;
use crate::harness::is_long;
use crate::harness::many::{self, Many};
use crate::harness::server::ON_SQLITE;

/// What the server's caches may take while all pages are turned.
const GROWTH_KIB: u64 = 64 * 1024;

#[test]
fn ten_thousand_versions_are_a_page_at_a_time() {
    const VERSIONS: u64 = 10_000;
    let mut server = server_with(&[ON_SQLITE]);
    many::fill(&mut server, &Many { packages: 1, versions_each: VERSIONS, share: 0 });
    let highest = format!("v1.{}.0", VERSIONS - 1);
    let facts = json!({"name": many::module(0), "highest": highest, "lowest": "v1.0.0", "needle": "v1.1377.0"});
    scenario(&server, "much/versions", &facts);
}

#[test]
fn a_repository_of_very_many_packages_is_walked_page_by_page_while_others_publish() {
    let (packages, pages) = if is_long() { (100_000, 300) } else { (2_500, 50) };
    let mut server = server_with(&[ON_SQLITE]);
    many::fill(&mut server, &Many { packages, versions_each: 1, share: 0 });
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("m.zip");
    fs::write(&archive, archives::module(b"module example.com/m\n")).expect("a fresh folder");
    let before = server.memory_kib();
    scenario(&server, "much/packages", &json!({"packages": packages, "pages": pages, "archive": archive}));
    let after = server.memory_kib();
    assert!(after < before + GROWTH_KIB, "the server's memory grows with the pages: {before} KiB, then {after} KiB");
}
