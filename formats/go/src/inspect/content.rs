//! What the content of files tells: line ends, and git attributes that change what an archive holds.
//!
//! Bounds: [`SAMPLE_BYTES`] of a file, [`ATTRIBUTES_BYTES`] of [`ATTRIBUTES_FILES`].
//! Sources: `buffer_is_binary` of git.

use keeper_core::artifact::Warning;
use keeper_core::format::InspectError;

use super::warnings::{CRLF_TEXT, EXPORT_ATTRIBUTES, about, warning};
use crate::archive::contents::Contents;
use crate::archive::entry::Entry;
use crate::limits::{ATTRIBUTES_BYTES, ATTRIBUTES_FILES, SAMPLE_BYTES};

/// The line ends of all text files so far.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    has_crlf: bool,
    has_lf: bool,
}

impl LineEnds {
    /// Looks at the start of a file.
    pub(super) fn see(&mut self, start: &[u8]) {
        let sample = &start[..start.len().min(SAMPLE_BYTES)];
        // One plain line end settles it; most modules have it in their first file.
        if self.has_lf || sample.contains(&0) {
            return;
        }
        for (at, _) in sample.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            if at > 0 && sample[at - 1] == b'\r' {
                self.has_crlf = true;
            } else {
                self.has_lf = true;
            }
        }
    }

    /// What they are worth telling.
    pub(super) fn warning(&self) -> Option<Warning> {
        let text = "every text file has CRLF line ends: the archive was probably made with core.autocrlf=true, and its h1 differs from that of version control; archive with: git -c core.autocrlf=input -c core.eol=lf archive";
        (self.has_crlf && !self.has_lf).then(|| warning(CRLF_TEXT, text))
    }
}

/// Looks for attributes by which `git archive` changes or drops files, where Go's own use of it does not.
pub(super) fn attributes(entries: &[Entry], contents: &mut Contents<'_>) -> Result<Vec<Warning>, InspectError> {
    let files = entries.iter().filter(|entry| entry.is_file() && entry.base() == ".gitattributes");
    let mut warnings = Vec::new();
    for entry in files.take(ATTRIBUTES_FILES) {
        let text = match contents.read(entry, ATTRIBUTES_BYTES) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // A damaged one is told when it is copied, if it belongs to the module at all.
            Err(InspectError::Refused(_)) => continue,
            Err(fault) => return Err(fault),
        };
        let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let found: Vec<_> = ["export-ignore", "export-subst", "filter="]
            .into_iter()
            .filter(|word| lines().any(|line| line.contains(word)))
            .collect();
        if !found.is_empty() {
            let text = format!(
                "git attributes {}: the archive may differ from what Go makes of the same commit; for the command that gives the same see the documentation of publishing",
                found.join(", ")
            );
            warnings.push(about(EXPORT_ATTRIBUTES, &entry.name, text));
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crlf_is_told_only_if_all_text_has_it() {
        let table: [(&[&[u8]], bool); 7] = [
            (&[b"a\r\nb\r\n"], true),
            (&[b"a\r\n", b"no line end", b"bin\0\n"], true),
            (&[b"a\r\n", b"b\n"], false),
            (&[b"a\r\nb\n"], false),
            (&[b"\n"], false),
            (&[b""], false),
            (&[], false),
        ];
        for (files, expected) in table {
            let mut ends = LineEnds::default();
            files.iter().for_each(|file| ends.see(file));
            assert_eq!(ends.warning().is_some(), expected, "{files:?}");
        }
    }
}
