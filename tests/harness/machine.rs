//! A developer's machine on the first day: a home folder with nothing in it, and the tools.
//!
//! No variable of the machine that runs the tests comes through but PATH; so no GOPROXY, GOFLAGS, `go env -w`,
//! git configuration or `.netrc` of its user. Module cache and GOPATH are empty; only compiled packages
//! (GOCACHE) are shared between tests, which hold nothing that was downloaded.
//!
//! Nothing reaches the internet: every connection but to this machine is sent to a port where nobody
//! listens, unless a test puts someone there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::command::{Finished, run};
use super::go;
use super::server::Server;

/// Compiled packages of all tests.
const BUILD_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-build");

/// Where requests to the world outside end: nobody listens on the discard port.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A home folder and its settings.
pub(crate) struct Machine {
    folder: TempDir,
    variables: BTreeMap<String, OsString>,
}

impl Machine {
    /// A machine with Go's own defaults.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        // Without this, go leaves a process behind that counts its uses.
        let telemetry = home.join(".config/go/telemetry");
        fs::create_dir_all(&telemetry).expect("a fresh folder");
        fs::write(telemetry.join("mode"), "off").expect("a fresh folder");
        fs::create_dir(folder.path().join("work")).expect("a fresh folder");
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).expect("a fresh folder");
        let git = "[user]\n\tname = Robin\n\temail = robin@example.com\n[init]\n\tdefaultBranch = main\n";
        fs::write(home.join(".gitconfig"), git).expect("a fresh folder");

        let rest = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([go::FOLDER.clone()].into_iter().chain(std::env::split_paths(&rest)));
        let mut machine = Self { folder, variables: BTreeMap::new() };
        machine.put("PATH", path.expect("a path made of paths"));
        machine.put("HOME", &home);
        machine.put("TMPDIR", temporary);
        machine.put("GOPATH", home.join("go"));
        machine.put("GOMODCACHE", home.join("go/pkg/mod"));
        machine.put("GOENV", home.join("goenv"));
        machine.put("GOCACHE", BUILD_CACHE);
        machine.put("GOFLAGS", "-modcacherw");
        machine.put("GOTOOLCHAIN", "local");
        machine.put("GIT_CONFIG_NOSYSTEM", "1");
        machine.put("GIT_TERMINAL_PROMPT", "0");
        machine.put("LC_ALL", "C.UTF-8");
        machine.put("HTTP_PROXY", NOWHERE);
        machine.put("HTTPS_PROXY", NOWHERE);
        machine.put("https_proxy", NOWHERE);
        machine.put("NO_PROXY", "127.0.0.1,localhost");
        machine
    }

    /// A machine set up as the guide recommends: modules from the server's `go/local`, and no questions about
    /// the company's modules to the checksum database.
    pub(crate) fn of_a_user_of(server: &Server) -> Self {
        Self::new().with("GOPROXY", server.go("local")).with("GONOSUMDB", "github.com/yourcompany,github.com/yourname")
    }

    /// The same machine with a variable set.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.put(name, value);
        self
    }

    /// Sets a variable.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// The user's home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A folder for work, empty at first.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A fresh project: a folder of this name with the `go.mod` of `example.com/<name>`.
    pub(crate) fn project(&self, name: &str) -> PathBuf {
        let folder = self.work().join(name);
        fs::create_dir(&folder).expect("a new folder");
        self.write(&folder, "go.mod", &format!("module example.com/{name}\n\ngo 1.21\n"));
        folder
    }

    /// Writes a file of a project.
    pub(crate) fn write(&self, folder: &Path, name: &str, text: &str) {
        fs::write(folder.join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Runs `go` with arguments that are separated by blanks.
    pub(crate) fn go(&self, folder: &Path, arguments: &str) -> Finished {
        run(self.prepare("go", folder).args(arguments.split_whitespace()))
    }

    /// Runs a script as a careful user would: the first failure ends it.
    pub(crate) fn sh(&self, folder: &Path, script: &str) -> Finished {
        run(self.prepare("bash", folder).arg("-c").arg(format!("set -euo pipefail\n{script}")))
    }

    /// Runs any program with arguments as they are.
    pub(crate) fn run(&self, folder: &Path, program: &str, arguments: &[&str]) -> Finished {
        run(self.prepare(program, folder).args(arguments))
    }

    fn prepare(&self, program: &str, folder: &Path) -> Command {
        // Rust looks programs up on the caller's PATH, where go may be an older one.
        let ours = go::FOLDER.join(program);
        let program = if program == "go" { ours.as_os_str() } else { program.as_ref() };
        let mut command = Command::new(program);
        command.env_clear().envs(&self.variables).current_dir(folder);
        command
    }
}
