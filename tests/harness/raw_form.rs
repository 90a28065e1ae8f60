//! Upload forms as bytes, also such as no program would send.
//!
//! ```text
//! --tests-0c7e4d5b1f                                        what `part` is given: the lines of its head
//! Content-Disposition: form-data; name="format"
//!
//! go                                                        and its content
//! --tests-0c7e4d5b1f--                                      only if it is `finished`
//! ```

use super::http::{self, Response};
use super::server::{ADMIN_TOKEN, Server};

/// What stands between the parts.
pub(crate) const BOUNDARY: &str = "tests-0c7e4d5b1f";

/// A form in the making.
#[derive(Clone, Default)]
pub(crate) struct RawForm(Vec<u8>);

impl RawForm {
    /// A form with the fields of a Go module but for the file.
    pub(crate) fn module(name: &str, version: &str) -> Self {
        Self::of("go", name, version)
    }

    /// The same of another format.
    pub(crate) fn of(format: &str, name: &str, version: &str) -> Self {
        Self::default().text("format", format).text("name", name).text("version", version)
    }

    /// Adds a part with this head (without its last line end) and content.
    pub(crate) fn part(mut self, head: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        for piece in [b"--", BOUNDARY.as_bytes(), b"\r\n", head.as_ref(), b"\r\n\r\n", content.as_ref(), b"\r\n"] {
            self.0.extend_from_slice(piece);
        }
        self
    }

    /// Adds a field.
    pub(crate) fn text(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.part(format!("Content-Disposition: form-data; name=\"{name}\""), value)
    }

    /// Adds the file.
    pub(crate) fn file(self, content: impl AsRef<[u8]>) -> Self {
        self.part("Content-Disposition: form-data; name=\"file\"; filename=\"module.zip\"", content)
    }

    /// The bytes up to here, without the end of the form.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.0
    }

    /// The whole form.
    pub(crate) fn finished(self) -> Vec<u8> {
        [self.0, format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
    }

    /// Sends the whole form as the administrator.
    pub(crate) fn send(self, server: &Server) -> Response {
        post(server, &content_type(), &self.finished())
    }
}

/// The content type of these forms.
pub(crate) fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// Posts a body of this type, if any, to the artifacts as the administrator.
pub(crate) fn post(server: &Server, content_type: &str, body: &[u8]) -> Response {
    let authorization = format!("Bearer {ADMIN_TOKEN}");
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend((!content_type.is_empty()).then_some(("Content-Type", content_type)));
    http::send("POST", &format!("{}/api/artifacts", server.url), &headers, body)
}

/// The head of an upload of this form, to be sent by hand; `framing` says how the body will come.
pub(crate) fn head(server: &Server, token: &str, framing: &str) -> String {
    format!(
        "POST /api/artifacts HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: {}\r\n{framing}\r\n\r\n",
        server.host(),
        content_type()
    )
}
