//! The program under test: started on a free port in a folder of its own, stopped, killed, started again.
//!
//! It is ready when it says so: a JSON line on its standard error whose `message` is `ready` and whose `url` is
//! the chosen address. Everything it prints is kept and shown when a test fails.
//!
//! With `KEEPER_TEST_DATABASE=postgres` it has a database of its own on the PostgreSQL of the run.
//!
//! Bounds: [`PATIENCE`] to become ready and to stop.

use std::io::{BufRead, BufReader, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{Finished, run};
use super::http::{self, Response};
use super::{postgres, wait, watchdog};

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_artifact-keeper");

/// The administrator's token of every server started here.
pub(crate) const ADMIN_TOKEN: &str = "tests-only-Wm3kYv8QzR5xJd0LhB7nTf2c";

/// The setting that says where the database is.
const DATABASE: &str = "KEEPER_DATABASE_URL";

/// A setting of tests that are about the file of SQLite, also where the others run on PostgreSQL: an empty variable counts
/// as not set.
pub(crate) const ON_SQLITE: (&str, &str) = (DATABASE, "");

/// What happens at the failpoints.
const FAILPOINTS: &str = "KEEPER_FAILPOINTS";

/// Names another program to be tested in place of the one that cargo built with the tests: `make mutants`.
const OTHER_PROGRAM: &str = "KEEPER_TEST_PROGRAM";
/// Which fault that other program is to have.
const MUTANT: &str = "KEEPER_MUTANT";

/// Time for a start or a stop on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database whose schema is up to date. The program brings one there, and the others are copies: at each start of each
/// test that would be most of what is waited for.
fn up_to_date() -> postgres::Database {
    static FIRST: OnceLock<postgres::Database> = OnceLock::new();
    let first = FIRST.get_or_init(|| {
        let (database, folder) = (postgres::Database::new(), tempfile::tempdir().expect("a temporary folder"));
        let mut migrate = Command::new(program());
        run(migrate.arg("migrate").env(DATABASE, database.address()).env("KEEPER_DATA_DIR", folder.path())).succeeded();
        database
    });
    let copy = postgres::Database::copy_of(first);
    // Other data than those it is a copy of.
    postgres::shared().execute(postgres::name(copy.address()), "UPDATE instance SET id = gen_random_uuid()::text");
    copy
}

/// The program whose promises are tested.
pub(crate) fn program() -> PathBuf {
    std::env::var_os(OTHER_PROGRAM).map_or_else(|| PathBuf::from(PROGRAM), PathBuf::from)
}

/// The same with its failpoints alive.
pub(crate) fn faulty_program() -> PathBuf {
    let folder = Path::new(PROGRAM).parent().expect("a program is in a folder");
    let path = std::env::var_os(OTHER_PROGRAM).map_or_else(|| folder.join("examples/faulty-keeper"), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run 'make faulty'", path.display());
    path
}

/// The setting that gives the program under test its fault, if it is to have one.
pub(crate) fn mutant() -> Option<(String, String)> {
    std::env::var(MUTANT).ok().map(|name| (MUTANT.to_owned(), name))
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    /// Its address as users type it, without a trailing slash.
    pub(crate) url: String,
    program: PathBuf,
    folder: TempDir,
    settings: Vec<(String, String)>,
    /// Words of its command line.
    words: Vec<String>,
    child: Option<Child>,
    output: Arc<Mutex<String>>,
    /// A database of its own, which goes with it.
    _database: Option<postgres::Database>,
    /// Its data folder is a disk of its own, of so many bytes.
    disk_bytes: Option<usize>,
    /// What it has in the place of `/etc/hosts`.
    hosts: Option<PathBuf>,
    /// Its data folder can only be read from.
    read_only: bool,
}

impl Server {
    /// A server whose `go/local` everybody may read.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with further settings (`KEEPER_…`); they come after the usual ones and win.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::prepare(&program(), settings, None)
    }

    /// A server whose failpoints are alive, and what is to happen at them: `KEEPER_FAILPOINTS` as
    /// `core/src/failpoint.rs` explains it.
    pub(crate) fn faulty(failpoints: &str, settings: &[(&str, &str)]) -> Self {
        Self::prepare(&faulty_program(), &[&[(FAILPOINTS, failpoints)], settings].concat(), None)
    }

    /// Changes what happens at its failpoints from the next start on.
    pub(crate) fn set_failpoints(&mut self, failpoints: &str) {
        self.set(FAILPOINTS, failpoints);
    }

    /// A server that has one format more, `hostile`: the program in `tests/hostile_format`, which cargo builds
    /// beside the tests.
    pub(crate) fn with_hostile_format() -> Self {
        let folder = Path::new(PROGRAM).parent().expect("a program is in a folder");
        Self::prepare(&folder.join("examples/hostile-format"), &[("KEEPER_NETWORK_ALLOW", "127.0.0.1")], None)
    }

    /// A server of another build.
    pub(crate) fn of(program: &Path) -> Self {
        Self::prepare(program, &[], None)
    }

    /// A server whose data folder is a disk of so many bytes. Only a real file system that is full gives what a
    /// full disk gives, so a machine on which none can be made is a failure and not a reason to skip.
    pub(crate) fn on_a_disk_of(disk_bytes: usize, settings: &[(&str, &str)]) -> Self {
        let probe = run(Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]));
        assert!(
            probe.is_success(),
            "no disk can be made to fill: this user may not mount in a namespace of its own. On Ubuntu: \
             sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; in a container: --privileged, or a seccomp \
             profile that lets unshare through. {probe}"
        );
        // The whole of such a disk is for the test.
        let settings = [&[("KEEPER_STORAGE_RESERVE", "1")], settings].concat();
        Self::prepare(&program(), &settings, Some(disk_bytes))
    }

    /// A server that is not started yet, on a data folder that `fill` makes.
    pub(crate) fn upon(fill: impl FnOnce(&Path), settings: &[(&str, &str)]) -> Self {
        let server = Self::unstarted(&program(), settings, None);
        fill(&server.data());
        server
    }

    fn prepare(program: &Path, settings: &[(&str, &str)], disk_bytes: Option<usize>) -> Self {
        let mut server = Self::unstarted(program, settings, disk_bytes);
        server.launch();
        server
    }

    fn unstarted(program: &Path, settings: &[(&str, &str)], disk_bytes: Option<usize>) -> Self {
        watchdog::watch();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let usual = [
            ("KEEPER_LISTEN", "127.0.0.1:0"),
            ("KEEPER_LOG_FORMAT", "json"),
            ("KEEPER_LOG", "info"),
            ("KEEPER_ADMIN_TOKEN", ADMIN_TOKEN),
            ("KEEPER_ANONYMOUS_READ", "true"),
            // No server of the tests reaches the world, whatever a test gets wrong.
            ("KEEPER_NETWORK_PUBLIC", "false"),
        ];
        let data = folder.path().join("data").display().to_string();
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let is_named = settings.iter().any(|(name, _)| *name == DATABASE);
        let database = (postgres::is_wanted() && !is_named).then(up_to_date);
        let named = database.iter().map(|database| (DATABASE.to_owned(), database.address().to_owned()));
        let all = usual.iter().map(own).chain(named).chain(mutant()).chain(settings.iter().map(own));
        Self {
            program: program.to_owned(),
            url: String::new(),
            settings: all.chain([("KEEPER_DATA_DIR".to_owned(), data)]).collect(),
            folder,
            words: Vec::new(),
            child: None,
            output: Arc::default(),
            _database: database,
            disk_bytes,
            hosts: None,
            read_only: false,
        }
    }

    /// The address of a Go repository: what GOPROXY is set to.
    pub(crate) fn go(&self, repository: &str) -> String {
        format!("{}/go/{repository}", self.url)
    }

    /// The address of its database, when it is one of PostgreSQL.
    pub(crate) fn database(&self) -> Option<&str> {
        let named = self.settings.iter().rev().find(|(name, _)| name == DATABASE);
        named.map(|(_, address)| address.as_str()).filter(|address| address.starts_with("postgres:"))
    }

    /// Its name and port as clients type them.
    pub(crate) fn host(&self) -> &str {
        self.url.split_once("://").map_or(&*self.url, |(_, host)| host)
    }

    /// Where it listens, whatever its public address is.
    pub(crate) fn address(&self) -> String {
        let output = self.output();
        let events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut ready = events.filter(|event| event["message"] == "ready");
        ready.find_map(|event| event["address"].as_str().map(str::to_owned)).expect("it is ready")
    }

    /// Its data folder, as it sees it.
    pub(crate) fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        match (&self.child, self.disk_bytes) {
            (Some(child), Some(_)) => PathBuf::from(format!("/proc/{}/root{}", child.id(), data.display())),
            _ => data,
        }
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }

    /// Its private memory in KiB, without files that are mapped.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line of it");
        line.trim_matches(['\t', ' ', 'k', 'B']).parse().expect("a number")
    }

    /// The certificate that clients of a self-signed server have to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.data().join("tls").join("ca.pem")
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().expect("no writer panics").clone()
    }

    /// A new token, made on the command line beside the running server.
    pub(crate) fn token(&self, arguments: &str) -> String {
        let made = self.command(&format!("token create --quiet {arguments}")).succeeded();
        assert!(!made.stdout().is_empty() && !made.stdout().contains(char::is_whitespace), "not a token: {made}");
        made.stdout().to_owned()
    }

    /// Runs the program with other arguments (separated by blanks), on the same data.
    pub(crate) fn command(&self, arguments: &str) -> Finished {
        run(Command::new(&self.program)
            .args(arguments.split_whitespace())
            .env_clear()
            // What stands between the server and its system calls stands there alone.
            .envs(self.settings.iter().filter(|(key, _)| key != "LD_PRELOAD").map(|(key, value)| (key, value)))
            .envs(self.disk_bytes.map(|_| ("KEEPER_DATA_DIR", self.data())))
            .current_dir(self.folder.path()))
    }

    /// Begins the same and leaves it to the test.
    pub(crate) fn begin_command(&self, arguments: &str) -> Child {
        let mut command = Command::new(&self.program);
        command.args(arguments.split_whitespace()).env_clear().current_dir(self.folder.path());
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    /// A request to its API by the administrator; the body is JSON or nothing.
    pub(crate) fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(Some(ADMIN_TOKEN), method, path, &[("Content-Type", "application/json")], body.as_bytes())
    }

    /// A request by the holder of this token, or by a stranger.
    pub(crate) fn send(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let credential = authorization.iter().map(|value| ("Authorization", value.as_str()));
        let headers: Vec<_> = credential.chain(headers.iter().copied()).collect();
        http::send(method, &format!("{}{path}", self.url), &headers, body)
    }

    /// A further hosted Go repository.
    pub(crate) fn create_repository(&self, repository: &Value) {
        self.api("POST", "/api/repositories", Some(repository)).expect(201);
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM)
    }

    /// Asks it to stop and does not wait.
    pub(crate) fn ask_to_stop(&self) {
        let child = self.child.as_ref().expect("it is running");
        kill_process(Pid::from_child(child), Signal::TERM).expect("the process is ours");
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = self.child.take().expect("it is running");
        Self::wait_for(child)
    }

    /// Takes it away in the middle of whatever it does.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL)
    }

    /// Changes a setting (`KEEPER_…`) from the next start on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Leaves a setting out from the next start on.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| known != name);
    }

    /// Asks it to read its certificate and configuration again.
    pub(crate) fn hang_up(&self) {
        let child = self.child.as_ref().expect("it is running");
        kill_process(Pid::from_child(child), Signal::HUP).expect("the process is ours");
    }

    /// Starts it again on the same data, on another port.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "it is still running");
        self.launch();
    }

    /// The same with further words on its command line, for this start only.
    pub(crate) fn start_again_with(&mut self, words: &[&str]) {
        self.words = words.iter().map(|word| (*word).to_owned()).collect();
        self.start_again();
        self.words.clear();
    }

    /// Starts it on the same data and takes it away a little later, ready or not.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        assert!(self.child.is_none(), "it is still running");
        drop(self.spawn());
        thread::sleep(after);
        self.kill();
    }

    /// The same as soon as something is so.
    pub(crate) fn start_and_kill_when(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        assert!(self.child.is_none(), "it is still running");
        drop(self.spawn());
        wait::until(what, || is_so(self));
        self.kill();
    }

    fn launch(&mut self) {
        let ready = self.spawn();
        self.await_ready(&ready);
    }

    /// Begins to start it on the same data, and leaves it to the test what happens meanwhile.
    pub(crate) fn begin(&mut self) -> Receiver<String> {
        assert!(self.child.is_none(), "it is still running");
        self.spawn()
    }

    /// Waits until a start that was begun is over.
    pub(crate) fn await_ready(&mut self, ready: &Receiver<String>) {
        // A server that ends before it is ready closes its output, and with it the channel.
        self.url = ready.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("the server is not ready: {error}"));
    }

    /// Begins to start it; the address comes when it is ready.
    fn spawn(&mut self) -> Receiver<String> {
        let (reader, writer) = pipe().expect("a pipe");
        let child = self
            .program()
            .args(&self.words)
            .env_clear()
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("a pipe"))
            .stderr(writer)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        self.child = Some(child);
        let (sender, ready) = mpsc::channel();
        let output = Arc::clone(&self.output);
        thread::spawn(move || keep_lines(BufReader::new(reader), &output, &sender));
        ready
    }

    /// Lets it know names by this file, in the place of `/etc/hosts`, from the next start on.
    pub(crate) fn know_names_by(&mut self, hosts: &Path) {
        self.hosts = Some(hosts.to_owned());
    }

    /// Takes the right to write to its data folder away, or gives it back, from the next start on.
    pub(crate) fn make_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// The program; with a disk or names of its own, in a mount namespace of its own.
    fn program(&self) -> Command {
        if let Some(hosts) = &self.hosts {
            let mut command = Command::new("unshare");
            let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
            command.args(["-rm", "sh", "-c", script]).arg(hosts).arg(&self.program);
            return command;
        }
        if self.read_only {
            let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$1\"";
            let mut command = Command::new("unshare");
            command.args(["-rm", "sh", "-c", script]).arg(self.folder.path().join("data")).arg(&self.program);
            return command;
        }
        let Some(disk_bytes) = self.disk_bytes else { return Command::new(&self.program) };
        let data = self.folder.path().join("data");
        std::fs::create_dir_all(&data).expect("a fresh folder");
        let script = format!("mount -t tmpfs -o size={disk_bytes} tmpfs \"$0\" && exec \"$1\"");
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script]).arg(data).arg(&self.program);
        command
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        let child = self.child.take().expect("it is running");
        kill_process(Pid::from_child(&child), signal).expect("the process is ours");
        Self::wait_for(child)
    }

    fn wait_for(mut child: Child) -> ExitStatus {
        let (sender, ended) = mpsc::channel();
        let pid = Pid::from_child(&child);
        thread::spawn(move || sender.send(child.wait()));
        let Ok(status) = ended.recv_timeout(PATIENCE) else {
            kill_process(pid, Signal::KILL).expect("the process is ours");
            panic!("the server did not stop within {PATIENCE:?}");
        };
        status.expect("the process is ours")
    }
}

/// Keeps every line of the output and tells of the one that says `ready`.
fn keep_lines(lines: impl BufRead, output: &Mutex<String>, sender: &Sender<String>) {
    for line in lines.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        {
            let mut output = output.lock().expect("no reader panics");
            output.push_str(&line);
            output.push('\n');
        }
        if let Some(url) = ready(&line) {
            // Nobody listens any more after a start that took too long.
            let _ = sender.send(url);
        }
    }
}

/// The address in the line that says `ready`.
fn ready(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let url = event["url"].as_str().filter(|_| event["message"] == "ready")?;
    Some(url.trim_end_matches('/').to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; what matters is that none is left behind.
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            show(&format!("--- output of the server in {}\n{}---", self.url, self.output()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
fn show(text: &str) {
    eprintln!("{text}");
}
