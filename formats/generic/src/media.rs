//! What a file is served as, by the end of its name. Nothing here is rendered by browsers: the platform sends
//! every download with `nosniff` and a sandbox.

use keeper_core::media_type::MediaType;

const GZIP: MediaType = MediaType::of("application/gzip");
const XZ: MediaType = MediaType::of("application/x-xz");
const TAR: MediaType = MediaType::of("application/x-tar");
const PDF: MediaType = MediaType::of("application/pdf");

keeper_core::inventory::submit! { GZIP }
keeper_core::inventory::submit! { XZ }
keeper_core::inventory::submit! { TAR }
keeper_core::inventory::submit! { PDF }

const BY_EXTENSION: [(&str, MediaType); 13] = [
    ("zip", MediaType::ZIP),
    ("gz", GZIP),
    ("tgz", GZIP),
    ("xz", XZ),
    ("tar", TAR),
    ("pdf", PDF),
    ("json", MediaType::JSON),
    ("txt", MediaType::TEXT),
    ("md", MediaType::TEXT),
    ("sha256", MediaType::TEXT),
    ("asc", MediaType::TEXT),
    ("yaml", MediaType::TEXT),
    ("yml", MediaType::TEXT),
];

/// The type of a file of this name.
#[must_use]
pub fn of(name: &str) -> MediaType {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let known = BY_EXTENSION.iter().find(|(known, _)| *known == extension);
    known.map_or(MediaType::BYTES, |(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_decides_and_what_is_stored_comes_back() {
        for (name, expected) in [
            ("a.tar.GZ", "application/gzip"),
            ("b.html", "application/octet-stream"),
            ("c", "application/octet-stream"),
        ] {
            assert_eq!(of(name).as_str(), expected);
        }
        for (_, media_type) in BY_EXTENSION {
            assert_eq!(MediaType::stored(media_type.as_str()), media_type);
        }
    }
}
