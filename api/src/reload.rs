//! SIGHUP: what of the configuration is taken up without a restart.
//!
//! That is the filter of the log. (Files of certificates are followed by those who use them.) Of everything else that
//! has changed the log says that it needs a restart; a configuration with faults changes nothing.

use tokio::signal::unix::Signal;

use crate::config::{Effective, Fault, Loaded};
use crate::logging;

type Load = Box<dyn Fn() -> Result<Loaded, Vec<Fault>> + Send + Sync>;

/// The configuration in use, and how it is read again.
pub struct Reload {
    effective: Vec<Effective>,
    load: Load,
}

impl Reload {
    /// With these settings in use.
    pub(crate) fn new(
        effective: Vec<Effective>,
        load: impl Fn() -> Result<Loaded, Vec<Fault>> + Send + Sync + 'static,
    ) -> Self {
        Self { effective, load: Box::new(load) }
    }

    /// Follows the signal for as long as the process lives.
    pub(crate) async fn follow(mut self, mut hang_up: Signal) {
        while hang_up.recv().await.is_some() {
            self.once();
        }
    }

    fn once(&mut self) {
        let loaded = match (self.load)() {
            Ok(loaded) => loaded,
            Err(faults) => {
                for fault in faults {
                    tracing::error!("SIGHUP: the configuration is not taken up: {fault}");
                }
                return;
            }
        };
        let changed = |name: &str| {
            let text = |all: &[Effective]| all.iter().find(|one| one.setting.name == name)?.text.clone();
            text(&self.effective) != text(&loaded.effective)
        };
        let (now, later): (Vec<_>, Vec<_>) = loaded
            .effective
            .iter()
            .map(|effective| effective.setting.name)
            .filter(|name| changed(name))
            .partition(|name| *name == "log");
        if !now.is_empty() && logging::set_filter(&loaded.config.log) {
            tracing::warn!(log = loaded.config.log, "SIGHUP: the log has another filter from now on");
            for effective in &mut self.effective {
                if effective.setting.name == "log" {
                    effective.text = Some(loaded.config.log.clone());
                }
            }
        }
        if later.is_empty() {
            tracing::info!("SIGHUP: other settings are as they were");
        } else {
            tracing::warn!("SIGHUP: to take up {} the server needs a restart", later.join(", "));
        }
    }
}
