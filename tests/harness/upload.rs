//! `POST /api/artifacts`: with curl as the guide writes it, and without.
//!
//! ```text
//! curl -X POST -H "Authorization: Bearer …" -F "file=@m.zip" -F "format=go" -F "name=…" -F "version=…" …
//! ```

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::http;
use super::machine::Machine;
use super::server::{ADMIN_TOKEN, Server};

/// The answer to an upload.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its JSON.
    pub(crate) body: Value,
}

/// Uploads a file with curl, the way the guide writes it.
pub(crate) fn curl(machine: &Machine, server: &Server, archive: &Path, fields: &[(&str, &str)]) -> Answer {
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let mut forms = vec![format!("file=@{}", archive.display()), "format=go".to_owned()];
    forms.extend(fields.iter().map(|(name, value)| format!("{name}={value}")));
    let mut arguments = vec!["-sS", "-w", "\n%{http_code}", "-X", "POST", "-H", &authorization];
    arguments.extend(forms.iter().flat_map(|form| ["-F", form.as_str()]));
    let url = format!("{}/api/artifacts", server.url);
    arguments.push(&url);
    let finished = machine.run(&machine.work(), "curl", &arguments).succeeded();
    let (body, status) = finished.stdout().rsplit_once('\n').unwrap_or_else(|| panic!("no status: {finished}"));
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {finished}"));
    Answer { status: status.parse().unwrap_or_else(|error| panic!("{error}: {finished}")), body }
}

/// A form that is put together and sent.
pub(crate) struct Form {
    parts: Vec<(String, Option<&'static str>, Vec<u8>)>,
}

impl Form {
    /// A form with a Go module.
    pub(crate) fn go(archive: impl Into<Vec<u8>>) -> Self {
        let file = ("file".to_owned(), Some("module.zip"), archive.into());
        Self { parts: vec![file, ("format".to_owned(), None, b"go".to_vec())] }
    }

    /// The same form with a further field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.parts.push((name.to_owned(), None, value.into()));
        self
    }

    /// Sends it as the administrator.
    pub(crate) fn send(&self, server: &Server) -> Answer {
        self.send_to(&server.url)
    }

    /// The same to another address of the server.
    pub(crate) fn send_to(&self, url: &str) -> Answer {
        const BOUNDARY: &str = "tests-0c7e4d5b1f";
        let mut body = Vec::new();
        for (name, file_name, value) in &self.parts {
            let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let authorization = format!("Bearer {ADMIN_TOKEN}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", content_type.as_str())];
        let response = http::send("POST", &format!("{url}/api/artifacts"), &headers, &body);
        Answer { status: response.status, body: response.json() }
    }
}

impl Answer {
    /// It must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// A text of the answer: `name`, `code`.
    #[track_caller]
    pub(crate) fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or_else(|| panic!("there is no text {key} in {self}"))
    }

    /// The sum of its files: what is written to `go.sum`.
    #[track_caller]
    pub(crate) fn h1(&self) -> &str {
        self.sum("h1")
    }

    /// The sum of its `go.mod`.
    #[track_caller]
    pub(crate) fn go_mod_h1(&self) -> &str {
        self.sum("go.mod h1")
    }

    #[track_caller]
    fn sum(&self, key: &str) -> &str {
        self.body["checksums"][key].as_str().unwrap_or_else(|| panic!("there is no sum {key} in {self}"))
    }

    /// The codes of its warnings, in order.
    #[track_caller]
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warnings = self.body["warnings"].as_array().unwrap_or_else(|| panic!("there are no warnings in {self}"));
        warnings.iter().map(|warning| warning["code"].as_str().expect("a code")).collect()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#}", self.status, self.body)
    }
}
