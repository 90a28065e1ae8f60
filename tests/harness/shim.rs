//! The library that stands between a server and its system calls: `tests/durability/shim.c`, built with `cc`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::command::run;
use super::server::Server;

/// The errno that means a write which does half of its work.
pub(crate) const SHORT: i64 = -1;

/// Where the library has what, in the file by which it is told: `struct control`.
const COUNTDOWN: u64 = 0;
const ERROR: u64 = 8;
const FAILED: u64 = 16;
const CLOCK: u64 = 24;
const WHAT: u64 = 32;
const CONTROL_BYTES: usize = 512;

/// The library and its files.
pub(crate) struct Shim {
    folder: TempDir,
    control: File,
}

impl Shim {
    /// Builds it.
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/durability/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
        run(compiler.arg(folder.path().join("shim.so")).arg(source).arg("-ldl")).succeeded();
        let path = folder.path().join("control");
        std::fs::write(&path, [0; CONTROL_BYTES]).expect("a fresh folder");
        let control = OpenOptions::new().read(true).write(true).open(path).expect("it was just written");
        Self { folder, control }
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts it before a server, from its next start on. The server has to be stopped.
    pub(crate) fn stand_before(&self, server: &mut Server) {
        server.set("SHIM_ROOT", &server.data().display().to_string());
        server.set("SHIM_CONTROL", &self.path("control").display().to_string());
        server.set("LD_PRELOAD", &self.path("shim.so").display().to_string());
    }

    /// The n-th call from now on fails with this errno.
    pub(crate) fn fail(&self, nth: i64, errno: i64) {
        self.write(FAILED, 0);
        self.write(ERROR, errno);
        self.write(COUNTDOWN, nth);
    }

    /// Each call fails with this errno, until [`calm`](Self::calm).
    pub(crate) fn fail_all(&self, errno: i64) {
        self.fail(-1, errno);
    }

    /// No call fails any more. Gives the one that has: `fsync /data/tmp/1-2`.
    pub(crate) fn calm(&self) -> Option<String> {
        self.write(COUNTDOWN, 0);
        if self.read(FAILED) == 0 {
            return None;
        }
        let mut what = vec![0; CONTROL_BYTES - 32];
        self.control.read_exact_at(&mut what, WHAT).expect("a file of that size");
        let end = what.iter().position(|byte| *byte == 0).unwrap_or(what.len());
        Some(String::from_utf8_lossy(&what[..end]).into_owned())
    }

    /// The server's wall clock is wrong by so many seconds from now on.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.write(CLOCK, seconds);
    }

    fn write(&self, at: u64, number: i64) {
        self.control.write_all_at(&number.to_le_bytes(), at).expect("a file of that size");
    }

    fn read(&self, at: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at).expect("a file of that size");
        i64::from_le_bytes(bytes)
    }
}
