//! Archives written byte by byte: what is refused, and what becomes of the others.
//!
//! ```text
//! refused    archives that are none, or not one
//! claimed    archives that contradict what is said of them, and bad names and versions
//! names      what a file in a module may be called
//! accepted   archives that look odd and are fine: their sums, their files, their warnings
//! large      what is too large, and how little of it is looked at
//! ```
//!
//! Letters and numbers only name the rows. Each refusal but the large ones is
//! asked for twice, the second time as a dry run (E24), and must be the same.

// One way to write such zips is enough; the unit tests of the Go format need it, too.
#[path = "../formats/go/src/inspect/raw_zip.rs"]
mod raw_zip;

mod accepted;
mod claimed;
mod large;
mod names;
mod refused;

use raw_zip::{RawEntry, RawZip};

use crate::harness::http::Response;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::Server;

/// An upload that is refused; of the module `example.com/m` and version `v1.0.0` unless said.
struct Refusal {
    row: String,
    fields: Vec<(&'static str, String)>,
    archive: Vec<u8>,
    status: u16,
    codes: Vec<&'static str>,
    says: Vec<String>,
}

impl Refusal {
    /// An upload that is refused with 422 and these codes, separated by blanks.
    fn new(row: impl Into<String>, archive: Vec<u8>, codes: &'static str) -> Self {
        let fields = [("name", "example.com/m"), ("version", "v1.0.0")];
        Self {
            row: row.into(),
            fields: fields.map(|(field, value)| (field, value.to_owned())).into(),
            archive,
            status: 422,
            codes: codes.split(' ').collect(),
            says: Vec::new(),
        }
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets a field, or leaves it out if there is no value.
    fn field(mut self, field: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| *known != field);
        self.fields.extend((!value.is_empty()).then(|| (field, value.to_owned())));
        self
    }

    /// The document has this text.
    fn says(mut self, text: &str) -> Self {
        self.says.push(text.to_owned());
        self
    }

    fn form(&self) -> RawForm {
        let form = RawForm::default().text("format", "go");
        self.fields.iter().fold(form, |form, (field, value)| form.text(field, value)).file(&self.archive)
    }

    fn check(&self, server: &Server, refusals: &Refusals<'_>) {
        self.check_once(server, refusals);
        let dry_run = self.form().text("dry_run", "true").send(server);
        self.judge(&format!("{} (dry run)", self.row), &dry_run, refusals);
    }

    fn check_once(&self, server: &Server, refusals: &Refusals<'_>) {
        self.judge(&self.row, &self.form().send(server), refusals);
    }

    fn judge(&self, row: &str, answer: &Response, refusals: &Refusals<'_>) {
        let document = refusals.api(row, answer, self.status, &self.codes);
        let shown = document.to_string();
        for text in &self.says {
            assert!(shown.contains(text), "{row}: {text:?} is not in {document:#}");
        }
    }
}

/// All of them, one after the other on one server.
fn refuse_all(cases: impl IntoIterator<Item = Refusal>) {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    cases.into_iter().for_each(|case| case.check(&server, &refusals));
}

fn file(name: impl AsRef<[u8]>) -> RawEntry {
    RawEntry::new(name.as_ref(), "package m\n")
}

fn go_mod(text: &str) -> RawEntry {
    RawEntry::new("go.mod", text)
}

/// An archive of `example.com/m` with these entries beside its `go.mod`.
fn module(entries: impl IntoIterator<Item = RawEntry>) -> RawZip {
    RawZip::of([go_mod("module example.com/m\n")].into_iter().chain(entries))
}
