//! All metrics: the page `docs/monitoring.md`, the dashboard and the alert rules are held to this table by a test.

/// What a metric's value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 at start.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations in buckets, with their number and sum.
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name; the unit is its last word, before `total`.
    pub name: &'static str,
    /// What its value does.
    pub kind: Kind,
    /// Its labels, whose values are words of this program.
    pub labels: &'static [&'static str],
    /// What it is, one sentence.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

/// All metrics, by what they are about.
pub static METRICS: &[Metric] = &[
    counter("keeper_http_requests_total", &["format", "class", "status"], "Requests answered"),
    counter("keeper_http_response_bytes_total", &["format", "class"], "Bytes of bodies sent"),
    counter("keeper_http_request_bytes_total", &[], "Bytes of bodies received"),
    gauge("keeper_http_requests_in_flight", &[], "Requests whose answer is not yet sent whole"),
    histogram("keeper_http_response_start_seconds", &["class"], "Time from a request to the head of its answer"),
    histogram("keeper_http_request_duration_seconds", &["class"], "Time from a request to the last byte of its answer"),
    histogram("keeper_http_response_size_bytes", &["class"], "Sizes of the bodies sent"),
    counter("keeper_denials_total", &["action"], "Failed logins and refused changes, as the audit counts them"),
    counter("keeper_answer_cache_requests_total", &["result"], "Reads that asked the answers kept in memory"),
    counter(
        "keeper_credential_cache_requests_total",
        &["result"],
        "Credentials looked for among those verified lately",
    ),
    counter("keeper_artifacts_published_total", &["format"], "New versions"),
    counter(
        "keeper_remote_requests_total",
        &["format", "result"],
        "Reads of remote repositories that memory did not answer, by what did",
    ),
    counter(
        "keeper_relays_total",
        &["format", "result"],
        "Files given out while they came from an upstream, by their end",
    ),
    counter(
        "keeper_upstream_contradictions_total",
        &["format", "what"],
        "What upstreams have otherwise than before, or than somebody vouches for",
    ),
    counter("keeper_files_copied_total", &["format"], "Files that came from an upstream and are kept"),
    counter("keeper_files_copied_bytes_total", &["format"], "Bytes of files that came from an upstream and are kept"),
    counter("keeper_artifacts_deleted_total", &["format"], "Versions that became tombstones"),
    histogram("keeper_publish_step_seconds", &["format", "step"], "Time of each step of a publication"),
    gauge("keeper_uploads", &["state"], "Uploads that run, and that wait for their turn"),
    gauge("keeper_writer_queue_commands", &[], "Changes that wait for the database's writer"),
    histogram("keeper_writer_wait_seconds", &[], "Time a change waited for the database's writer"),
    histogram("keeper_writer_group_commands", &[], "Changes in one transaction"),
    histogram("keeper_writer_transaction_seconds", &[], "Time of one transaction with all its changes, durable"),
    counter("keeper_writer_lost_groups_total", &[], "Transactions that failed, with all their changes"),
    gauge("keeper_database_log_bytes", &[], "Bytes of SQLite's write-ahead log; above 1 GiB changes are refused"),
    gauge("keeper_database_readers", &["state"], "Connections of the database's readers, busy and idle"),
    gauge("keeper_blob_jobs", &["lane", "state"], "Jobs on the disk that run, and that wait for their turn"),
    counter("keeper_blobs_written_total", &[], "Blobs made durable"),
    counter("keeper_blob_bytes_written_total", &[], "Bytes of blobs made durable"),
    counter("keeper_scrubbed_bytes_total", &[], "Bytes of stored files read again in the background"),
    counter("keeper_blob_findings_total", &[], "Blobs found missing or damaged in the background"),
    counter("keeper_blob_faults_total", &[], "Blobs found missing or damaged when they were read"),
    counter("keeper_upstream_requests_total", &["outcome"], "Requests to upstreams and authorities"),
    counter("keeper_upstream_bytes_total", &[], "Bytes of bodies received from upstreams"),
    counter("keeper_upstream_retries_total", &[], "Requests to upstreams that were repeated after trouble"),
    gauge("keeper_upstreams_resting", &[], "Upstreams that are left alone after repeated trouble"),
    gauge(
        "keeper_upstream_source_resting",
        &["format", "repository", "source"],
        "Whether a source of a remote repository is left alone (1) or not (0), by its place in the chain",
    ),
    histogram("keeper_upstream_request_duration_seconds", &[], "Time of a request to an upstream or authority"),
    counter("keeper_background_panics_total", &[], "Times that a background task panicked and was begun again"),
    counter("keeper_audit_failures_total", &[], "Times that rows of the audit could not be written or sealed at once"),
    gauge("keeper_tokens_expiring", &["within"], "Live tokens that end soon"),
    gauge("keeper_tls_certificate_expiry_seconds", &[], "Time until the TLS certificate ends; negative when it has"),
    gauge("keeper_tls_reload_failures", &[], "Changed certificates that could not be used since the start"),
    gauge("keeper_disk_free_bytes", &[], "Space left on the disk of the data folder, for this process"),
    gauge("keeper_disk_size_bytes", &[], "Size of the disk of the data folder"),
    gauge("keeper_build_info", &["version"], "Always 1; the version is its label"),
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970"),
    gauge("process_cpu_seconds_total", &[], "Processor time used"),
    gauge("process_resident_memory_bytes", &[], "Memory in use"),
    gauge("process_open_fds", &[], "Open file descriptors"),
    gauge("process_max_fds", &[], "File descriptors that the process may open"),
    gauge("process_threads", &[], "Threads"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for Metric { name, kind, help, .. } in METRICS {
            let ours = name.starts_with("keeper_");
            assert!(ours || name.starts_with("process_"), "{name}");
            assert!(!ours || name.ends_with("_total") == (*kind == Kind::Counter), "{name}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}");
        }
    }
}
