//! A test that never ends is a failure with its name, and not a run of tests that somebody has to stop.
//!
//! libtest has no limit of its own. Each test is watched from the first time that it runs a program until its thread
//! ends; one that takes too long is named, with all others that run, and ends the whole run.
//!
//! Bounds: [`LIMIT`]; none where budgets are long.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::is_long;

/// Far more than the longest test takes on a machine with other work.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(10);

/// The tests that run, and since when.
static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

thread_local! {
    static WATCHED: OnceCell<Watched> = const { OnceCell::new() };
}

/// A test that runs; its thread drops it when the test has ended.
struct Watched(String);

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Watches the test of this thread. libtest names threads after their tests; other threads have no name.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    let current = thread::current();
    let Some(name) = current.name().filter(|_| !is_long()) else { return };
    WATCHED.with(|watched| {
        watched.get_or_init(|| {
            RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Instant::now());
            Watched(name.to_owned())
        });
    });
    ONCE.call_once(|| drop(thread::spawn(look)));
}

/// Looks until a test has taken too long.
fn look() {
    loop {
        thread::sleep(PERIOD);
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if running.values().any(|began| began.elapsed() > LIMIT) {
            let each = running.iter().map(|(name, began)| format!("{name}: {} s", began.elapsed().as_secs()));
            let names = each.collect::<Vec<_>>().join("\n");
            let limit = LIMIT.as_secs();
            // Not by a macro: what those print in this thread belongs to the output of the test that started it.
            let text = format!("{}\na test takes longer than {limit} s, the run ends here\n{names}\n", threads());
            drop(std::io::stderr().write_all(text.as_bytes()));
            std::process::exit(101);
        }
    }
}

/// How many threads of this process wait in which system call.
fn threads() -> String {
    let mut calls = BTreeMap::<String, usize>::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let call = std::fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        *calls.entry(call.split(' ').next().unwrap_or_default().trim().to_owned()).or_default() += 1;
    }
    let each = calls.iter().map(|(call, count)| format!("{count} in {call}"));
    format!("threads by system call: {}", each.collect::<Vec<_>>().join(", "))
}
