//! Pages for people and for `go get` without a proxy: computed here, the same for every content.
//!
//! ```text
//! /go/local               text: what this is and how to use it; also a health check
//! /x.y/z?go-get=1         <meta name="go-import" content="host/go/local mod https://host/go/local">
//! ```
//!
//! The import page leads a client that looks an import path up by itself (`GOPROXY=direct`, `GOPRIVATE`) to
//! this proxy, so modules named below the server's own host need no set-up. Its prefix has no port, because
//! an import path cannot have one.
//!
//! Sources: <https://go.dev/ref/mod#vcs-find>.

use std::fmt::Write as _;

use keeper_core::format::Document;
use keeper_core::media_type::MediaType;
use keeper_core::repository::RepositoryKind;

use crate::setup;

/// The text at the repository's own address.
#[must_use]
pub fn help(repository: &str, repository_url: &str, kind: RepositoryKind) -> Document {
    let proxy = setup::proxy_line(repository_url, kind);
    let text = format!(
        "Artifact Keeper: the Go modules of the repository \"{repository}\".\n\
         \n\
         Use them:     {proxy}\n\
         Private ones: go env -w GONOSUMDB={}\n\
         Versions:     {repository_url}/MODULE/@v/list\n",
        setup::EXAMPLE_PATTERN
    );
    Document::new(MediaType::TEXT, text)
}

/// The page that leads `go get` here.
#[must_use]
pub fn go_get(repository_url: &str) -> Document {
    let url = escaped(repository_url);
    let prefix = escaped(&import_prefix(repository_url));
    let page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">\
         <meta name=\"go-import\" content=\"{prefix} mod {url}\">\
         <title>{prefix}</title></head>\n\
         <body>Go modules are served at <code>GOPROXY={url}</code></body></html>\n"
    );
    Document::new(MediaType::HTML, page)
}

/// `host/go/local` of `https://host:8443/go/local`.
fn import_prefix(url: &str) -> String {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    // A colon inside the brackets of an IPv6 address is no port.
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if !port.contains(']') => bare,
        _ => host,
    };
    format!("{bare}{path}")
}

/// Text that stays text in HTML, also inside quotes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(html, "&#{};", u32::from(c));
            }
            plain => html.push(plain),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &Document) -> &str {
        std::str::from_utf8(&document.body).expect("UTF-8")
    }

    #[test]
    fn the_import_page_has_one_tag_that_names_this_proxy() {
        let rows = [
            ("https://host/go/r", "content=\"host/go/r mod https://host/go/r\""),
            ("https://host:8443/go/r", "content=\"host/go/r mod https://host:8443/go/r\""),
            ("http://[::1]:8080/go/r", "content=\"[::1]/go/r mod http://[::1]:8080/go/r\""),
            ("https://[::1]/go/r", "content=\"[::1]/go/r mod https://[::1]/go/r\""),
        ];
        for (url, wanted) in rows {
            let page = go_get(url);
            assert_eq!(page.media_type, MediaType::HTML);
            let (head, _) = text(&page).split_once("</head>").expect("a head");
            assert_eq!(head.matches("go-import").count(), 1);
            assert!(head.contains(wanted), "{head}");
        }
    }

    #[test]
    fn nothing_in_an_address_becomes_markup() {
        let page = go_get("https://h\"><script>'&/go/r");
        assert!(!text(&page).contains("<script>"));
        assert!(text(&page).contains("h&#34;&#62;&#60;script&#62;&#39;&#38;/go/r"), "{}", text(&page));
    }

    #[test]
    fn the_help_text_says_how_to_use_the_repository() {
        let page = help("local", "https://host/go/local", RepositoryKind::Hosted);
        assert_eq!(page.media_type, MediaType::TEXT);
        assert!(text(&page).contains("go env -w GOPROXY=https://host/go/local,direct\n"), "{}", text(&page));
        assert!(text(&page).contains("\"local\""));
    }
}
