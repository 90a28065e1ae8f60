//! Changes to the database that no request can make: what another program wrote, or the passing of time.

use std::process::Command;

use super::command::run;
use super::postgres;
use super::server::Server;

/// Changes the database behind the server's back, by one statement or several.
pub(crate) fn sql(server: &Server, statements: &str) {
    in_database(server, statements, "db.executescript(sys.argv[2])");
}

/// The one value that a question to the database finds.
pub(crate) fn value(server: &Server, question: &str) -> String {
    in_database(server, question, "print(db.execute(sys.argv[2]).fetchone()[0])")
}

fn in_database(server: &Server, statements: &str, python: &str) -> String {
    if let Some(address) = server.database() {
        return postgres::shared().execute(postgres::name(address), statements);
    }
    let script = format!("import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{python}\ndb.commit()\ndb.close()\n");
    let database = server.data().join("keeper.db");
    let ran = run(Command::new("python3").args(["-c", &script]).arg(database).arg(statements)).succeeded();
    ran.stdout().to_owned()
}
