//! Modules as an upstream has them: the files of the GOPROXY protocol and their sums, reckoned here once more.
//!
//! ```text
//! h1 of a zip        base64 of SHA-256 over the lines "<SHA-256 of a file>  <its name>\n", in order of names
//! h1 of a go.mod     the same of one file that is called go.mod
//! ```
//!
//! Source: <https://go.dev/ref/mod#go-sum-files>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::archives;
use super::scripted::{Reply, Scripted};

/// When all versions were made, unless a test says otherwise.
pub(crate) const LONG_AGO: &str = "2024-03-04T03:06:07Z";

/// One version of a module.
#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) path: String,
    pub(crate) version: String,
    go_mod: String,
    files: Vec<(String, Vec<u8>)>,
    time: String,
}

impl Module {
    /// A module with a `go.mod` and a package.
    pub(crate) fn new(path: &str, version: &str) -> Self {
        Self {
            path: path.to_owned(),
            version: version.to_owned(),
            go_mod: format!("module {path}\n\ngo 1.21\n"),
            files: vec![("m.go".to_owned(), b"package m\n".to_vec())],
            time: LONG_AGO.to_owned(),
        }
    }

    /// The same with these lines at the end of its `go.mod`.
    pub(crate) fn saying(mut self, lines: &str) -> Self {
        self.go_mod.push_str(&format!("\n{lines}\n"));
        self
    }

    /// The same with another `go.mod`.
    pub(crate) fn with_go_mod(self, go_mod: &str) -> Self {
        Self { go_mod: go_mod.to_owned(), ..self }
    }

    /// The same with a further file.
    pub(crate) fn with(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// The same, made at another time.
    pub(crate) fn made_at(self, time: &str) -> Self {
        Self { time: time.to_owned(), ..self }
    }

    /// The address of one of its files below an upstream: `info`, `mod` or `zip`.
    pub(crate) fn at(&self, extension: &str) -> String {
        format!("{}/@v/{}.{extension}", base(&self.path), escaped(&self.version))
    }

    /// Its `.info`.
    pub(crate) fn info(&self) -> String {
        format!("{{\"Version\":\"{}\",\"Time\":\"{}\"}}", self.version, self.time)
    }

    /// Its `.mod`.
    pub(crate) fn go_mod(&self) -> &str {
        &self.go_mod
    }

    fn entries(&self) -> Vec<(String, &[u8])> {
        let go_mod = [("go.mod", self.go_mod.as_bytes())].into_iter();
        let files = self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
        let below = |name| format!("{}@{}/{name}", self.path, self.version);
        go_mod.chain(files).map(|(name, content)| (below(name), content)).collect()
    }

    /// Its `.zip`; nothing is compressed, so that it is as large as it says.
    pub(crate) fn zip(&self) -> Vec<u8> {
        let entries = self.entries();
        archives::stored(&entries.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>())
    }

    /// The sum of its zip.
    pub(crate) fn h1(&self) -> String {
        h1(self.entries())
    }

    /// The sum of its `go.mod`.
    pub(crate) fn go_mod_h1(&self) -> String {
        h1(vec![("go.mod".to_owned(), self.go_mod.as_bytes())])
    }

    /// What a checksum database says of it.
    pub(crate) fn record(&self) -> String {
        let name = format!("{} {}", self.path, self.version);
        format!("{name} {}\n{name}/go.mod {}\n", self.h1(), self.go_mod_h1())
    }
}

fn h1(mut entries: Vec<(String, &[u8])>) -> String {
    entries.sort();
    let mut all = Sha256::new();
    for (name, content) in entries {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        all.update(format!("{digest}  {name}\n"));
    }
    format!("h1:{}", STANDARD.encode(all.finalize()))
}

/// A path or version as requests write it: `!` for a capital letter, and the `!` itself encoded.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push_str("%21");
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// The address of a module below an upstream.
pub(crate) fn base(path: &str) -> String {
    format!("/{}", escaped(path))
}

impl Scripted {
    /// Has these versions of one module, in this order; the last one is its latest.
    pub(crate) fn offer(&self, versions: &[&Module]) {
        let latest = versions.last().expect("a module has a version");
        let list: String = versions.iter().map(|module| format!("{}\n", module.version)).collect();
        self.put(&format!("{}/@v/list", base(&latest.path)), [Reply::text(list)]);
        self.put(&format!("{}/@latest", base(&latest.path)), [Reply::text(latest.info())]);
        for module in versions {
            self.put(&module.at("info"), [Reply::text(module.info())]);
            self.put(&module.at("mod"), [Reply::text(module.go_mod())]);
            self.put(&module.at("zip"), [Reply::bytes(module.zip())]);
        }
    }
}
