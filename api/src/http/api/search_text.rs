//! The text of a search, cut into what must all be found.
//!
//! ```text
//! tools ledger        two words
//! "event sourcing"    a phrase: these words in a row, the last of which may only begin so
//! 12" disc            a quote that nothing closes, or that stands within a word, is a character like any other
//! ```

use keeper_core::error::{Failure, codes};
use keeper_core::limits::SEARCH_TERMS;

/// The words and phrases of a text: at most [`SEARCH_TERMS`]. With `strict` a quote that has no meaning is refused.
///
/// # Errors
/// `invalid_query` when there is no word, or with the place of the quote, counted in characters from 1.
pub(super) fn terms(text: &str, strict: bool) -> Result<Vec<String>, Failure> {
    let refused = |detail: String| Failure::new(&codes::INVALID_QUERY, detail).field("q");
    let mut terms = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let (term, behind) = match phrase(rest) {
            Some(found) => found,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                if let Some(quote) = rest[..end].find('"').filter(|_| strict) {
                    let at = text[..text.len() - rest.len() + quote].chars().count() + 1;
                    let hint = "Close it with another, around whole words; or leave strict out to take it as it is.";
                    return Err(refused(format!("the quote at character {at} opens no phrase that ends")).hint(hint));
                }
                rest.split_at(end)
            }
        };
        if term.chars().any(|character| !character.is_whitespace()) {
            terms.push(term.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        rest = behind;
    }
    if terms.is_empty() {
        return Err(refused("q holds no word".to_owned()));
    }
    terms.truncate(SEARCH_TERMS);
    Ok(terms)
}

/// A phrase at the beginning of a text, and what comes behind it.
fn phrase(text: &str) -> Option<(&str, &str)> {
    let (inside, behind) = text.strip_prefix('"')?.split_once('"')?;
    behind.chars().next().is_none_or(char::is_whitespace).then_some((inside, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_told_apart() {
        let rows: [(&str, &[&str]); 9] = [
            ("tools  ledger", &["tools", "ledger"]),
            ("\"event  sourcing\" kit", &["event sourcing", "kit"]),
            ("kit \"event sourcing\"", &["kit", "event sourcing"]),
            ("\"open phrase", &["\"open", "phrase"]),
            ("12\" disc", &["12\"", "disc"]),
            ("\"a\"b", &["\"a\"b"]),
            ("\"\" x", &["x"]),
            ("\"one\"", &["one"]),
            ("\u{fc}\"", &["\u{fc}\""]),
        ];
        for (text, expected) in rows {
            assert_eq!(terms(text, false).expect("terms"), expected, "{text}");
        }
        for empty in ["", "  ", "\"\"", "\" \""] {
            assert_eq!(terms(empty, false).err().map(|failure| failure.code().name), Some("invalid_query"), "{empty}");
        }
    }

    #[test]
    fn strictly_a_quote_opens_a_phrase_that_ends() {
        assert_eq!(terms("\"event sourcing\" kit", true).expect("terms"), ["event sourcing", "kit"]);
        for (text, at) in [("\"open phrase", 1), ("12\" disc", 3), ("\u{fc}ber \"a", 6), ("\"a\" \"b", 5)] {
            let failure = terms(text, true).expect_err(text);
            assert!(failure.first().detail.contains(&format!("character {at} ")), "{text}: {failure}");
        }
    }
}
