//! Changes to the database that no request can make: what another program wrote, or the passing of time.

use std::process::Command;

use super::command::run;
use super::postgres;
use super::server::Server;

/// Changes the database behind the server's back, by one statement or several.
pub(crate) fn sql(server: &Server, statements: &str) {
    if let Some(address) = server.database() {
        postgres::shared().execute(postgres::name(address), statements);
        return;
    }
    let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
                  db.executescript(sys.argv[2])\ndb.commit()\ndb.close()\n";
    run(Command::new("python3").args(["-c", script]).arg(server.data().join("keeper.db")).arg(statements)).succeeded();
}
