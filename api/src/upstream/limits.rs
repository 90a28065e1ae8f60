//! The bounds of outgoing requests.

use std::time::Duration;

/// How long, how slow, how often.
#[derive(Debug, Clone)]
pub struct UpstreamLimits {
    /// For the name look-up, the connection and TLS.
    pub connect_timeout: Duration,
    /// For a document of an authority, all redirects and the wait for a turn together.
    pub authority_timeout: Duration,
    /// From a question to the head of its answer: a public proxy makes a module it has never seen while we wait.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
    /// For one attempt, from the question to the last byte.
    pub total_timeout: Duration,
    /// The least rate of a body, measured over [`rate_window`](Self::rate_window) of waiting for it.
    pub min_bytes_per_second: u64,
    /// How long a body may be slower than that.
    pub rate_window: Duration,
    /// Redirects of one request.
    pub redirects: usize,
    /// Requests to one authority's host at once; the others wait within their time.
    pub per_host: usize,
    /// Repetitions of one request, before any byte of an answer.
    pub retries: u32,
    /// The waits between them: the shortest, and the longest.
    pub retry_waits: (Duration, Duration),
    /// The longest wait that an upstream may ask for and get; it asks those who come for more to come later.
    pub patience: Duration,
    /// So many failures within [`failure_window`](Self::failure_window), and an upstream is left alone.
    pub failures: usize,
    /// See [`failures`](Self::failures).
    pub failure_window: Duration,
    /// For how long it is left alone; then one request tries.
    pub rest: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            authority_timeout: Duration::from_secs(30),
            first_byte_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(15 * 60),
            min_bytes_per_second: 1024,
            rate_window: Duration::from_secs(30),
            redirects: 5,
            per_host: 32,
            retries: 2,
            retry_waits: (Duration::from_millis(100), Duration::from_secs(2)),
            patience: Duration::from_secs(5),
            failures: 5,
            failure_window: Duration::from_secs(30),
            rest: Duration::from_secs(30),
        }
    }
}
