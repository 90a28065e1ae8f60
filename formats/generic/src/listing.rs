//! The folders of a repository as documents: packages, versions, files; as text, JSON or HTML.
//!
//! ```text
//! tool/                                 {"packages":["tool"],"next":null}
//! 1.2.0/                                {"package":"tool","versions":["1.2.0"]}
//! linux/tool.tar.gz                     {"package":"tool","version":"1.2.0","files":[{"path":…,"size":…,"sha256":…}]}
//! ```
//!
//! A page of packages has at most [`PACKAGES_SHOWN`]; the JSON says after which the next one begins.

use std::fmt::Write as _;

use keeper_core::artifact::{Coordinate, FileSummary, PackageName};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, IndexKey, RepositoryView};
use keeper_core::media_type::MediaType;
use keeper_core::path;
use serde_json::{Value, json};

use crate::error::{package_not_found, version_not_found};
use crate::names;

/// The listing of a repository.
pub const PACKAGES: &str = "packages";
/// The listing of a package.
pub const VERSIONS: &str = "versions";
/// The listing of a version.
pub const VERSION_FILES: &str = "files";

/// Packages on one page.
pub const PACKAGES_SHOWN: u32 = 1_000;

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One name a line.
    Text,
    /// For programs.
    Json,
    /// For browsers.
    Html,
}

impl Shape {
    /// The shape that an `Accept` header asks for first; text for those who take anything.
    #[must_use]
    pub fn of(accept: &str) -> Self {
        let mut asked = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
        let known = asked.find_map(|range| match range {
            "application/json" => Some(Self::Json),
            "text/html" => Some(Self::Html),
            "text/plain" | "text/*" | "*/*" => Some(Self::Text),
            _ => None,
        });
        known.unwrap_or(Self::Text)
    }

    /// The word in the keys of indexes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}

/// A folder: where it is, what it holds, and the same for programs.
struct Folder {
    title: String,
    /// Its own address, with a slash: that of the request may lack it, and relative links would go astray.
    address: String,
    entries: Vec<String>,
    /// The query of the next page.
    next: Option<String>,
    json: Value,
}

/// The document of a listing.
///
/// # Errors
/// An absent package or version, or trouble of the view.
pub(crate) async fn document(
    key: &IndexKey,
    package: Option<&PackageName>,
    view: &dyn RepositoryView,
) -> Result<Document, Failure> {
    let foreign = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("an index of another format");
    let (shape, about) = key.subject.split_once(':').ok_or_else(foreign)?;
    let folder = match (key.kind, package) {
        (PACKAGES, None) => packages(about, view).await?,
        (VERSIONS, Some(package)) => versions(package, view).await?,
        (VERSION_FILES, Some(package)) => files(package, about, view).await?,
        _ => return Err(foreign()),
    };
    Ok(match shape {
        "json" => Document::new(MediaType::JSON, folder.json.to_string()),
        "html" => Document::new(MediaType::HTML, folder.html()),
        _ => Document::new(MediaType::TEXT, folder.text()),
    })
}

async fn packages(after: &str, view: &dyn RepositoryView) -> Result<Folder, Failure> {
    let after = if after.is_empty() { None } else { PackageName::try_from(after).ok() };
    let page = view.packages(after.as_ref(), PACKAGES_SHOWN).await?;
    let names: Vec<_> = page.items.iter().map(PackageName::as_str).collect();
    let next = names.last().filter(|_| page.more).copied();
    Ok(Folder {
        title: format!("Packages in {}", view.repository()),
        address: format!("{}/", view.url()),
        json: json!({ "packages": names, "next": next }),
        next: next.map(|name| format!("?after={}", escape(name))),
        entries: names.iter().map(|name| format!("{name}/")).collect(),
    })
}

async fn versions(package: &PackageName, view: &dyn RepositoryView) -> Result<Folder, Failure> {
    let versions = view.versions(package).await?;
    let versions = versions.ok_or_else(|| package_not_found(package.as_str(), view.repository()))?;
    // The newest first, as people look for it.
    let names: Vec<_> = versions.iter().rev().map(|version| version.as_str()).collect();
    Ok(Folder {
        title: package.to_string(),
        address: format!("{}/{}/", view.url(), escape(package.as_str())),
        json: json!({ "package": package.as_str(), "versions": names }),
        next: None,
        entries: names.iter().map(|name| format!("{name}/")).collect(),
    })
}

async fn files(package: &PackageName, version: &str, view: &dyn RepositoryView) -> Result<Folder, Failure> {
    let all = view.files(package).await?;
    let files: Vec<_> = all.iter().filter(|file| file.version.as_str() == version).collect();
    if files.is_empty() {
        let version = names::version(version).map_err(|problem| Failure::new(&codes::NOT_FOUND, problem.detail))?;
        return Err(match view.versions(package).await? {
            None => package_not_found(package.as_str(), view.repository()),
            Some(_) => version_not_found(&Coordinate { package: package.clone(), version }, view.repository()),
        });
    }
    let told = |file: &&FileSummary| json!({ "path": file.name, "size": file.size, "sha256": file.digest.to_hex() });
    Ok(Folder {
        title: format!("{package} {version}"),
        address: format!("{}/{}/{}/", view.url(), escape(package.as_str()), escape(version)),
        json: json!({
            "package": package.as_str(), "version": version, "files": files.iter().map(told).collect::<Vec<_>>(),
        }),
        next: None,
        entries: files.iter().map(|file| file.name.clone()).collect(),
    })
}

impl Folder {
    fn text(&self) -> String {
        let mut text: String = self.entries.iter().flat_map(|entry| [entry.as_str(), "\n"]).collect();
        if let Some(next) = &self.next {
            text.extend(["# more: ", next, "\n"]);
        }
        text
    }

    fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<h1>{0}</h1>\n<ul>\n",
            text_of(&self.title)
        );
        for entry in &self.entries {
            let link: Vec<_> = entry.split('/').map(escape).collect();
            let _infallible =
                writeln!(html, "<li><a href=\"{}{}\">{}</a>", text_of(&self.address), link.join("/"), text_of(entry));
        }
        if let Some(next) = &self.next {
            let _infallible = writeln!(html, "<li><a href=\"{}{next}\">more</a>", text_of(&self.address));
        }
        html + "</ul>\n"
    }
}

/// A text inside HTML.
fn text_of(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A segment of an address.
fn escape(segment: &str) -> String {
    path::escape(segment, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_page_is_text_and_in_a_link_an_address() {
        let folder = Folder {
            title: "<x>".into(),
            address: "https://h/".into(),
            entries: vec!["a&b/c d".into()],
            next: None,
            json: Value::Null,
        };
        let html = folder.html();
        assert!(html.contains("<title>&lt;x&gt;</title>"), "{html}");
        assert!(html.contains("<a href=\"https://h/a%26b/c%20d\">a&amp;b/c d</a>"), "{html}");
        assert_eq!(folder.text(), "a&b/c d\n");
    }

    #[test]
    fn the_first_known_type_of_accept_decides() {
        for (accept, shape) in [
            ("", Shape::Text),
            ("*/*", Shape::Text),
            ("image/png", Shape::Text),
            ("application/json;q=0.9, text/html", Shape::Json),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Shape::Html),
        ] {
            assert_eq!(Shape::of(accept), shape, "{accept}");
        }
    }
}
