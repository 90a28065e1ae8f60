//! A start of the program that may well be refused: it is run until it has ended or is ready.

use std::fs;
use std::io::{BufRead as _, BufReader, pipe};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::server::{mutant, program};

/// Time to end on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user that belongs to nobody.
const NOBODY: u32 = 65_534;

/// A start in a folder of its own.
pub(super) struct Start {
    pub(super) folder: TempDir,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    /// As a user without rights, if the tests have any.
    unprivileged: bool,
    /// Files it may open at once.
    files: Option<u32>,
}

/// How a start ended.
pub(super) struct Ended {
    /// Its exit code; none for a server that became ready (it is stopped).
    code: Option<i32>,
    /// Both outputs.
    pub(super) text: String,
}

impl Start {
    /// A start on a free port, with a data folder that is not there yet.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data").display().to_string();
        let settings = [("KEEPER_LISTEN", "127.0.0.1:0"), ("KEEPER_LOG_FORMAT", "json"), ("KEEPER_DATA_DIR", &data)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, settings, arguments: Vec::new(), unprivileged: false, files: None }
    }

    /// A path in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// With this setting.
    pub(super) fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.settings.push((name.to_owned(), value.as_ref().display().to_string()));
        self
    }

    /// Without a setting that all starts have.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self
    }

    /// With these words on its command line.
    pub(super) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With this `artifact-keeper.toml`.
    pub(super) fn file(self, text: &str) -> Self {
        self.write("artifact-keeper.toml", text)
    }

    /// With this file in its folder, which only its owner can read.
    pub(super) fn write(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).expect("a fresh folder");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("our file");
        self
    }

    /// With so many files that it may open at once.
    pub(super) fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    /// The same as `config --check`.
    pub(super) fn checked(mut self) -> Self {
        self.arguments.splice(..0, ["config".to_owned(), "--check".to_owned()]);
        self
    }

    /// As a user without rights, if the tests have any.
    pub(super) fn unprivileged(mut self) -> Self {
        self.unprivileged = true;
        self
    }

    /// Runs the program until it has ended or is ready.
    pub(super) fn run(&self) -> Ended {
        let (reader, writer) = pipe().expect("a pipe");
        let mut command = self.command();
        command.args(&self.arguments).env_clear().envs(mutant());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(writer.try_clone().expect("a pipe")).stderr(writer);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program().display()));
        // The command holds the ends that are written to.
        drop(command);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _nobody_waits = sender.send(line);
            }
        });
        let mut text = String::new();
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    text.push_str(&line);
                    text.push('\n');
                    if line.contains("\"message\":\"ready\"") {
                        child.kill().and_then(|()| child.wait()).expect("our process");
                        return Ended { code: None, text };
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Ended { code: child.wait().expect("our process").code(), text };
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    child.kill().and_then(|()| child.wait()).expect("our process");
                    panic!("neither ready nor ended: {text}");
                }
            }
        }
    }

    fn command(&self) -> Command {
        if let Some(files) = self.files {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]).arg(program());
            return command;
        }
        if !self.unprivileged || !is_root() {
            return Command::new(program());
        }
        // The way to the program may be closed to others, that to its copy is not.
        let copy = self.path("program");
        fs::hard_link(program(), &copy)
            .or_else(|_| fs::copy(program(), &copy).map(drop))
            .expect("a copy of the program");
        chown(self.folder.path(), Some(NOBODY), Some(NOBODY)).expect("our folder");
        let mut command = Command::new(copy);
        command.uid(NOBODY).gid(NOBODY);
        command
    }
}

/// Whether the tests run as root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Ended {
    /// It was refused with this code and said all of this.
    #[track_caller]
    pub(super) fn refused(&self, row: &str, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{row}: {}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{row}: {text:?} is missing in: {}", self.text);
        }
    }

    /// It became ready and said all of this.
    #[track_caller]
    pub(super) fn runs(&self, row: &str, texts: &[&str]) {
        assert_eq!(self.code, None, "{row}: {}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{row}: {text:?} is missing in: {}", self.text);
        }
    }
}
