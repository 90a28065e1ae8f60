//! What a compiler cannot keep: which crate may know what, headers, documented and unique error codes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file beyond which it probably holds two ideas; a few tables may be longer.
const MAX_LINES: usize = 520;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(below: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder of the project").flatten().collect();
        entries.sort_by_key(fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(below), &mut found);
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        (name, fs::read_to_string(&path).expect("a source file"))
    });
    named.collect()
}

fn all_sources() -> Vec<(String, String)> {
    ["core/src", "formats", "api/src", "migrations/src", "web-ui/crate", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect()
}

/// The lines of code: comments do not count, for they may speak of anything.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn each_framework_stays_in_its_room() {
    let rules: [(&str, &[&str]); 7] = [
        ("poem", &["api/src/http", "api/src/server"]),
        ("hyper", &["api/src/http", "api/src/server"]),
        ("sea_orm", &["api/src/store", "migrations"]),
        ("sqlx", &["api/src/store", "migrations"]),
        ("object_store", &["api/src/blobs"]),
        ("reqwest", &["api/src/upstream", "tests"]),
        ("multer", &["api/src/http"]),
    ];
    // The tests of a room may use what they like to stand on its other side.
    let judged = |name: &str| name != "tests/tidy.rs" && !name.ends_with("/tests.rs");
    for (name, text) in all_sources().iter().filter(|(name, _)| judged(name)) {
        for (package, rooms) in rules {
            let uses = |line: &str| line.contains(&format!("{package}::")) || line.contains(&format!("use {package}"));
            let at = code_lines(text).find(|(_, line)| uses(line));
            let allowed = rooms.iter().any(|room| name.starts_with(room));
            assert!(at.is_none() || allowed, "{name}:{} knows {package}", at.map_or(0, |(line, _)| line + 1));
        }
    }
}

#[test]
fn core_and_api_name_no_format() {
    let words = ["\"go\"", "keeper_format_go", "GOPROXY", "go.mod"];
    for (name, text) in sources("core/src").into_iter().chain(sources("api/src")) {
        // First-start defaults are configuration; a test may speak of any format.
        let for_tests = ["/testing", "/tests", "/fixture.rs"].iter().any(|part| name.contains(part));
        if name.contains("config/first_start") || for_tests {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        for word in words {
            let at = code_lines(code)
                .find(|(_, line)| line.contains(word) && !line.contains("example:") && !line.contains("hint("));
            assert!(at.is_none(), "{name}:{} names a format: {word}", at.map_or(0, |(line, _)| line + 1));
        }
    }
}

#[test]
fn every_source_file_says_what_it_holds_and_holds_one_idea() {
    for (name, text) in all_sources() {
        assert!(text.starts_with("//!"), "{name} has no header");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines: which two ideas does it hold?");
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for (name, text) in all_sources().into_iter().filter(|(name, _)| name != "tests/tidy.rs") {
        for word in ["TODO", "FIXME", "unimplemented!(", "todo!(", "#[ignore"] {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn every_error_code_is_unique_and_documented() {
    let page = fs::read_to_string(root().join("docs/errors.md")).expect("docs/errors.md");
    let registry = keeper_formats::registry().expect("the formats");
    let formats = registry.iter().flat_map(|(_, handler)| handler.info().codes.iter().copied());
    let mut seen = BTreeSet::new();
    for code in keeper_core::error::codes::ALL.iter().copied().chain(formats) {
        assert!(seen.insert(code.name), "the code {} is declared twice", code.name);
        assert!(page.contains(&format!("`{}`", code.name)), "docs/errors.md lacks {}", code.name);
        assert!(!code.hint.is_empty(), "{} has no remedy", code.name);
    }
}

#[test]
fn every_setting_is_documented() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("docs/configuration.md");
    for setting in keeper_api::config::settings::all() {
        let variable = setting.variable();
        assert!(page.contains(&format!("`{variable}`")), "docs/configuration.md lacks {variable}");
    }
}
