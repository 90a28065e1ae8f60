//! The journal: what was published, one line for each publication, kept somewhere else than the data.
//!
//! ```text
//! {"journal":"artifact-keeper","instance":"0199…"}
//! {"sequence":1204,"repository":"go/local","package":"example.com/m","version":"v1.0.0","content":"h1:…","upload":"9f86…","files":{…}}
//! ```
//!
//! A restored database is an older one. Checksums of what was published since are in somebody's `go.sum`, so the same
//! number must not get other content: [`reserve`] keeps each for what the journal says of it.
//!
//! Lines are only added, in the order of the audit, and flushed before anybody is told. A line that a crash cut off is
//! written again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use keeper_core::artifact::{PackageName, VersionName};
use keeper_core::audit::{AuditRow, AuditStore as _, Outcome};
use keeper_core::plugin::Registry;
use keeper_core::repository::{FormatKey, RepositoryAddress, RepositoryName};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{BackupError, at, sync_parent};
use crate::store::{Reservation, Reserved, Store};

/// Reservations of one transaction.
const BATCH: usize = 500;
/// Bytes from the end within which the last line begins: a version has at most some thousand files.
const LAST_LINE_BYTES: u64 = 8 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    journal: String,
    /// The mark of the data.
    instance: Uuid,
}

/// A publication.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The number of its row in the audit.
    sequence: i64,
    /// `format/name`.
    repository: String,
    package: String,
    version: String,
    content: String,
    upload: String,
    files: Map<String, Value>,
}

/// What was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journaled {
    /// Publications.
    pub added: u64,
    /// The row of the audit that is its last.
    pub last_audit_row: i64,
}

/// Adds what was published since the last time to a journal, which is made when it is not there.
///
/// # Errors
/// [`BackupError`]; what was added until then stays and is whole.
pub async fn append(store: &Store, path: &Path) -> Result<Journaled, BackupError> {
    let mut file = open(store, path)?;
    let mut journaled = Journaled { added: 0, last_audit_row: last_sequence(&mut file).map_err(at(path))? };
    let mut after = journaled.last_audit_row;
    loop {
        let rows = store.rows_after(after, None, None).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        let mut lines = Vec::new();
        for entry in rows.iter().filter_map(Entry::of) {
            serde_json::to_writer(&mut lines, &entry).map_err(|error| at(path)(error.into()))?;
            lines.push(b'\n');
            journaled = Journaled { added: journaled.added + 1, last_audit_row: entry.sequence };
        }
        if !lines.is_empty() {
            file.write_all(&lines).and_then(|()| file.sync_data()).map_err(at(path))?;
        }
    }
    Ok(journaled)
}

/// The journal, at its end, held by nobody else.
fn open(store: &Store, path: &Path) -> Result<File, BackupError> {
    let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
    let mut file = opened.map_err(at(path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| at(path)(error.into()))?;
    if file.metadata().map_err(at(path))?.len() == 0 {
        let head = Head { journal: "artifact-keeper".to_owned(), instance: store.instance() };
        let line = serde_json::to_string(&head).map_err(|error| at(path)(error.into()))? + "\n";
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))?;
        sync_parent(path)?;
        return Ok(file);
    }
    let mut first = String::new();
    BufReader::new(&file).read_line(&mut first).map_err(at(path))?;
    check_head(&first, store, path)?;
    Ok(file)
}

fn check_head(line: &str, store: &Store, path: &Path) -> Result<(), BackupError> {
    let not_whole = |what: String| BackupError::NotWhole { path: path.to_owned(), what };
    let head: Head = serde_json::from_str(line).map_err(|error| not_whole(format!("its first line: {error}")))?;
    if head.instance == store.instance() {
        return Ok(());
    }
    Err(not_whole(format!("it is a journal of the data {} and not of {}", head.instance, store.instance())))
}

/// Cuts off what a crash left of a line, and gives the number in the last one.
fn last_sequence(file: &mut File) -> io::Result<i64> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(length - (end.len() - whole) as u64)?;
    let last = end[..whole].split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    // The only line without a number is the first.
    Ok(serde_json::from_slice::<Entry>(last).map_or(0, |entry| entry.sequence))
}

impl Entry {
    /// The publication that a row tells of.
    fn of(row: &AuditRow) -> Option<Self> {
        let told = &row.told;
        if told.action != "publish" || told.outcome != Outcome::Done {
            return None;
        }
        let detail: Map<String, Value> = serde_json::from_str(&told.detail).ok()?;
        let (repository, coordinate) = told.resource.split_once(' ')?;
        let (package, version) = coordinate.rsplit_once('@')?;
        let text = |key: &str| detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        // A part that was added later is a row of its own, with what is new in it.
        let files = detail.get("files").or_else(|| detail.get("added")).and_then(Value::as_object);
        Some(Self {
            sequence: row.seq,
            repository: repository.to_owned(),
            package: package.to_owned(),
            version: version.to_owned(),
            content: text("content"),
            upload: text("upload"),
            files: files.cloned().unwrap_or_default(),
        })
    }

    fn reservation(self, registry: &Registry) -> Option<Reservation> {
        let (format, name) = self.repository.split_once('/')?;
        let format = FormatKey::try_from(format).ok()?;
        let package = PackageName::try_from(self.package.as_str()).ok()?;
        let version = VersionName::try_from(self.version.as_str()).ok()?;
        let handler = registry.get(&format)?;
        Some(Reservation {
            family: handler.family(&package),
            sort_key: handler.sort_key(&version),
            repository: RepositoryAddress { format, name: RepositoryName::try_from(name).ok()? },
            package,
            version: self.version,
            content: self.content,
            upload: self.upload,
            files: self.files,
        })
    }
}

/// Keeps what the journal names and the restored database does not for its content.
///
/// # Errors
/// [`BackupError`]: it is no journal of this data, or a line of it cannot be read.
pub(super) async fn reserve(store: &Store, registry: &Registry, path: &Path) -> Result<Reserved, BackupError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    check_head(lines.next().unwrap_or_default(), store, path)?;
    let (mut reserved, mut batch) = (Reserved::default(), Vec::with_capacity(BATCH));
    let not_whole = |number: usize| BackupError::NotWhole {
        path: path.to_owned(),
        what: format!("line {} names no version that this program knows", number + 2),
    };
    for (number, line) in lines.enumerate() {
        let entry: Entry = serde_json::from_str(line).map_err(|_| not_whole(number))?;
        batch.push(entry.reservation(registry).ok_or_else(|| not_whole(number))?);
        if batch.len() == BATCH {
            reserved = reserved.and(store.reserve(std::mem::take(&mut batch)).await?);
        }
    }
    Ok(reserved.and(store.reserve(batch).await?))
}
