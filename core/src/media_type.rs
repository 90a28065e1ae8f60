//! Media types as they stand in `Content-Type`.

/// A media type that a format states for its own files; static, so it can never carry a client's bytes into
/// a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaType(&'static str);

impl MediaType {
    /// JSON documents.
    pub const JSON: Self = Self("application/json");
    /// UTF-8 text.
    pub const TEXT: Self = Self("text/plain; charset=utf-8");
    /// UTF-8 HTML.
    pub const HTML: Self = Self("text/html; charset=utf-8");
    /// A zip archive.
    pub const ZIP: Self = Self("application/zip");
    /// Bytes of unknown meaning.
    pub const BYTES: Self = Self("application/octet-stream");

    const KNOWN: [Self; 5] = [Self::JSON, Self::TEXT, Self::HTML, Self::ZIP, Self::BYTES];

    /// The header value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The type a stored text names; an unknown one is served as bytes, which no browser renders.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.0 == text).unwrap_or(Self::BYTES)
    }

    /// Whether a content coding makes it smaller.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::JSON | Self::TEXT | Self::HTML)
    }
}
