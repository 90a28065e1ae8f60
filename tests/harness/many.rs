//! Much in a store: rows that publications would have left, written beside the server, for publishing so many is not
//! what is tested. The benchmark fills its stores with the same statements.

use super::archives;
use super::database;
use super::server::Server;
use super::upload::Form;

const ROWS: &str = include_str!("../fixtures/many.sql");

/// How much there is.
pub(crate) struct Many {
    pub(crate) packages: u64,
    pub(crate) versions_each: u64,
    /// The second repository has each so manieth package; none where it is 0.
    pub(crate) share: u64,
}

/// The module of this number.
pub(crate) fn module(number: u64) -> String {
    format!("example.com/team{:03}/package{number:06}", number % 997)
}

/// Fills the empty store of a server, which is started again on another port.
pub(crate) fn fill(server: &mut Server, many: &Many) {
    let module = Form::go(archives::module(b"module example.com/m\n")).with("name", "example.com/m");
    let judged = module.with("version", "v1.0.0").with("dry_run", "true").send(server).expect(200);
    let metadata = judged.body["metadata"].to_string().replace('\'', "''");
    server.stop();
    let rows = ROWS
        .replace("@metadata", &metadata)
        .replace("@packages", &many.packages.to_string())
        .replace("@versions", &many.versions_each.to_string())
        .replace("@share", &many.share.to_string());
    database::sql(server, &rows);
    server.start_again();
}
