//! Puts the built pages into `$OUT_DIR/dist`, from where `crate/lib.rs` embeds them.
//!
//! ```text
//! WEB_UI_DIST=/some/dist   that folder is taken as it is: for packagers, and for images with a Node.js stage
//! npm is found             npm ci where the lock file is newer than what is installed, then npm run build
//! neither                  the build stops and says what is missing
//! ```
//!
//! Without the feature `bundle` nothing is done. Beside the sources only `node_modules/` and `.svelte-kit/` are written.

#![allow(clippy::disallowed_methods, reason = "a build script runs tools; the server runs none")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs};

type Outcome = Result<(), Box<dyn Error>>;

/// What the pages are made of; a change of any of it builds them anew. `docs/errors.md` is shown under `/help/errors`.
const SOURCES: [&str; 8] = [
    "src",
    "static",
    "scripts",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "vite.config.ts",
    "../docs/errors.md",
];

fn main() -> Outcome {
    println!("cargo:rerun-if-env-changed=WEB_UI_DIST");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    if env::var_os("CARGO_FEATURE_BUNDLE").is_none() {
        return Ok(());
    }
    let dist = PathBuf::from(env::var("OUT_DIR")?).join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    match env::var_os("WEB_UI_DIST") {
        Some(built) => copy(Path::new(&built), &dist),
        None => build(&dist),
    }
}

fn build(dist: &Path) -> Outcome {
    if !Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Err(
            "web-ui: `npm` was not found. Install Node.js 20.19 or newer, or set WEB_UI_DIST to a built `dist`, \
                    or build with --no-default-features"
                .into(),
        );
    }
    if outdated()? {
        npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"], dist)?;
    }
    npm(&["run", "--silent", "build"], dist)
}

/// Whether what is installed is older than the lock file.
fn outdated() -> Result<bool, Box<dyn Error>> {
    let changed = |path: &str| -> std::io::Result<SystemTime> { fs::metadata(path)?.modified() };
    let locked = changed("package-lock.json")?;
    Ok(changed("node_modules/.package-lock.json").map_or(true, |installed| installed < locked))
}

/// Runs npm; what it prints is shown when it fails.
fn npm(arguments: &[&str], dist: &Path) -> Outcome {
    let output = Command::new("npm").args(arguments).env("WEB_UI_OUT", dist).output()?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(format!("web-ui: npm {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&printed)).into())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).map_err(|error| format!("WEB_UI_DIST={}: {error}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
