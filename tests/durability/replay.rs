//! What a disk may hold after a power cut: everything that was flushed, and of the rest what chance has brought there.
//!
//! Made of the log of `shim.c` up to some line. Of bytes that were written and not flushed, each 512 of them are there
//! or not; so is each name that was given or taken away in a folder that was not flushed since. A renaming is two such
//! changes, one for each folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::trace::Event;
use crate::harness::random::Random;
use crate::harness::refusal;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A file, whatever its names are.
type File = usize;

/// A change of bytes that is not flushed.
#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A change of names that is not flushed: the name, and which file it means now.
type Naming = (PathBuf, Option<File>);

#[derive(Debug, Clone, Default)]
struct Content {
    flushed: Vec<u8>,
    pending: Vec<Change>,
}

/// A disk while it is used.
#[derive(Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    folders: BTreeSet<PathBuf>,
    files: Vec<Content>,
    by_inode: BTreeMap<u64, File>,
    /// As programs see them.
    names: BTreeMap<PathBuf, File>,
    flushed_names: BTreeMap<PathBuf, File>,
    pending_names: Vec<Naming>,
    /// Whether it does what it is asked to: one that lies flushes nothing.
    honest: bool,
}

impl Disk {
    /// A disk with what is in a folder now, all of it flushed. What is shared memory is no part of it.
    pub(crate) fn of(root: &Path, honest: bool) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            folders: BTreeSet::new(),
            files: Vec::new(),
            by_inode: BTreeMap::new(),
            names: BTreeMap::new(),
            flushed_names: BTreeMap::new(),
            pending_names: Vec::new(),
            honest,
        };
        disk.note_folders(root);
        for path in refusal::files(root).into_iter().filter(|path| is_kept(path)) {
            let inode = fs::metadata(&path).expect("it is there").ino();
            disk.by_inode.insert(inode, disk.files.len());
            disk.names.insert(path.clone(), disk.files.len());
            disk.files.push(Content { flushed: fs::read(&path).unwrap_or_default(), pending: Vec::new() });
        }
        disk.flushed_names = disk.names.clone();
        disk
    }

    fn note_folders(&mut self, folder: &Path) {
        self.folders.insert(folder.to_owned());
        for entry in fs::read_dir(folder).expect("a folder").flatten().filter(|entry| entry.path().is_dir()) {
            self.note_folders(&entry.path());
        }
    }

    /// Carries out a line of the log; `data` is all that was written.
    pub(crate) fn apply(&mut self, event: &Event, data: &[u8]) {
        let Some((call, first, second)) = event.done() else { return };
        let path = PathBuf::from(first);
        let numbers: Vec<usize> = second.split(':').filter_map(|number| number.parse().ok()).collect();
        match (call, &numbers[..]) {
            ("open", [inode]) if is_kept(&path) => self.open(path, *inode as u64),
            ("write", [inode, at, length, place]) => {
                let bytes = data[*place..place + length].to_vec();
                self.change(*inode as u64, Change::Write { at: *at, bytes });
            }
            ("truncate", [inode, length]) => self.change(*inode as u64, Change::Length(*length)),
            ("fsync", [inode]) => self.flush(&path, *inode as u64),
            ("unlink", _) => self.name(path, None),
            ("rename", _) => {
                let file = self.names.get(&path).copied();
                self.name(path, None);
                self.name(PathBuf::from(second), file);
            }
            _ => {}
        }
    }

    fn open(&mut self, path: PathBuf, inode: u64) {
        if self.names.contains_key(&path) {
            return;
        }
        let file = self.files.len();
        self.files.push(Content::default());
        self.by_inode.insert(inode, file);
        self.name(path, Some(file));
    }

    fn name(&mut self, path: PathBuf, file: Option<File>) {
        match file {
            Some(file) => self.names.insert(path.clone(), file),
            None => self.names.remove(&path),
        };
        self.pending_names.push((path, file));
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(file) = self.by_inode.get(&inode) {
            self.files[*file].pending.push(change);
        }
    }

    fn flush(&mut self, path: &Path, inode: u64) {
        if !self.honest {
            return;
        }
        if self.folders.contains(path) {
            let (here, elsewhere) = std::mem::take(&mut self.pending_names)
                .into_iter()
                .partition::<Vec<_>, _>(|(name, _)| name.parent() == Some(path));
            self.pending_names = elsewhere;
            here.into_iter().for_each(|naming| rename(&mut self.flushed_names, naming));
        } else if let Some(file) = self.by_inode.get(&inode) {
            let content = &mut self.files[*file];
            for change in std::mem::take(&mut content.pending) {
                carry_out(&mut content.flushed, &change, |_| true);
            }
        }
    }

    /// Writes what is left after a cut into a new folder.
    pub(crate) fn cut(&self, to: &Path, chance: &mut Random) {
        // Sometimes much of what was not flushed has arrived, sometimes nearly nothing.
        let share = chance.below(5);
        let mut arrives = |_: usize| chance.below(4) < share;
        let mut names = self.flushed_names.clone();
        for naming in &self.pending_names {
            if arrives(0) {
                rename(&mut names, naming.clone());
            }
        }
        let place = |path: &Path| to.join(path.strip_prefix(&self.root).expect("a path of the disk"));
        self.folders.iter().for_each(|folder| fs::create_dir_all(place(folder)).expect("a fresh folder"));
        let mut contents = BTreeMap::new();
        for (name, file) in &names {
            let bytes = contents.entry(*file).or_insert_with(|| {
                let Content { flushed, pending } = &self.files[*file];
                let mut bytes = flushed.clone();
                pending.iter().for_each(|change| carry_out(&mut bytes, change, &mut arrives));
                bytes
            });
            fs::write(place(name), bytes).expect("a fresh folder");
        }
    }
}

/// The index of the log in memory is rebuilt after a crash.
fn is_kept(path: &Path) -> bool {
    !path.to_string_lossy().ends_with("-shm") && !path.to_string_lossy().ends_with(".sock")
}

fn rename(names: &mut BTreeMap<PathBuf, File>, (path, file): Naming) {
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}

/// Changes bytes, sector by sector as far as they arrive.
fn carry_out(bytes: &mut Vec<u8>, change: &Change, mut arrives: impl FnMut(usize) -> bool) {
    match change {
        Change::Length(length) => {
            if arrives(*length) {
                bytes.resize(*length, 0);
            }
        }
        Change::Write { at, bytes: written } => {
            let mut from = *at;
            while from < at + written.len() {
                let end = (from / SECTOR * SECTOR + SECTOR).min(at + written.len());
                if arrives(from) {
                    bytes.resize(bytes.len().max(end), 0);
                    bytes[from..end].copy_from_slice(&written[from - at..end - at]);
                }
                from = end;
            }
        }
    }
}
