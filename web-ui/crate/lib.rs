//! The pages that people see in a browser, embedded into the binary.
//!
//! Today: one plain page that shows how to set up a client, the repositories and the newest artifacts, all
//! through the public API. Its colours (`theme.css`) are those of the API's documentation, too. Paths are exact; anything else is not a page.

const FILES: [(&str, &str, &[u8]); 5] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../page/index.html")),
    ("/_app/page.js", "text/javascript; charset=utf-8", include_bytes!("../page/page.js")),
    ("/_app/theme.css", "text/css; charset=utf-8", include_bytes!("../page/theme.css")),
    ("/_app/page.css", "text/css; charset=utf-8", include_bytes!("../page/page.css")),
    ("/favicon.svg", "image/svg+xml", include_bytes!("../page/favicon.svg")),
];

/// The media type and bytes of the file at this path.
#[must_use]
pub fn file(path: &str) -> Option<(&'static str, &'static [u8])> {
    FILES.iter().find(|(at, _, _)| *at == path).map(|(_, media_type, bytes)| (*media_type, *bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_all_that_it_links_are_embedded() {
        let (_, page) = file("/").expect("the page");
        let page = String::from_utf8_lossy(page);
        for linked in page.split('"').filter(|text| text.starts_with("/_app/") || text.starts_with("/favicon")) {
            assert!(file(linked).is_some(), "{linked} is linked and not embedded");
        }
        assert!(file("/../etc/passwd").is_none());
    }
}
