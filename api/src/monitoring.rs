//! Metrics: what is measured, where it is collected, and how it is shown.
//!
//! Code that measures holds handles of the `metrics` facade, made once: counting is an atomic addition and looks nothing
//! up. Values that somebody else keeps (the disk, the process, a queue's length) are read when somebody asks, in
//! [`Samples`]. Names, units and labels are in one table, [`METRICS`].
//!
//! Labels are words of ours and format keys, never a name that a user chose: the number of series is bounded by the
//! program and not by its content. One metric has the names of remote repositories ([`sources`]).
//!
//! *Units*: seconds and bytes, as Prometheus wants them. *Bounds*: samples of histograms are folded into their buckets
//! every [`FOLD_EVERY`], so what is collected between two scrapes does not grow.

mod catalog;
mod events;
mod process;
mod samples;
pub(crate) mod sources;

use std::time::Duration;

use metrics::{Gauge, Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use catalog::{Kind, METRICS, Metric};
pub use events::Counts;
pub use samples::{Samples, Sources};

/// How often the samples of histograms are folded.
const FOLD_EVERY: Duration = Duration::from_secs(2);

/// Bounds of durations in seconds: half a millisecond, which is an answer from memory, to the longest upload.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 3_600.0];
/// Bounds of sizes in bytes: 1 KiB to 1 GiB in steps of 4.
const BYTES: [f64; 11] = [
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];
/// Bounds of numbers of commands.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Everything that was measured so far. Clones are one and the same.
#[derive(Clone)]
pub struct Monitor {
    exporter: PrometheusHandle,
}

impl Monitor {
    /// Collects from now on; handles made before count for nothing. To be called once in a process, inside the runtime:
    /// another call leaves the first in place.
    ///
    /// # Errors
    /// Bounds that are none: a fault of this file.
    pub fn start() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?
            .set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS)?
            .build_recorder();
        describe(&recorder);
        let exporter = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("metrics were started twice");
        }
        tokio::spawn(fold(exporter.clone()));
        Ok(Self { exporter })
    }

    /// All of it, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.exporter.render()
    }
}

/// One more in a gauge, until it is dropped.
pub(crate) struct OneMore(Gauge);

impl OneMore {
    /// Counted from now on.
    pub(crate) fn in_(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

async fn fold(exporter: PrometheusHandle) {
    loop {
        tokio::time::sleep(FOLD_EVERY).await;
        exporter.run_upkeep();
    }
}

/// Tells the exporter what each metric is; those without labels are there from the start, with the value 0.
fn describe(recorder: &impl Recorder) {
    let metadata = Metadata::new(module_path!(), Level::INFO, None);
    for Metric { name, kind, labels, help } in METRICS {
        let (described, key) = ((*name).into(), Key::from_static_name(name));
        let exists = labels.is_empty();
        match kind {
            Kind::Counter => {
                recorder.describe_counter(described, None, (*help).into());
                let _there = exists.then(|| recorder.register_counter(&key, &metadata));
            }
            Kind::Gauge => recorder.describe_gauge(described, None, (*help).into()),
            Kind::Histogram => {
                recorder.describe_histogram(described, None, (*help).into());
                let _there = exists.then(|| recorder.register_histogram(&key, &metadata));
            }
        }
    }
}
