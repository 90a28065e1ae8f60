//! Changes a server's database behind its back: what nothing else can bring about.

use std::path::Path;
use std::process::Command;

use super::command::run;

/// Runs one statement on the database of this data folder.
pub(crate) fn sql(data: &Path, statement: &str) {
    let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n\
                  db.execute(sys.argv[2])\ndb.commit()\ndb.close()\n";
    run(Command::new("python3").args(["-c", script]).arg(data.join("keeper.db")).arg(statement)).succeeded();
}
