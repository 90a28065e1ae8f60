//! Media types as they stand in `Content-Type`.
//!
//! A format states its own with `inventory::submit! { MediaType::of("application/vnd.example") }`; a stored
//! file of a type that nobody states is served as bytes.

/// A media type that a format states for its own files; static, so it can never carry a client's bytes into
/// a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaType(&'static str);

inventory::collect!(MediaType);

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

    /// A type of a format's own. It must also be submitted to `inventory` when files are stored under it.
    #[must_use]
    pub const fn of(text: &'static str) -> Self {
        Self(text)
    }

    const KNOWN: [Self; 5] = [Self::JSON, Self::TEXT, Self::HTML, Self::ZIP, Self::BYTES];

    /// The header value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The type a stored text names; an unknown one is served as bytes, which no browser renders.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        let mut known = Self::KNOWN.iter().chain(inventory::iter::<Self>);
        known.find(|known| known.0 == text).copied().unwrap_or(Self::BYTES)
    }

    /// Whether a content coding makes it smaller.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::JSON | Self::TEXT | Self::HTML)
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    inventory::submit! { MediaType::of("application/vnd.keeper.stated") }

    #[test]
    fn a_stored_type_is_one_that_somebody_states_or_plain_bytes() {
        for (stored, served) in [
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
            ("application/vnd.keeper.stated", "application/vnd.keeper.stated"),
            ("text/html; charset=evil", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(MediaType::stored(stored).as_str(), served);
        }
    }
}
