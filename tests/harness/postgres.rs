//! PostgreSQL for the tests: one server for a whole run, a database of its own for everybody who asks.
//!
//! The server is Debian's, made by `initdb` in a temporary folder, with everything that keeps data safe left on, and
//! reachable by a Unix socket only. It takes little of the disk: its log is bounded, and a database goes when whoever
//! used it has gone. A shell stands between it and the tests: when the tests end, however they do, their end of a pipe
//! closes, and the shell stops the server and removes the folder.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The variable that makes tests use PostgreSQL where they would use SQLite.
pub(crate) const VARIABLE: &str = "KEEPER_TEST_DATABASE";

/// A server refuses to run as root; this user owns nothing.
const NOBODY: u32 = 65_534;

/// Time for a start on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// In memory where there is plenty: a test kills processes and never the machine, so nothing is lost there, and a flush costs
/// nothing.
fn place() -> PathBuf {
    const PLENTY: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |facts| facts.f_bavail * facts.f_frsize);
    if free >= PLENTY { memory.to_owned() } else { std::env::temp_dir() }
}

/// Whether the tests shall use it instead of SQLite.
pub(crate) fn is_wanted() -> bool {
    match std::env::var(VARIABLE).as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("{VARIABLE}={other}: expected sqlite or postgres"),
    }
}

/// The server of this run.
pub(crate) fn shared() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// A new, empty database there, for as long as this lives.
pub(crate) struct Database(String);

impl Database {
    /// Makes one.
    pub(crate) fn new() -> Self {
        Self(shared().database())
    }

    /// One with all that another one holds, to which nobody may be connected meanwhile.
    #[allow(dead_code, reason = "the unit tests of the store make their schemas themselves")]
    pub(crate) fn copy_of(other: &Self) -> Self {
        Self(shared().copy(name(&other.0)))
    }

    /// Its address.
    pub(crate) fn address(&self) -> &str {
        &self.0
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Whoever is still connected has lost his test. One that stays is in nobody's way, and no reason to fail.
        drop(shared().psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(&self.0))));
    }
}

/// A server.
pub(crate) struct Postgres {
    folder: PathBuf,
    /// Closing its standard input ends everything.
    keeper: Option<Child>,
}

/// What the shell does: it starts the server whenever a line comes, and ends with its input. One that was killed is
/// buried first: while its number stands for anything, its successor believes it alive.
const KEEPER: &str = "while read -r order; do case $order in \
    start) wait; \"$1/postgres\" -D \"$0/data\" -k \"$0\" >>\"$0/log\" 2>&1 & echo $! >\"$0/pid\";; esac; done; \
    kill -INT \"$(cat \"$0/pid\")\" 2>/dev/null; wait; cd /; rm -rf \"$0\"";

const SETTINGS: &str = "listen_addresses = ''\nmax_connections = 300\nshared_buffers = 64MB\nfsync = on\n\
    logging_collector = off\nmin_wal_size = 32MB\nmax_wal_size = 128MB\n";

impl Postgres {
    /// A new server with no database of ours.
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder =
            tempfile::Builder::new().prefix("keeper-pg-").tempdir_in(place()).expect("a temporary folder").keep();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("the folder is ours");
        let root = rustix::process::geteuid().is_root();
        if root {
            chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may give it away");
        }
        let data = folder.join("data");
        let made = unprivileged(root, &programs.join("initdb"))
            .args(["--username=keeper", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--wal-segsize=1", "-D"])
            .arg(&data)
            .current_dir(&folder)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let settings = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&settings).expect("initdb makes it");
        std::fs::write(&settings, text + SETTINGS).expect("the folder is ours");
        let keeper = unprivileged(root, Path::new("sh"))
            .args(["-c", KEEPER])
            .arg(&folder)
            .arg(&programs)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let mut server = Self { folder, keeper: Some(keeper) };
        server.start_again();
        server
    }

    /// Starts it again after a kill. It refuses while a process of the one before still holds their common memory,
    /// so it is told as often as it takes.
    pub(crate) fn start_again(&mut self) {
        self.order_start();
        let began = Instant::now();
        while !self.psql("postgres", "SELECT 1").status.success() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "PostgreSQL is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(50));
            if self.has_ended() {
                self.order_start();
            }
        }
    }

    fn order_start(&mut self) {
        // What the shell has not written yet is nobody's number.
        drop(std::fs::remove_file(self.folder.join("pid")));
        let keeper = self.keeper.as_mut().and_then(|keeper| keeper.stdin.as_mut()).expect("the shell lives");
        keeper.write_all(b"start\n").expect("the shell listens");
    }

    /// Whether its first process is gone, or waits to be buried.
    fn has_ended(&self) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.folder.join("pid")) else { return false };
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        pid.ends_with('\n') && status.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
    }

    /// The number of its first process.
    pub(crate) fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.folder.join("pid")).expect("the shell writes it");
        text.trim().parse().expect("a number")
    }

    /// The number of the process of some session, if there is one.
    pub(crate) fn session(&self) -> Option<u32> {
        let question = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' \
                        AND application_name = 'artifact-keeper' ORDER BY random() LIMIT 1";
        let asked = self.psql("postgres", question);
        String::from_utf8_lossy(&asked.stdout).trim().parse().ok()
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        self.copy("template0")
    }

    /// The address of a new database with all that this one holds.
    fn copy(&self, template: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("k{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        format!("postgres:///{name}?host={}&user=keeper", self.folder.display())
    }

    /// Runs statements in a database, as a person at its shell would; what they print.
    pub(crate) fn execute(&self, database: &str, statements: &str) -> String {
        let ran = self.psql(database, statements);
        assert!(ran.status.success(), "{statements}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    fn psql(&self, database: &str, statements: &str) -> std::process::Output {
        self.shell(database, statements).output().expect("psql runs")
    }

    fn shell(&self, database: &str, statements: &str) -> Command {
        let mut shell = Command::new(programs().join("psql"));
        shell.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "keeper", "-h"]).arg(&self.folder);
        shell.args(["-d", database, "-c", statements]).current_dir("/");
        shell
    }

    /// Runs statements that take a lock in a database, and holds it until the answer is dropped.
    pub(crate) fn hold(&self, database: &str, locks: &str) -> Held {
        let mut shell = self.shell(database, &format!("BEGIN; {locks}; SELECT 'held'; SELECT pg_sleep(600)"));
        let child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("psql runs");
        let sleeps = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE \
                      '%pg_sleep(600)%' AND application_name = 'psql' AND wait_event = 'PgSleep'";
        let began = Instant::now();
        while self.execute(database, sleeps) != "1" {
            assert!(began.elapsed() < PATIENCE, "the lock is not held");
            std::thread::sleep(Duration::from_millis(20));
        }
        Held { child, end: (self.folder.clone(), database.to_owned()) }
    }
}

/// Locks that somebody holds in a database.
pub(crate) struct Held {
    child: Child,
    end: (PathBuf, String),
}

impl Drop for Held {
    fn drop(&mut self) {
        // The server notices only at its next word that its client is gone.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query \
                   LIKE '%pg_sleep(600)%' AND application_name = 'psql' AND pid <> pg_backend_pid()";
        let mut shell = Command::new(programs().join("psql"));
        shell.args(["-X", "-q", "-U", "keeper", "-h"]).arg(&self.end.0).args(["-d", &self.end.1, "-c", end]);
        // Whatever became of it, the lock ends with the test.
        drop(shell.current_dir("/").output());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            // It removes the folder; a failure of that is no failure of a test.
            let _ = keeper.wait();
        }
    }
}

/// The name of the database in an address that [`Postgres::database`] gave.
pub(crate) fn name(address: &str) -> &str {
    let path = address.strip_prefix("postgres:///").expect("one of ours");
    path.split('?').next().unwrap_or(path)
}

fn unprivileged(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups", "--"]).arg(program);
    command
}

/// The folder of the server's programs: Debian has them beside each other for each version.
fn programs() -> PathBuf {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().collect();
    versions.sort_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    let newest = versions.pop().map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").is_file());
    let in_path = || {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).find(|folder| folder.join("initdb").is_file())
    };
    newest.or_else(in_path).expect("PostgreSQL is missing. On Debian: sudo apt-get install postgresql")
}
