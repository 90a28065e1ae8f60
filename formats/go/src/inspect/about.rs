//! What a module tells people about itself: the synopsis of its root package, or else the first paragraph of its
//! README; the names of its packages; where the README is; under which licences it is.
//!
//! ```text
//! // Package ring has a circular buffer. It is …        ring has a circular buffer.
//! package ring
//! ```
//!
//! Only the first piece of a file is looked at, which goes by anyway while the zip is written. Of several files
//! with a comment `doc.go` wins, then the first in the archive.
//! Sources: `(*Package).Synopsis` in `go/doc` (go 1.26), which also passes over notices of copyright.

use std::collections::BTreeSet;

use keeper_core::catalog::{About, ReadmeEntry};

use super::license;
use super::metadata::{Metadata, is_license};

/// Bytes at the start of a file that are looked at: long licences stand there too.
const START_BYTES: usize = 32 * 1024;

/// Collects, while the files go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Introduction {
    synopsis: Option<String>,
    is_from_doc: bool,
    readme: Option<(String, String)>,
    licenses: BTreeSet<String>,
}

impl Introduction {
    /// Looks at the start of a file of the module.
    pub(super) fn see(&mut self, name: &str, start: &[u8], readme: Option<&str>) {
        let text = || String::from_utf8_lossy(&start[..start.len().min(START_BYTES)]).into_owned();
        if readme == Some(name) {
            self.readme = Some((name.to_owned(), text()));
        }
        if !name.contains('/') && is_license(name) {
            self.licenses.insert(license::named(&text()).unwrap_or_else(|| license::UNKNOWN.to_owned()));
        }
        let is_source = name.ends_with(".go") && !name.ends_with("_test.go") && !name.contains('/');
        if is_source
            && (self.synopsis.is_none() || (name == "doc.go" && !self.is_from_doc))
            && let Some(synopsis) = synopsis(&text())
        {
            self.synopsis = Some(synopsis);
            self.is_from_doc = name == "doc.go";
        }
    }

    /// What was found; `zip` is the name of the file that has the module's files below `root`.
    pub(super) fn about(self, metadata: &Metadata, module: &str, zip: String, root: &str) -> About {
        let paragraph = self.readme.as_ref().and_then(|(_, text)| first_paragraph(text));
        let below = |path: &String| path.strip_prefix(module)?.strip_prefix('/').map(str::to_owned);
        let is_for_others = |path: &String| !path.split('/').any(|element| element == "internal");
        let last = |path: String| path.rsplit('/').next().map(str::to_owned);
        let mut keywords: Vec<_> =
            metadata.packages.iter().filter_map(below).filter(is_for_others).filter_map(last).collect();
        keywords.sort_unstable();
        keywords.dedup();
        let entry = |name: String| ReadmeEntry { file: zip, entry: format!("{root}{name}") };
        About {
            description: self.synopsis.or(paragraph).unwrap_or_default(),
            keywords,
            readme: self.readme.map(|(name, _)| entry(name)),
            license: Some(self.licenses.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The first sentence of the comment right before the package clause.
fn synopsis(source: &str) -> Option<String> {
    let mut comment = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("//") {
            comment.push_str(text.strip_prefix(' ').unwrap_or(text));
            comment.push('\n');
        } else if let Some(text) = line.strip_prefix("/*") {
            comment = block(text, &mut lines);
        } else if line.starts_with("package ") {
            return first_sentence(&comment);
        } else if line.is_empty() {
            comment.clear();
        } else {
            return None;
        }
    }
    None
}

/// The text of a comment up to its end.
fn block<'a>(first: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> String {
    let mut comment = String::new();
    for line in std::iter::once(first).chain(rest) {
        match line.split_once("*/") {
            Some((last, _)) => {
                comment.push_str(last);
                break;
            }
            None => comment.push_str(line),
        }
        comment.push('\n');
    }
    comment
}

fn first_sentence(comment: &str) -> Option<String> {
    let paragraph: Vec<_> = comment.lines().map(str::trim).skip_while(|line| line.is_empty()).collect();
    let paragraph: Vec<_> = paragraph.into_iter().take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    let lower = text.to_ascii_lowercase();
    let is_notice = ["copyright", "all rights", "author"].iter().any(|word| lower.starts_with(word));
    let is_directive = ["go:", "+build", "line "].iter().any(|word| lower.starts_with(word));
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    (!text.is_empty() && !is_notice && !is_directive).then(|| text[..end].to_owned())
}

/// The first paragraph of a text that is neither a heading nor pictures nor markup, without its marks.
fn first_paragraph(markdown: &str) -> Option<String> {
    let is_prose = |line: &&str| !line.is_empty() && !line.starts_with(['#', '<', '!', '[', '=', '-', '|', '`', '>']);
    let lines = markdown.lines().map(str::trim).skip_while(|line| !is_prose(line)).take_while(is_prose);
    let paragraph = lines.collect::<Vec<_>>().join(" ").replace(['*', '`'], "");
    (!paragraph.is_empty()).then_some(paragraph)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synopsis_is_the_first_sentence_before_the_package_clause() {
        let table = [
            ("// Package a does it. And more.\npackage a\n", Some("Package a does it.")),
            ("// Copyright 2026 Nobody. All rights.\n\n// Package a\n// is it.\npackage a", Some("Package a is it.")),
            ("// Copyright 2026 Nobody.\npackage a\n", None),
            ("//go:build linux\n\npackage a\n", None),
            ("/*\nPackage a is it.\n\nMore.\n*/\npackage a\n", Some("Package a is it.")),
            ("/* Package a. */ \npackage a\n", Some("Package a.")),
            ("package a\n// later\n", None),
            ("import \"x\"\n", None),
            ("", None),
        ];
        for (source, expected) in table {
            assert_eq!(synopsis(source).as_deref(), expected, "{source:?}");
        }
    }

    #[test]
    fn a_readme_begins_where_its_prose_begins() {
        let table = [
            ("# m\n\n[![badge](x)](y)\n\nReads *and* `writes`\nfiles.\n\nMore.\n", Some("Reads and writes files.")),
            ("Title\n=====\n\nText\n", Some("Title")),
            ("<p align=\"center\">\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(first_paragraph(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn doc_go_speaks_for_the_module_and_its_packages_are_keywords() {
        let mut introduction = Introduction::default();
        introduction.see("a.go", b"// Package a is one thing.\npackage a\n", Some("README.md"));
        introduction.see("doc.go", b"// Package a is another.\npackage a\n", Some("README.md"));
        introduction.see("b.go", b"// Package a is a third.\npackage a\n", Some("README.md"));
        introduction.see("README.md", b"Text.\n", Some("README.md"));
        introduction.see("x/README.md", b"Other.\n", Some("README.md"));
        introduction.see("LICENSE-MIT", b"SPDX-License-Identifier: MIT", None);
        introduction.see("LICENSE", b"Apache License, Version 2.0", None);
        introduction.see("COPYING", b"Ask the owner.", None);
        introduction.see("x/LICENSE", b"SPDX-License-Identifier: ISC", None);
        let packages = ["e.com/a", "e.com/a/ring", "e.com/a/cmd/tool", "e.com/a/internal/x"].map(str::to_owned);
        let metadata = Metadata { packages: packages.to_vec(), ..Metadata::default() };
        let about = introduction.about(&metadata, "e.com/a", "v1.0.0.zip".to_owned(), "e.com/a@v1.0.0/");
        assert_eq!(about.description, "Package a is another.");
        assert_eq!(about.keywords, ["ring", "tool"]);
        assert_eq!(about.license.as_deref(), Some("Apache-2.0, MIT, unknown"));
        let none = Introduction::default().about(&metadata, "e.com/a", String::new(), "");
        assert_eq!(none.license.as_deref(), Some(""), "it was looked for");
        let entry = "e.com/a@v1.0.0/README.md".to_owned();
        assert_eq!(about.readme, Some(ReadmeEntry { file: "v1.0.0.zip".to_owned(), entry }));
    }
}
