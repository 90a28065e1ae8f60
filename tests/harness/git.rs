//! Git repositories with tags: one author, fixed dates, so that every run makes the same commits.
//!
//! Units: the n-th commit is n hours after [`FIRST_COMMIT`].

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::command::run;

/// Seconds since 1970 of the first commit: 2024-03-04T03:06:07Z.
const FIRST_COMMIT: u64 = 1_709_521_567;

/// A clone with an empty history at first.
pub(crate) struct Repository {
    folder: TempDir,
    commits: Cell<u64>,
}

impl Repository {
    /// An empty repository whose branch is `main`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("clone")).expect("a fresh folder");
        let repository = Self { folder, commits: Cell::new(0) };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// The working copy.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("below the clone")).expect("a folder");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    /// Makes a symbolic link.
    pub(crate) fn link(&self, name: &str, target: &str) -> &Self {
        symlink(target, self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    /// Commits everything and gives it a tag; answers with the commit's full name.
    pub(crate) fn release(&self, tag: &str) -> String {
        let commit = self.commit(tag);
        self.git(&["tag", tag]);
        commit
    }

    /// Commits everything; answers with the commit's full name.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.commits.set(self.commits.get() + 1);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the clone; answers with what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let seconds = FIRST_COMMIT + 3_600 * self.commits.get();
        let date = format!("{seconds} +0000");
        let finished = run(Command::new("git")
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("TZ", "America/New_York")
            .envs([("GIT_AUTHOR_NAME", "Robin"), ("GIT_AUTHOR_EMAIL", "robin@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Robin"), ("GIT_COMMITTER_EMAIL", "robin@example.com")])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .current_dir(self.path()))
        .succeeded();
        finished.stdout().to_owned()
    }

    /// A zip of a tag or commit by a plain `git archive`; `prefix` is put before every name.
    pub(crate) fn archive(&self, reference: &str, prefix: &str) -> PathBuf {
        self.archive_by(&["archive", "--format=zip"], reference, prefix)
    }

    /// A zip of a tag or commit by the command that the guide recommends: files as the go command takes them.
    pub(crate) fn archive_as_go_does(&self, reference: &str, prefix: &str) -> PathBuf {
        let attributes = self.path().join(".git/info/attributes");
        fs::create_dir_all(attributes.parent().expect("below .git")).expect("a folder");
        fs::write(&attributes, "* -export-subst -export-ignore\n").expect("a writable clone");
        let command = ["-c", "core.autocrlf=input", "-c", "core.eol=lf", "archive", "--format=zip"];
        let archive = self.archive_by(&command, reference, prefix);
        fs::remove_file(&attributes).expect("just written");
        archive
    }

    fn archive_by(&self, command: &[&str], reference: &str, prefix: &str) -> PathBuf {
        let archive = tempfile::Builder::new().suffix(".zip").tempfile_in(self.folder.path());
        let (_, path) = archive.and_then(|file| Ok(file.keep()?)).expect("a temporary file");
        let (prefix, output) = (format!("--prefix={prefix}"), format!("--output={}", path.display()));
        self.git(&[command, &[&prefix, &output, reference]].concat());
        path
    }
}

/// Variables that make git, and so the go command, take local clones for the places on the internet.
pub(crate) fn instead_of(places: &[(&str, &Path)]) -> Vec<(String, String)> {
    let settings = places.iter().enumerate().flat_map(|(at, (url, clone))| {
        let key = format!("url.file://{}.insteadOf", clone.display());
        [(format!("GIT_CONFIG_KEY_{at}"), key), (format!("GIT_CONFIG_VALUE_{at}"), (*url).to_owned())]
    });
    [("GIT_CONFIG_COUNT".to_owned(), places.len().to_string())].into_iter().chain(settings).collect()
}
