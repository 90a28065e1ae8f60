//! Counts what the services tell.

use keeper_core::events::{Contradiction, Event, Listener, RelayEnd, Served, Step};
use keeper_core::repository::FormatKey;
use metrics::{Counter, Histogram, counter, histogram};

/// Handles for all events, made once for the formats of this build.
pub struct Counts {
    from_memory: Counter,
    computed: Counter,
    formats: Vec<(FormatKey, OfFormat)>,
}

struct OfFormat {
    published: Counter,
    copied: Counter,
    copied_bytes: Counter,
    served: [Counter; Served::ALL.len()],
    relayed: [Counter; RelayEnd::ALL.len()],
    contradicted: [Counter; Contradiction::ALL.len()],
    deleted: Counter,
    steps: [Histogram; Step::ALL.len()],
}

impl Counts {
    /// Counts for these formats.
    #[must_use]
    pub fn new<'a>(formats: impl Iterator<Item = &'a FormatKey>) -> Self {
        let asked = |result: &'static str| counter!("keeper_answer_cache_requests_total", "result" => result);
        Self {
            from_memory: asked("hit"),
            computed: asked("miss"),
            formats: formats.map(|format| (format.clone(), OfFormat::new(format))).collect(),
        }
    }

    fn of(&self, format: &FormatKey) -> Option<&OfFormat> {
        self.formats.iter().find(|(known, _)| known == format).map(|(_, of)| of)
    }
}

impl OfFormat {
    fn new(format: &FormatKey) -> Self {
        let format = format.to_string();
        let step =
            |step: Step| histogram!("keeper_publish_step_seconds", "format" => format.clone(), "step" => step.as_str());
        Self {
            published: counter!("keeper_artifacts_published_total", "format" => format.clone()),
            copied: counter!("keeper_files_copied_total", "format" => format.clone()),
            copied_bytes: counter!("keeper_files_copied_bytes_total", "format" => format.clone()),
            served: Served::ALL.map(
                |by| counter!("keeper_remote_requests_total", "format" => format.clone(), "result" => by.as_str()),
            ),
            relayed: RelayEnd::ALL
                .map(|end| counter!("keeper_relays_total", "format" => format.clone(), "result" => end.as_str())),
            contradicted: Contradiction::ALL.map(|what| {
                counter!("keeper_upstream_contradictions_total", "format" => format.clone(), "what" => what.as_str())
            }),
            deleted: counter!("keeper_artifacts_deleted_total", "format" => format.clone()),
            steps: Step::ALL.map(step),
        }
    }
}

impl Listener for Counts {
    fn hear(&self, event: &Event<'_>) {
        match *event {
            Event::Answered { from_memory: true } => self.from_memory.increment(1),
            Event::Answered { from_memory: false } => self.computed.increment(1),
            Event::Step { format, step, took } => {
                if let Some(of) = self.of(format) {
                    of.steps[step as usize].record(took);
                }
            }
            Event::Published { repository, .. } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.published.increment(1);
                }
            }
            Event::Copied { repository, size_bytes, .. } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.copied.increment(1);
                    of.copied_bytes.increment(size_bytes);
                }
            }
            Event::Served { repository, served } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.served[served as usize].increment(1);
                }
            }
            Event::Relayed { repository, end } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.relayed[end as usize].increment(1);
                }
            }
            Event::Contradicted { repository, what } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.contradicted[what as usize].increment(1);
                }
            }
            Event::Deleted { repository, .. } => {
                if let Some(of) = self.of(&repository.address.format) {
                    of.deleted.increment(1);
                }
            }
        }
    }
}
