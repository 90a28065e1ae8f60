//! What the system knows of this process.
//!
//! Sources: `proc(5)` for `/proc/self/stat` (fields counted from 1; the second, the program's name, is in parentheses
//! and may hold anything), `/proc/self/status` and `/proc/self/fd`. Times there are in ticks of [`TICKS_PER_SECOND`], which every Linux
//! shows to programs whatever the kernel's own clock is. What cannot be read is left out.

use std::fs;

use metrics::gauge;
use rustix::process::{Resource, getrlimit};

const TICKS_PER_SECOND: f64 = 100.0;

/// Sets the gauges of the process. Blocks for some file reads.
pub(super) fn sample() {
    if let Some(facts) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Facts::parse) {
        gauge!("process_cpu_seconds_total").set(facts.cpu_ticks / TICKS_PER_SECOND);
        gauge!("process_threads").set(facts.threads);
        if let Some(booted) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
            gauge!("process_start_time_seconds").set(booted + facts.start_ticks / TICKS_PER_SECOND);
        }
    }
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The one that lists them is among them.
        gauge!("process_open_fds").set(open.count().saturating_sub(1) as f64);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        gauge!("process_max_fds").set(limit as f64);
    }
}

#[derive(Debug, PartialEq)]
struct Facts {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
}

impl Facts {
    fn parse(stat: &str) -> Option<Self> {
        let (_, behind_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        // The first field behind the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, threads: field(20)?, start_ticks: field(22)? })
    }
}

/// `VmRSS:     1234 kB`, which are units of 1024 bytes.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok().map(|kibibytes: f64| kibibytes * 1024.0)
}

/// When the system started, in seconds since 1970.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_whatever_the_program_is_called() {
        let stat = "4711 (odd) name) 5) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 9 18 777 20";
        let facts = Facts { cpu_ticks: 200.0, threads: 9.0, start_ticks: 777.0 };
        assert_eq!(Facts::parse(stat), Some(facts));
        assert_eq!(Facts::parse("4711 (short) S 1"), None);
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(boot_time("cpu 1 2\nbtime 1732310430\n"), Some(1_732_310_430.0));
    }
}
