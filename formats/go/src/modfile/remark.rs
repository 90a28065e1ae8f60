//! What comments mean: the deprecation of a module, the reason of a retraction, the mark of an indirect
//! requirement.
//!
//! ```text
//! // Package a does things.
//! //
//! // Deprecated: use ex.com/b       -> deprecation "use ex.com/b" (to the end of the paragraph)
//! module ex.com/a
//!
//! retract v1.0.0 // lost data       -> rationale "lost data"
//! require ex.com/c v1.0.0 // indirect; kept for d   -> indirect
//! ```
//!
//! The comments of a line are those before it and the one behind it; a line of a block that has neither takes
//! those before the block. An empty line inside a block counts as a comment there (without text), so it keeps
//! the block's from its line. That is Go's doing, and dependants see it.
//!
//! Units and bounds: linear in the comments, and in the limit where a block's are asked for again and again.
//! No errors: a comment can only be of no interest.
//! Source: `parseDirectiveComment`, `parseDeprecation` and `isIndirect` in `rule.go` of
//! `golang.org/x/mod/modfile` (go 1.26).

use super::statement::{Block, Line};

/// The words about a directive, one line for each comment, joined by line ends; empty if there are none.
///
/// No more than `limit_bytes` of them are read: each comment takes at least its line end.
pub(super) fn about(block: Option<&Block<'_>>, line: &Line<'_>, limit_bytes: usize) -> String {
    let bare = line.before.is_empty() && line.suffix.is_none();
    let before = match block {
        Some(block) if bare => &block.before,
        _ => &line.before,
    };
    let words = before.iter().copied().chain(line.suffix).filter_map(|comment| comment.strip_prefix("//"));
    let mut text = String::new();
    for (index, word) in words.enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if text.len() >= limit_bytes {
            break;
        }
        let word = word.trim();
        text.push_str(&word[..word.floor_char_boundary(limit_bytes - text.len())]);
    }
    text.truncate(limit_bytes);
    text
}

/// The text of the first paragraph that begins with `Deprecated:`, if it has any.
pub(super) fn deprecation(words: &str) -> Option<String> {
    const MARK: &str = "Deprecated:";
    let begins_paragraph = |at: &usize| *at == 0 || words[..*at].ends_with("\n\n");
    let at = words.match_indices(MARK).map(|(at, _)| at).find(begins_paragraph)?;
    let text = words[at + MARK.len()..].trim_start_matches(' ');
    let text = text.split_once("\n\n").map_or(text, |(paragraph, _)| paragraph);
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether the comment behind a requirement is `// indirect`, alone or followed by `;` and more.
pub(super) fn is_indirect(suffix: Option<&str>) -> bool {
    let Some(comment) = suffix else { return false };
    let mut words = comment.strip_prefix("//").unwrap_or(comment).split_whitespace();
    match (words.next(), words.next()) {
        (Some("indirect"), None) => true,
        (Some(first), Some(_)) => first == "indirect;",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(before: &[&'a str], suffix: Option<&'a str>) -> Line<'a> {
        Line { tokens: vec!["v1.0.0"], at: 1, before: before.to_vec(), suffix }
    }

    #[test]
    fn a_line_without_comments_takes_those_of_its_block() {
        let block = Block { tokens: vec!["retract"], at: 1, before: vec!["// the block"] };
        let cases = [
            (line(&[], None), "the block"),
            (line(&["// before", "//", "// it"], Some("//behind ")), "before\n\nit\nbehind"),
            (line(&[], Some("//")), ""),
            // An empty line above, within the block, is enough to be left alone.
            (line(&[""], None), ""),
        ];
        for (line, expected) in cases {
            assert_eq!(about(Some(&block), &line, 100), expected, "{line:?}");
        }
        assert_eq!(about(None, &line(&[], None), 100), "");
    }

    #[test]
    fn words_are_cut_at_the_limit() {
        let line = line(&["// ab", "//", "// é"], None);
        for (limit_bytes, expected) in [(6, "ab\n\né"), (5, "ab\n\n"), (4, "ab\n\n"), (3, "ab\n"), (2, "ab"), (0, "")]
        {
            assert_eq!(about(None, &line, limit_bytes), expected, "{limit_bytes}");
        }
    }

    #[test]
    fn a_deprecation_is_one_paragraph() {
        let cases = [
            ("Deprecated: use b", Some("use b")),
            ("Deprecated:   use b\nnow\n\nDeprecated: c", Some("use b\nnow")),
            ("About a.\n\nDeprecated: use b", Some("use b")),
            // In mid-paragraph, in other case, or empty, it says nothing.
            ("About a.\nDeprecated: use b", None),
            ("deprecated: use b", None),
            ("Deprecated:\n\nuse b", None),
            ("Deprecated:", None),
            ("Not Deprecated: b\n\n\nDeprecated: c", Some("c")),
            ("", None),
        ];
        for (words, expected) in cases {
            assert_eq!(deprecation(words).as_deref(), expected, "{words:?}");
        }
    }

    #[test]
    fn indirect_is_the_first_word_and_ends_there_or_at_a_semicolon() {
        let cases = [
            ("// indirect", true),
            ("//indirect", true),
            ("//  indirect  ", true),
            ("// indirect; for d", true),
            ("// indirect;", false),
            ("// indirect for d", false),
            ("// not indirect", false),
            ("//", false),
        ];
        for (comment, expected) in cases {
            assert_eq!(is_indirect(Some(comment)), expected, "{comment}");
        }
        assert!(!is_indirect(None));
    }
}
