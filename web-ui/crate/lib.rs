//! The pages that people see in a browser, embedded into the binary.
//!
//! ```text
//! index.html         one page for every address; the scripts in it find the route
//! _app/immutable/…   named by their content: kept by browsers for ever
//! _app/…             the rest: asked for again each time
//! ```
//!
//! [`Site`] knows the path below which a reverse proxy publishes the server and writes it into `index.html`; nothing
//! else names it, for scripts and styles refer to each other relatively. It also writes the policy that the page is
//! sent with, which names the page's own inline scripts by their hashes.
//!
//! Compressed bodies are made when the pages are built. Sources: Content Security Policy Level 3 (hashes, trusted
//! types), RFC 9110 12.5.3 (`Accept-Encoding`).

mod encoding;
mod policy;

use std::borrow::Cow;

use encoding::Encoding;
use sha2::{Digest as _, Sha256};

#[cfg(feature = "bundle")]
mod bundle {
    /// What `build.rs` put there.
    #[derive(rust_embed::RustEmbed)]
    #[folder = "$OUT_DIR/dist"]
    pub(crate) struct Dist;
}

/// The page of a build without pages.
#[cfg(not(feature = "bundle"))]
const PLAIN: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Artifact Keeper</title>\n\
    <h1>Artifact Keeper</h1><p>This build has no web UI. The <a href=\"api/docs\">API</a> and the addresses of package \
    clients work.</p></html>\n";

/// A file as it is sent.
#[derive(Debug)]
pub struct File {
    /// Its media type.
    pub content_type: &'static str,
    /// The bytes, in the encoding.
    pub bytes: Cow<'static, [u8]>,
    /// `br` or `gzip`; `None` for the file as it is.
    pub encoding: Option<&'static str>,
    /// Whether there are other encodings of it.
    pub varies: bool,
    /// An entity tag, in its quotes; the encoding is part of it.
    pub etag: String,
    /// Whether the name changes with the content.
    pub immutable: bool,
}

/// The pages of a server that is reached below a path.
#[derive(Debug)]
pub struct Site {
    index: Vec<u8>,
    etag: String,
    policy: String,
}

impl Site {
    /// The pages below this path: empty, or like `/keeper` without a slash at its end.
    #[must_use]
    pub fn below(prefix: &str) -> Self {
        let index = index_page(prefix);
        let etag = etag(&Sha256::digest(index.as_bytes()), None);
        Self { etag, policy: policy::of(&index), index: index.into_bytes() }
    }

    /// The one page.
    #[must_use]
    pub fn index(&self) -> File {
        File {
            content_type: "text/html; charset=utf-8",
            bytes: Cow::Owned(self.index.clone()),
            encoding: None,
            varies: false,
            etag: self.etag.clone(),
            immutable: false,
        }
    }

    /// What the page may do: the value of `Content-Security-Policy`.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The file at this path (`/_app/…`), in the best encoding that the client takes.
    #[must_use]
    pub fn file(&self, path: &str, accept_encoding: Option<&str>) -> Option<File> {
        let name = path.strip_prefix('/').filter(|name| name.starts_with("_app/"))?;
        let plain = get(name)?;
        let better = Encoding::accepted(accept_encoding.unwrap_or(""));
        let (encoding, (bytes, hash)) = better
            .into_iter()
            .find_map(|encoding| Some((Some(encoding.name()), get(&format!("{name}.{}", encoding.ending()))?)))
            .unwrap_or((None, plain));
        Some(File {
            content_type: content_type(name),
            bytes,
            encoding,
            varies: get(&format!("{name}.{}", Encoding::Gzip.ending())).is_some(),
            etag: etag(&hash, encoding),
            immutable: name.starts_with("_app/immutable/"),
        })
    }
}

/// The bytes of an embedded file and their SHA-256.
#[cfg(feature = "bundle")]
fn get(name: &str) -> Option<(Cow<'static, [u8]>, [u8; 32])> {
    bundle::Dist::get(name).map(|file| (file.data, file.metadata.sha256_hash()))
}

#[cfg(not(feature = "bundle"))]
fn get(_name: &str) -> Option<(Cow<'static, [u8]>, [u8; 32])> {
    None
}

/// `index.html` with the prefix written into its addresses and into the base that the scripts start from.
#[cfg(feature = "bundle")]
fn index_page(prefix: &str) -> String {
    let (bytes, _) = get("index.html").unwrap_or_default();
    let page = String::from_utf8_lossy(&bytes);
    page.replace("\"/_app/", &format!("\"{prefix}/_app/")).replace("base: \"\"", &format!("base: \"{prefix}\""))
}

#[cfg(not(feature = "bundle"))]
fn index_page(_prefix: &str) -> String {
    PLAIN.to_owned()
}

fn etag(hash: &[u8], encoding: Option<&str>) -> String {
    let short = data_encoding::HEXLOWER.encode(&hash[..8]);
    encoding.map_or_else(|| format!("\"{short}\""), |encoding| format!("\"{short}-{encoding}\""))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(all(test, feature = "bundle"))]
mod tests {
    use super::*;

    /// The addresses in a text that begin with this.
    fn linked<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
        text.split('"').filter(|part| part.starts_with(begin)).collect()
    }

    #[test]
    fn all_that_the_page_links_is_embedded_and_lasts() {
        let site = Site::below("");
        let index = String::from_utf8_lossy(&site.index).into_owned();
        let links = linked(&index, "/_app/");
        assert!(links.len() > 3, "{index}");
        for link in links {
            let file = site.file(link, None).unwrap_or_else(|| panic!("{link} is linked and not embedded"));
            assert_eq!(file.immutable, link.contains("/immutable/"), "{link}");
        }
        assert!(site.file("/_app/../../etc/passwd", None).is_none());
        assert!(site.file("/index.html", None).is_none());
    }

    #[test]
    fn a_prefix_stands_before_every_address_of_the_page() {
        let (plain, below) = (Site::below(""), Site::below("/keeper"));
        let index = String::from_utf8_lossy(&below.index).into_owned();
        assert!(linked(&index, "/_app/").is_empty(), "{index}");
        assert_eq!(
            linked(&index, "/keeper/_app/").len(),
            linked(&String::from_utf8_lossy(&plain.index), "/_app/").len()
        );
        assert!(index.contains("base: \"/keeper\""), "{index}");
        assert_ne!(plain.policy, below.policy, "the hash of the inline script changes with it");
    }

    #[test]
    fn scripts_come_compressed_to_those_who_take_it() {
        let site = Site::below("");
        let index = String::from_utf8_lossy(&site.index).into_owned();
        let links = linked(&index, "/_app/immutable/").into_iter();
        let plain =
            links.filter_map(|link| Some((link, site.file(link, None)?))).max_by_key(|(_, file)| file.bytes.len());
        let (link, plain) = plain.expect("a script");
        let small = site.file(link, Some("gzip, deflate, br")).expect("the same script");
        assert_eq!((plain.encoding, small.encoding), (None, Some("br")));
        assert!(small.bytes.len() < plain.bytes.len() && plain.varies && small.etag != plain.etag);
    }

    #[test]
    fn the_policy_names_each_inline_script() {
        let site = Site::below("/below");
        let index = String::from_utf8_lossy(&site.index).into_owned();
        let inline = index.matches("<script>").count();
        assert!(inline > 0);
        assert_eq!(site.policy.matches("'sha256-").count(), inline + 1, "{}", site.policy);
    }
}

#[cfg(all(test, not(feature = "bundle")))]
mod tests {
    use super::Site;

    #[test]
    fn a_build_without_pages_has_one_page_that_says_so() {
        let site = Site::below("/keeper");
        assert!(String::from_utf8_lossy(&site.index().bytes).contains("This build has no web UI"));
        assert!(site.file("/_app/version.json", None).is_none());
        assert!(site.policy().contains("default-src 'none'"), "{}", site.policy());
    }
}
