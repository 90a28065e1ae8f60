//! Listings of several repositories made into one.
//!
//! ```text
//! text   tool/  zebra/  # more: ?after=zebra          one entry a line
//! html   <li><a href="https://h/generic/r/tool/">tool/</a>
//! json   {"packages":["tool","zebra"],"next":"zebra"}
//! ```
//!
//! All parts were written by [`listing`](crate::listing): an upstream is never asked for a listing, since no two file
//! servers write the same. Entries of the same name are one, the earlier part's. A page ends where the first of the
//! parts' pages ends, for what comes after may be missing from that part.
//!
//! Errors: `internal` for what is no listing.

use std::collections::BTreeMap;

use keeper_core::artifact::{PackageName, SortKey, VersionName};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, Gate, Route, Want};
use keeper_core::path;
use serde_json::{Value, json};

use crate::listing::{PACKAGES, VERSIONS};
use crate::order;

/// One listing of these, without versions that the gate does not admit.
///
/// # Errors
/// `not_found` without any part, `internal` for what is no listing.
pub(crate) fn merge(route: &Route, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
    let foreign = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("no listing of this format");
    let Want::Index(key) = &route.want else { return Err(foreign()) };
    let (shape, _) = key.subject.split_once(':').ok_or_else(foreign)?;
    let Some(first) = parts.first() else { return Err(Failure::new(&codes::NOT_FOUND, codes::NOT_FOUND.title)) };
    let read = |part: &Document| Listing::read(shape, std::str::from_utf8(&part.body).ok()?);
    let parts: Vec<Listing> = parts.iter().map(read).collect::<Option<_>>().ok_or_else(foreign)?;
    let mut joined = Joined::of(parts, key.kind == VERSIONS).ok_or_else(foreign)?;
    if let (VERSIONS, Some(package)) = (key.kind, &route.package) {
        joined.entries.retain(|_, entry| is_admitted(package, &entry.name, gate));
    }
    if key.kind == PACKAGES {
        joined.cut();
    }
    Ok(Document { body: joined.written().into(), ..first.clone() })
}

fn is_admitted(package: &PackageName, name: &str, gate: &dyn Gate) -> bool {
    VersionName::try_from(name.trim_end_matches('/')).is_ok_and(|version| gate.admit(package, &version).is_ok())
}

/// An entry: its name, and how the listing writes it.
struct Entry {
    name: String,
    written: Value,
}

/// What a listing has around its entries.
enum Frame {
    Text,
    Html {
        head: String,
        more: String,
    },
    /// The object, and the field of the entries.
    Json {
        object: Value,
        field: &'static str,
    },
}

struct Listing {
    frame: Frame,
    entries: Vec<Entry>,
    /// The last name of the page, when there are more pages.
    next: Option<String>,
}

const MORE: &str = "# more: ?after=";
const LIST: &str = "<ul>\n";
const LIST_END: &str = "</ul>\n";

impl Listing {
    fn read(shape: &str, text: &str) -> Option<Self> {
        match shape {
            "json" => Self::read_json(text),
            "html" => Self::read_html(text),
            _ => Self::read_text(text),
        }
    }

    fn read_text(text: &str) -> Option<Self> {
        let mut listing = Self { frame: Frame::Text, entries: Vec::new(), next: None };
        for line in text.lines() {
            match line.strip_prefix(MORE) {
                Some(next) => listing.next = Some(path::segment(next).ok()?.into_owned()),
                None => listing.entries.push(Entry { name: line.to_owned(), written: json!(line) }),
            }
        }
        Some(listing)
    }

    fn read_html(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once(LIST)?;
        let (mut entries, mut next, mut more) = (Vec::new(), None, String::new());
        for line in rest.strip_suffix(LIST_END)?.lines() {
            let (start, name) = line.strip_suffix("</a>")?.rsplit_once("\">")?;
            // An address of an entry has no question mark that is not encoded.
            match start.rsplit_once("?after=") {
                Some((before, name)) => {
                    more = format!("{before}?after=");
                    next = Some(path::segment(name).ok()?.into_owned());
                }
                None => entries.push(Entry { name: name.to_owned(), written: json!(line) }),
            }
        }
        Some(Self { frame: Frame::Html { head: head.to_owned(), more }, entries, next })
    }

    fn read_json(text: &str) -> Option<Self> {
        let mut object: Value = serde_json::from_str(text).ok()?;
        let field = ["packages", "versions", "files"].into_iter().find(|field| object.get(field).is_some())?;
        let Value::Array(entries) = object.get_mut(field)?.take() else { return None };
        let entry = |written: Value| {
            let name = written.as_str().or_else(|| written.get("path")?.as_str())?.to_owned();
            Some(Entry { name, written })
        };
        let next = object.get("next").and_then(Value::as_str).map(str::to_owned);
        let entries = entries.into_iter().map(entry).collect::<Option<_>>()?;
        Some(Self { frame: Frame::Json { object, field }, entries, next })
    }
}

/// The order of an entry: versions newest first, all else by name.
type Place = (std::cmp::Reverse<SortKey>, String);

struct Joined {
    frame: Frame,
    entries: BTreeMap<Place, Entry>,
    next: Option<String>,
}

impl Joined {
    /// `None` without parts.
    fn of(parts: Vec<Listing>, by_version: bool) -> Option<Self> {
        let next = parts.iter().filter_map(|part| part.next.clone()).min();
        let mut frames = Vec::with_capacity(parts.len());
        let mut entries = BTreeMap::new();
        for part in parts {
            for entry in part.entries {
                let name = entry.name.trim_end_matches('/');
                let key = if by_version { order::sort_key(name) } else { SortKey(Vec::new()) };
                entries.entry((std::cmp::Reverse(key), entry.name.clone())).or_insert(entry);
            }
            frames.push((part.next, part.frame));
        }
        // The page that ends first tells how the next one is addressed.
        let at = frames.iter().position(|(end, _)| next.is_some() && *end == next).unwrap_or(0);
        (!frames.is_empty()).then(|| Self { frame: frames.swap_remove(at).1, entries, next })
    }

    fn cut(&mut self) {
        if let Some(last) = &self.next {
            self.entries.retain(|_, entry| entry.name.trim_end_matches('/') <= last.as_str());
        }
    }

    fn written(self) -> String {
        let lines = |entries: BTreeMap<Place, Entry>| -> String {
            entries.into_values().filter_map(|entry| Some(format!("{}\n", entry.written.as_str()?))).collect()
        };
        let next = self.next.as_deref().map(|next| path::escape(next, b""));
        match self.frame {
            Frame::Text => lines(self.entries) + &next.map_or(String::new(), |next| format!("{MORE}{next}\n")),
            Frame::Html { head, more } => {
                let more = next.map_or(String::new(), |next| format!("{more}{next}\">more</a>\n"));
                format!("{head}{LIST}{}{more}{LIST_END}", lines(self.entries))
            }
            Frame::Json { mut object, field } => {
                object[field] = self.entries.into_values().map(|entry| entry.written).collect();
                if object.get("next").is_some() {
                    object["next"] = json!(self.next);
                }
                object.to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::format::{AdmitAll, FormatRequest};
    use keeper_core::media_type::MediaType;

    use super::*;

    fn merged(path: &str, accept: &str, parts: &[&str], gate: &dyn Gate) -> Result<String, &'static str> {
        let headers = [("accept", accept)];
        let request = FormatRequest { verb: "GET", path, query: "", headers: &headers, repository_url: "https://h/r" };
        let route = crate::route::route(&request).expect(path);
        let parts: Vec<_> = parts.iter().map(|body| Document::new(MediaType::TEXT, (*body).to_owned())).collect();
        let document = merge(&route, &parts, gate).map_err(|failure| failure.code().name)?;
        Ok(String::from_utf8(document.body.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn listings_are_joined_in_each_shape() {
        let rows: [(&str, &str, &[&str], &str); 9] = [
            ("/", "", &["a/\nc/\n", "b/\nc/\n"], "a/\nb/\nc/\n"),
            // A page ends where the first part's ends: the rest of that part may hold what sorts between.
            ("/", "", &["a/\nc/\n# more: ?after=c\n", "b/\nz/\n"], "a/\nb/\nc/\n# more: ?after=c\n"),
            ("/", "", &["a/\n", "b%2Bx/\n# more: ?after=b%2Bx\n"], "a/\nb%2Bx/\n# more: ?after=b%2Bx\n"),
            ("/t/", "", &["1.9/\n", "1.10/\n1.9/\n"], "1.10/\n1.9/\n"),
            ("/t/1/", "", &["x/b\nx/a\n", "x/a\n"], "x/a\nx/b\n"),
            (
                "/",
                "application/json",
                &[r#"{"next":null,"packages":["a"]}"#, r#"{"next":"b","packages":["b"]}"#],
                r#"{"next":"b","packages":["a","b"]}"#,
            ),
            (
                "/t/",
                "application/json",
                &[r#"{"package":"t","versions":["1.9"]}"#, r#"{"package":"t","versions":["1.10","1.9"]}"#],
                r#"{"package":"t","versions":["1.10","1.9"]}"#,
            ),
            (
                "/t/1/",
                "application/json",
                &[
                    r#"{"files":[{"path":"b","size":1}],"package":"t","version":"1"}"#,
                    r#"{"files":[{"path":"a","size":2},{"path":"b","size":3}],"package":"t","version":"1"}"#,
                ],
                r#"{"files":[{"path":"a","size":2},{"path":"b","size":1}],"package":"t","version":"1"}"#,
            ),
            (
                "/",
                "text/html",
                &[
                    "<h1>x</h1>\n<ul>\n<li><a href=\"https://h/r/b/\">b/</a>\n</ul>\n",
                    "<h1>x</h1>\n<ul>\n<li><a href=\"https://h/r/a/\">a/</a>\n<li><a href=\"https://h/r/?after=a\">more</a>\n</ul>\n",
                ],
                "<h1>x</h1>\n<ul>\n<li><a href=\"https://h/r/a/\">a/</a>\n<li><a href=\"https://h/r/?after=a\">more</a>\n</ul>\n",
            ),
        ];
        for (path, accept, parts, wanted) in rows {
            assert_eq!(merged(path, accept, parts, &AdmitAll), Ok(wanted.to_owned()), "{path} {accept}");
            assert_eq!(merged(path, accept, &[wanted], &AdmitAll), Ok(wanted.to_owned()), "{path} {accept}");
        }
    }

    #[test]
    fn what_is_no_listing_is_a_fault() {
        for (accept, body) in [("application/json", "{}"), ("application/json", "<a>"), ("text/html", "a/\n")] {
            assert_eq!(merged("/", accept, &[body], &AdmitAll), Err("internal"), "{accept} {body}");
        }
        assert_eq!(merged("/", "", &[], &AdmitAll), Err("not_found"));
    }

    #[test]
    fn versions_that_the_gate_refuses_are_left_out() {
        struct NotTwo;
        impl Gate for NotTwo {
            fn admit(&self, _package: &PackageName, version: &VersionName) -> Result<(), Failure> {
                if version.as_str() == "2" { Err(Failure::new(&codes::BLOCKED, "no")) } else { Ok(()) }
            }
        }
        assert_eq!(merged("/t/", "", &["3/\n2/\n1/\n"], &NotTwo), Ok("3/\n1/\n".to_owned()));
        assert_eq!(merged("/t/2/", "", &["x\n"], &NotTwo), Ok("x\n".to_owned()), "the platform guards the files");
    }
}
