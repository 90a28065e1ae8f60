//! What breaks around the program breaks none of its promises: system calls that fail, a kill at each step, a full
//! disk, a read-only one, a clock that jumps, bytes that rot.
//!
//! ```text
//! files    what all of these publish, and clients that do it fast
//! points   a kill and a failure at each step of the protocols
//! calls    the n-th system call fails, for every n
//! churn    publishers, readers and the collector, all after the same bytes
//! damage   stored bytes that are cut, flipped, gone
//! disks    a disk that fills up, one that becomes read-only
//! clock    a wall clock that is wrong
//! crowd    clients that are too slow or too many
//! readers  readers during everything else
//! panics   the task that commits dies
//! soak     all of it for long
//! ```
//!
//! Those that need failpoints use the program of `make faulty`.

mod calls;
mod churn;
mod clock;
mod crowd;
mod damage;
mod disks;
pub(crate) mod files;
mod panics;
mod points;
mod readers;
mod soak;

use std::fs;
use std::path::Path;

use crate::harness::server::{PROGRAM, faulty_program};

/// What `core/src/failpoint.rs` leaves in a program that has any.
const MARKER: &[u8] = b"KEEPER_FAILPOINTS";

fn has_failpoints(program: &Path) -> bool {
    let bytes = fs::read(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    bytes.windows(MARKER.len()).any(|window| window == MARKER)
}

#[test]
fn no_program_for_use_has_failpoints() {
    assert!(has_failpoints(&faulty_program()), "they would not be found");
    let debug = Path::new(PROGRAM);
    assert!(!has_failpoints(debug));
    let release = debug.with_file_name("../release/artifact-keeper");
    assert!(!release.exists() || !has_failpoints(&release));
}
