//! The output of `go env -json`: an object of texts. A part of it (`go env -json GOPROXY GONOPROXY`) will do, as long
//! as GOPROXY is in it; what is missing is not judged.

use std::collections::BTreeMap;

use keeper_core::error::{Failure, codes};
use keeper_core::format::template::shell_word;

use crate::setup::write_line;

/// What a client reports.
pub(super) struct Report(BTreeMap<String, String>);

impl Report {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |detail: &str| {
            Failure::new(&codes::INVALID_FIELD, detail).hint("Send what 'go env -json' prints, as it is.")
        };
        let settings: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|_| refused("the report is not the output of go env -json"))?;
        if !settings.contains_key("GOPROXY") {
            return Err(refused("the report does not name GOPROXY"));
        }
        Ok(Self(settings))
    }

    /// The value of a setting, if it was reported.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a setting; nothing if it was not reported.
    pub(super) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Commands that give a setting this value from now on.
    pub(super) fn keep(&self, name: &str, value: &str) -> Vec<String> {
        if self.keeps_nothing() {
            return vec![format!("export {name}={}", shell_word(value))];
        }
        vec![format!("unset {name}"), write_line(name, value)]
    }

    /// Commands that take a setting back to what Go comes with.
    pub(super) fn reset(&self, name: &str) -> Vec<String> {
        let mut commands = vec![format!("unset {name}")];
        if !self.keeps_nothing() {
            commands.push(format!("go env -u {name}"));
        }
        commands
    }

    /// With GOENV=off there is no file that `go env -w` could write to.
    fn keeps_nothing(&self) -> bool {
        self.value("GOENV") == "off"
    }
}
