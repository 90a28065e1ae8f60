//! Structured logs on stderr, as text for people or JSON for machines.
//!
//! Every line passes [`Line`] on its way out: what looks like a token is cut to its visible part, whoever logged it, and
//! in text nothing that a caller sent can end a line, move the cursor or turn the direction of reading.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;

use keeper_core::redaction::redact;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Config, LogFormat};

/// Libraries that say more than an operator wants to know, unless the filter names them.
const QUIET: &str =
    "sqlx=warn,sea_orm_migration=warn,rustls=warn,rustls_platform_verifier=warn,hyper=info,h2=info,reqwest=info";

/// Puts another filter in the place of the one in use.
type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;
static CHANGE: OnceLock<Change> = OnceLock::new();

fn filter(log: &str) -> EnvFilter {
    EnvFilter::try_new(format!("{QUIET},{log}")).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Logs by another filter from now on; `false` when that cannot be done. The filter is known to parse.
pub(crate) fn set_filter(log: &str) -> bool {
    CHANGE.get().is_some_and(|change| change(filter(log)))
}

/// Starts logging. The filter is known to parse; called once.
pub(crate) fn start(config: &Config) {
    let colours = config.log_format == LogFormat::Text && io::IsTerminal::is_terminal(&io::stderr());
    let lines = match (config.log_format, colours) {
        (LogFormat::Json, _) => Lines::Json,
        (LogFormat::Text, false) => Lines::Text,
        (LogFormat::Text, true) => Lines::Colours,
    };
    let builder = tracing_subscriber::fmt().with_writer(lines).with_target(false);
    let (started, change): (_, Change) = match config.log_format {
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(true).with_span_list(false);
            let builder = builder.with_env_filter(filter(&config.log)).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), Box::new(move |filter: EnvFilter| handle.reload(filter).is_ok()))
        }
        LogFormat::Text => {
            let builder = builder.with_ansi(colours).with_env_filter(filter(&config.log)).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), Box::new(move |filter: EnvFilter| handle.reload(filter).is_ok()))
        }
    };
    let _set_once = CHANGE.set(change);
    if started.is_err() {
        tracing::warn!("logging was started twice");
    }
}

/// How lines look, and so what may stand in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// The format escapes control characters itself.
    Json,
    /// Nothing but letters.
    Text,
    /// Letters and the escapes that colour them; those that a value holds are escaped by the formatter.
    Colours,
}

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(*self)
    }
}

/// One line on its way to stderr; the formatter hands it over in one piece.
struct Line(Lines);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let safe = self.0.safe(&text);
        io::stderr().lock().write_all(safe.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl Lines {
    fn safe<'a>(self, line: &'a str) -> Cow<'a, str> {
        let line = redact(line);
        let (text, end) = match line.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (&*line, ""),
        };
        let harmless = |c: char| self.lets_through(c);
        if self == Self::Json || text.chars().all(harmless) {
            return line;
        }
        let mut escaped = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if harmless(c) {
                escaped.push(c);
            } else {
                escaped.extend(c.escape_unicode());
            }
        }
        Cow::Owned(escaped + end)
    }

    fn lets_through(self, c: char) -> bool {
        let turns =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        let colours = self == Self::Colours && c == '\u{1b}';
        colours || !(c.is_control() || turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_a_line_or_write_to_the_terminal() {
        let rows = [
            (Lines::Text, "a plain line, ünïcode\n", "a plain line, ünïcode\n"),
            (Lines::Text, "forged\n2026-11-22 ERROR x\n", "forged\\u{a}2026-11-22 ERROR x\n"),
            (Lines::Text, "\u{1b}[31mred\u{202e}\n", "\\u{1b}[31mred\\u{202e}\n"),
            (Lines::Colours, "\u{1b}[31mred\u{1b}[0m\r\n", "\u{1b}[31mred\u{1b}[0m\\u{d}\n"),
            (Lines::Json, "{\"a\":\"\\u001b\"}\n", "{\"a\":\"\\u001b\"}\n"),
        ];
        for (lines, given, expected) in rows {
            assert_eq!(lines.safe(given), expected, "{given:?}");
        }
    }

    #[test]
    fn no_line_holds_a_token() {
        let token = "akp_0123456789ABCDEFGHIJabcdefghijKLMNop";
        for lines in [Lines::Json, Lines::Text, Lines::Colours] {
            assert_eq!(lines.safe(&format!("x=\"{token}\"\n")), "x=\"akp_0123…\"\n");
        }
    }
}
