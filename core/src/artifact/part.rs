//! Versions that get their files one by one.

use serde_json::Value;

use super::{Artifact, ArtifactFile, ContentId, Publication};
use crate::digest::Digest;

/// How the content of a version begins that gets its files one by one.
const OF_FILES: &str = "files:";

/// Whether a publication is its version or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// The version has these files and will never have others.
    #[default]
    Whole,
    /// Further files may come later; those that are there never change.
    Part,
}

impl ContentId {
    /// The content of a version that gets its files one by one: its files, whatever order they came in.
    #[must_use]
    pub fn of_files<'a>(files: impl IntoIterator<Item = &'a ArtifactFile>) -> Self {
        let mut lines: Vec<_> = files.into_iter().map(|file| format!("{}  {}\n", file.digest, file.name)).collect();
        lines.sort_unstable();
        Self(format!("{OF_FILES}{}", Digest::of(lines.concat().as_bytes())))
    }

    fn is_of_files(&self) -> bool {
        self.0.starts_with(OF_FILES)
    }
}

impl Artifact {
    /// The files of a part that are missing here; `None` when one has other bytes at a path that is taken.
    #[must_use]
    pub fn missing(&self, part: &[ArtifactFile]) -> Option<Vec<ArtifactFile>> {
        let taken = |file: &&ArtifactFile| self.files.iter().find(|old| old.path == file.path);
        let clashes = part.iter().any(|file| taken(&file).is_some_and(|old| old.digest != file.digest));
        (!clashes).then(|| part.iter().filter(|file| taken(file).is_none()).cloned().collect())
    }

    /// Whether a copy of what an upstream has is not what was found there first: a sum of the same name differs.
    #[must_use]
    pub fn contradicts(&self, copy: &Publication) -> bool {
        let differs = |(name, sum): (&String, &String)| self.checksums.get(name).is_some_and(|first| first != sum);
        copy.copied && copy.checksums.iter().any(differs)
    }

    /// Whether a publication brings files of this version: it is a part, or it is the whole of which parts are here.
    #[must_use]
    pub fn is_extended_by(&self, what: &Publication) -> bool {
        what.extent == Extent::Part || (self.content.is_of_files() && self.content != what.content)
    }

    /// Takes the new files of a part, with what it says of the version.
    pub fn add(&mut self, files: Vec<ArtifactFile>, part: &Publication) {
        self.files.extend(files);
        self.files.sort_by(|one, other| one.name.cmp(&other.name));
        self.content = match part.extent {
            Extent::Part => ContentId::of_files(&self.files),
            Extent::Whole => part.content.clone(),
        };
        self.checksums.extend(part.checksums.clone());
        for dependency in &part.dependencies {
            if !self.dependencies.contains(dependency) {
                self.dependencies.push(dependency.clone());
            }
        }
        self.warnings.extend(part.warnings.iter().cloned());
        self.about.add(&part.about);
        match (&mut self.metadata, &part.metadata) {
            (Value::Object(old), Value::Object(new)) => old.extend(new.clone()),
            (_, Value::Null) => {}
            (old, new) => *old = new.clone(),
        }
    }
}
