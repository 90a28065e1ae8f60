//! Versions that get their files one by one.

use std::collections::BTreeMap;

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
    /// The files of a publication that are missing here; `None` when one has other bytes at a path that is taken, unless
    /// the publication [completes](Self::is_completed_by) this version: then what is here stays.
    #[must_use]
    pub fn missing(&self, what: &Publication) -> Option<Vec<ArtifactFile>> {
        let taken = |file: &&ArtifactFile| self.files.iter().find(|old| old.path == file.path);
        let clashes = what.files.iter().any(|file| taken(&file).is_some_and(|old| old.digest != file.digest));
        let fits = !clashes || self.is_completed_by(what.extent, &what.checksums);
        fits.then(|| what.files.iter().filter(|file| taken(file).is_none()).cloned().collect())
    }

    /// Whether a publication is the whole of which parts are here, by the sums of their ecosystem: it has all that are
    /// known of the parts. What such a sum leaves out, for example when a version was made, stays as it is here.
    #[must_use]
    pub fn is_completed_by(&self, extent: Extent, checksums: &BTreeMap<String, String>) -> bool {
        let has = |(name, sum): (&String, &String)| checksums.get(name) == Some(sum);
        let are_parts = extent == Extent::Whole && self.content.is_of_files() && !self.checksums.is_empty();
        are_parts && self.checksums.iter().all(has)
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

    /// Takes the new files of a part, with what it says of the version; of the whole, what parts did not say.
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
            (Value::Object(old), Value::Object(new)) if part.extent == Extent::Whole => {
                for (key, value) in new {
                    old.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (Value::Object(old), Value::Object(new)) => old.extend(new.clone()),
            (_, Value::Null) => {}
            (old, new) => *old = new.clone(),
        }
    }
}
