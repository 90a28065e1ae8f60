//! Which compressed body a client takes.

/// An encoding that files were compressed with when the pages were built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// Those that an `Accept-Encoding` names, the smaller bodies first; a quality of 0 is a refusal.
    pub(crate) fn accepted(header: &str) -> Vec<Self> {
        let takes = |encoding: &Self| {
            header.split(',').any(|part| {
                let mut words = part.split(';').map(str::trim);
                let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding.name()));
                let refused = words.any(|word| {
                    word.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
                });
                named && !refused
            })
        };
        [Self::Brotli, Self::Gzip].into_iter().filter(takes).collect()
    }

    /// Its name in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The ending of the files in it.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding::{self, Brotli, Gzip};

    #[test]
    fn what_is_named_and_not_refused_is_accepted() {
        let cases: [(&str, &[Encoding]); 7] = [
            ("", &[]),
            ("identity", &[]),
            ("gzip", &[Gzip]),
            ("gzip, deflate, BR", &[Brotli, Gzip]),
            ("br;q=0, gzip;q=0.5", &[Gzip]),
            ("br; q=0.000", &[]),
            ("brotli, x-gzip", &[]),
        ];
        for (header, expected) in cases {
            assert_eq!(Encoding::accepted(header), expected, "{header}");
        }
    }
}
