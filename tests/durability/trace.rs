//! The order of the server's system calls, as `shim.c` records it, against the order that makes a publication
//! durable before it is acknowledged:
//!
//! ```text
//! write…, fsync(tmp/file) < rename to blobs/…/digest.x < fsync(that folder) < row written to the log < fsync(log) < "201"
//! ```
//!
//! Where `a < b`: a has ended before b begins. A kill cannot show this order, since the kernel keeps what was
//! written; a power cut would.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::server::{ON_SQLITE, Server};
use crate::harness::shim::Shim;

/// How much longer each fsync takes: what a good disk needs, so that commits meet and become one group.
const SYNC_MICROSECONDS: &str = "2000";

/// A server whose system calls are recorded.
pub(crate) struct Recorded {
    pub(crate) server: Server,
    shim: Shim,
}

impl Recorded {
    /// Starts a server with the recorder.
    pub(crate) fn start() -> Self {
        let shim = Shim::build();
        // The first start is not of interest, and tells where the data are.
        let mut server = Server::with(&[super::QUIET, ON_SQLITE]);
        server.stop();
        shim.stand_before(&mut server);
        server.set("SHIM_LOG", &shim.path("log").display().to_string());
        server.set("SHIM_SYNC_MICROSECONDS", SYNC_MICROSECONDS);
        server.start_again();
        Self { server, shim }
    }

    /// Stops the server and gives what was recorded.
    pub(crate) fn stop(mut self) -> Trace {
        self.server.stop();
        let log = std::fs::read_to_string(self.shim.path("log")).expect("the recorder has written text");
        Trace::of(log.lines().map(Event::parse).collect())
    }
}

/// A publication that was answered with 201.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// The client's port.
    pub(crate) port: u16,
    /// The part of its name that is found in what is written to the database's log.
    pub(crate) mark: String,
    /// The digests of the files that must be blobs.
    pub(crate) blobs: Vec<String>,
    /// Its id in the API.
    pub(crate) id: String,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    is_begin: bool,
    is_good: bool,
    thread: String,
    call: String,
    /// A path or a port.
    pub(crate) first: String,
    /// Another path, marks, or the first line of an answer.
    second: String,
}

impl Event {
    pub(crate) fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.split('\t').collect();
        let [phase, thread, call, first, second] = fields[..] else { panic!("not a line of the recorder: {line:?}") };
        Self {
            is_begin: phase == "B",
            is_good: !phase.starts_with("E!"),
            thread: thread.to_owned(),
            call: call.to_owned(),
            first: first.to_owned(),
            second: second.to_owned(),
        }
    }

    /// Whether this is a flush of a path with this piece.
    pub(crate) fn is_sync_of(&self, piece: &str) -> bool {
        self.call == "fsync" && self.first.contains(piece)
    }

    /// A call that has ended well, and what it was about.
    pub(crate) fn done(&self) -> Option<(&str, &str, &str)> {
        (!self.is_begin && self.is_good).then_some((&*self.call, &*self.first, &*self.second))
    }

    /// Whether it is the answer that something was made.
    pub(crate) fn is_created(&self) -> bool {
        self.second.starts_with("HTTP/1.1 201")
    }

    /// Whether it is the answer that something is gone.
    pub(crate) fn is_done_without_content(&self) -> bool {
        self.second.starts_with("HTTP/1.1 204")
    }

    /// Whether it is an answer.
    pub(crate) fn is_answer(&self) -> bool {
        self.call == "send"
    }
}

/// All that was recorded, and where to find it.
pub(crate) struct Trace {
    events: Vec<Event>,
    /// By call and path or port: where such calls begin.
    begins: BTreeMap<(String, String), Vec<usize>>,
    /// By mark: where a write to the log with it begins for the first time.
    marks: BTreeMap<String, usize>,
    /// By digest: where the renaming to its blob begins.
    renames: BTreeMap<String, usize>,
}

impl Trace {
    /// A trace of these events.
    pub(crate) fn of(events: Vec<Event>) -> Self {
        let mut trace = Self { events, begins: BTreeMap::new(), marks: BTreeMap::new(), renames: BTreeMap::new() };
        for (at, event) in trace.events.iter().enumerate().filter(|(_, event)| event.is_begin) {
            trace.begins.entry((event.call.clone(), event.first.clone())).or_default().push(at);
            if event.call == "write" && event.first.ends_with("-wal") {
                for mark in event.second.split(',') {
                    trace.marks.entry(mark.to_owned()).or_insert(at);
                }
            }
            if event.call == "rename" && event.second.contains("/blobs/") {
                let name = event.second.rsplit('/').next().unwrap_or_default();
                trace.renames.insert(name.split('.').next().unwrap_or_default().to_owned(), at);
            }
        }
        trace
    }

    /// The same with other events.
    pub(crate) fn with(&self, change: impl FnOnce(Vec<Event>) -> Vec<Event>) -> Self {
        Self::of(change(self.events.clone()))
    }

    /// What is wrong, for each publication; and into how many transactions they were put.
    pub(crate) fn judge(&self, acknowledged: &[Acknowledged]) -> (Vec<String>, usize) {
        let (mut wrong, mut transactions) = (Vec::new(), BTreeSet::new());
        // A port may be used again, in order.
        let mut used: BTreeMap<u16, usize> = BTreeMap::new();
        for one in acknowledged {
            let turn = used.entry(one.port).or_default();
            match self.order(one, *turn) {
                Ok(synced) => drop(transactions.insert(synced)),
                Err(fault) => wrong.push(format!("{fault}: {one:?}")),
            }
            *turn += 1;
        }
        (wrong, transactions.len())
    }

    /// Where the flush begins that made a publication durable, if everything was in order.
    fn order(&self, one: &Acknowledged, turn: usize) -> Result<usize, &'static str> {
        let answers = self.begins_of("send", &one.port.to_string());
        let mut created = answers.iter().filter(|at| self.events[**at].is_created());
        let answered = *created.nth(turn).ok_or("no answer was sent")?;
        let row = *self.marks.get(&one.mark).ok_or("its row is not in the log")?;
        for digest in &one.blobs {
            let renamed = *self.renames.get(digest).ok_or("a file has no blob")?;
            self.order_of_blob(renamed, row)?;
        }
        let written = self.end_of(row).ok_or("its row was not written")?;
        let log = &self.events[row].first;
        self.synced_within(log, written, answered).ok_or("it was answered before its row was flushed")
    }

    fn order_of_blob(&self, renamed: usize, row: usize) -> Result<(), &'static str> {
        let Event { first: from, second: to, .. } = &self.events[renamed];
        let last = *self.begins_of("write", from).last().ok_or("a blob was never written")?;
        let written = self.end_of(last).ok_or("a blob was not written")?;
        self.synced_within(from, written, renamed).ok_or("a blob was renamed before its bytes were flushed")?;
        let named = self.end_of(renamed).ok_or("a blob was not renamed")?;
        let (folder, _) = to.rsplit_once('/').ok_or("a blob without a folder")?;
        let flushed = self.synced_within(folder, named, row);
        flushed.ok_or("a row was written before the folder of its blob was flushed").map(drop)
    }

    /// Where a flush of a path begins that lies wholly between two places.
    fn synced_within(&self, path: &str, after: usize, before: usize) -> Option<usize> {
        let within = self.begins_of("fsync", path).iter().copied().skip_while(|at| *at < after);
        within.take_while(|at| *at < before).find(|at| self.end_of(*at).is_some_and(|end| end < before))
    }

    fn begins_of(&self, call: &str, first: &str) -> &[usize] {
        self.begins.get(&(call.to_owned(), first.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Where a call ends well: a thread does one after the other.
    fn end_of(&self, begin: usize) -> Option<usize> {
        let thread = &self.events[begin].thread;
        let behind = self.events.iter().enumerate().skip(begin + 1);
        let (at, end) = behind.into_iter().find(|(_, event)| event.thread == *thread)?;
        (!end.is_begin && end.is_good && end.call == self.events[begin].call).then_some(at)
    }
}
