//! Structured logs on stderr, as text for people or JSON for machines.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Libraries that say more than an operator wants to know, unless the filter names them.
const QUIET: &str =
    "sqlx=warn,sea_orm_migration=warn,rustls=warn,rustls_platform_verifier=warn,hyper=info,h2=info,reqwest=info";

/// Starts logging. The filter is known to parse; called once.
pub(crate) fn start(config: &Config) {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log)).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).try_init()
        }
    };
    if started.is_err() {
        tracing::warn!("logging was started twice");
    }
}
