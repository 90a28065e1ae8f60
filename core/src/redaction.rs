//! Keeps tokens out of texts that are kept: log lines, audit rows, answers that repeat what was sent.
//!
//! Shape: `akp_` or `aks_` and then at least [`SECRET_CHARACTERS`] letters and digits. That also takes in a token
//! which was mistyped, cut off, or glued to something: most of its secret is still in it. What is left is its display
//! part, by which its owner knows it: `akp_Ab12…`.

use std::borrow::Cow;

use crate::identity::TOKEN_PREFIXES;

/// Letters and digits behind the prefix from which on a text is hidden: twice the display part.
const SECRET_CHARACTERS: usize = 8;

/// Letters and digits behind the prefix that are shown of every token.
const SHOWN_CHARACTERS: usize = 4;

/// The text with all but the display part of each token replaced. Borrows it when there is none.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((shown, after)) = next_token(rest) {
        clean.push_str(&rest[..shown]);
        clean.push('…');
        rest = &rest[after..];
    }
    if clean.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(clean + rest) }
}

/// Where the first token's display part ends, and where the token does.
fn next_token(text: &str) -> Option<(usize, usize)> {
    // Nearly every text has no underscore behind an `ak?`: one search for a byte says so.
    let mut from = 0;
    while let Some(at) = text[from..].find('_') {
        let behind = from + at + 1;
        let begins = TOKEN_PREFIXES.iter().any(|prefix| text[..behind].ends_with(prefix));
        // With the underscore, a second token that is glued to the first goes with it.
        let secret = text[behind..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if begins && secret >= SECRET_CHARACTERS {
            return Some((behind + SHOWN_CHARACTERS, behind + secret));
        }
        from = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn of_a_token_only_its_display_part_stays() {
        let token = "akp_0123456789ABCDEFGHIJabcdefghijKLMNop";
        for (text, clean) in [
            (token.to_owned(), "akp_0123…"),
            (format!("x{token}"), "xakp_0123…"),
            (format!("Bearer {token}, again aks_{}!", "z".repeat(36)), "Bearer akp_0123…, again aks_zzzz…!"),
            (token[..20].to_owned(), "akp_0123…"),
            (format!("{token}{token}"), "akp_0123…"),
            ("akp_Ab12".to_owned(), "akp_Ab12"),
            ("akp_Ab12…".to_owned(), "akp_Ab12…"),
            ("no token, ak_ akp_ aks_x é_".to_owned(), "no token, ak_ akp_ aks_x é_"),
            (String::new(), ""),
        ] {
            assert_eq!(redact(&text), clean, "{text}");
        }
    }

    #[test]
    fn a_clean_text_is_not_copied() {
        assert!(matches!(redact("/go/local/example.com/m/@v/list"), std::borrow::Cow::Borrowed(_)));
    }
}
