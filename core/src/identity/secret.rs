//! The text of a token.
//!
//! Shape: `akp_` (personal) or `aks_` (robot), 30 base62 characters from the system's generator (178 bits), 6
//! base62 characters of the CRC-32 (IEEE) over everything before: 40 characters. A mistyped token is recognised
//! without asking the store.

use super::UserKind;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How tokens begin: those of people, those of robots.
pub(crate) const TOKEN_PREFIXES: [&str; 2] = ["akp_", "aks_"];
const RANDOM_CHARACTERS: usize = 30;
const CHECK_CHARACTERS: usize = 6;
const DISPLAY_CHARACTERS: usize = 8;

/// A token's text. Never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// A text that begins like a token and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token looks cut off or mistyped (40 characters, begins akp_ or aks_)")]
pub struct MalformedToken;

impl TokenSecret {
    /// Length in characters.
    pub const CHARACTERS: usize = 40;

    /// A new token from bytes of the system's generator; bytes of 248 and more are skipped, so that
    /// every character is equally likely. `None` when too few of them were usable.
    #[must_use]
    pub fn from_random(kind: UserKind, bytes: &[u8]) -> Option<Self> {
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let body: String =
            usable.map(|byte| char::from(BASE62[usize::from(byte % 62)])).take(RANDOM_CHARACTERS).collect();
        if body.len() < RANDOM_CHARACTERS {
            return None;
        }
        let head = match kind {
            UserKind::Person => format!("akp_{body}"),
            UserKind::Robot => format!("aks_{body}"),
        };
        let check = check_characters(&head);
        Some(Self(head + &check))
    }

    /// Recognises a token. `Ok(None)` when the text does not begin like one (a bootstrap token need not).
    ///
    /// # Errors
    /// [`MalformedToken`] when it does, and its length, alphabet or check characters are wrong.
    pub fn parse(text: &str) -> Result<Option<Self>, MalformedToken> {
        if !TOKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return Ok(None);
        }
        let plain = text.bytes().skip(4).all(|byte| byte.is_ascii_alphanumeric());
        if text.len() != Self::CHARACTERS || !plain {
            return Err(MalformedToken);
        }
        let (head, check) = text.split_at(Self::CHARACTERS - CHECK_CHARACTERS);
        if check_characters(head) == check { Ok(Some(Self(text.to_owned()))) } else { Err(MalformedToken) }
    }

    /// The first characters, for lists and records.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.0[..DISPLAY_CHARACTERS]
    }

    /// The text, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a text holds something shaped like a token of ours anywhere; such texts are never logged.
    #[must_use]
    pub fn occurs_in(text: &str) -> bool {
        Self::all_in(text).next().is_some()
    }

    /// Whatever in a text is shaped like a token of ours.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        let begins = TOKEN_PREFIXES.iter().flat_map(|prefix| text.match_indices(prefix));
        begins.filter_map(|(at, _)| Self::parse(text.get(at..at + Self::CHARACTERS)?).ok().flatten())
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

fn check_characters(head: &str) -> String {
    let mut rest = crc32fast::hash(head.as_bytes());
    let mut characters = [b'0'; CHECK_CHARACTERS];
    for character in characters.iter_mut().rev() {
        *character = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    characters.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TokenSecret {
        TokenSecret::from_random(UserKind::Person, &(0..64).collect::<Vec<u8>>()).expect("enough bytes")
    }

    #[test]
    fn a_token_is_recognised_and_a_mistyped_one_is_not() {
        let token = sample();
        assert_eq!(token.reveal().len(), TokenSecret::CHARACTERS);
        assert_eq!(TokenSecret::parse(token.reveal()), Ok(Some(token.clone())));
        for at in 4..TokenSecret::CHARACTERS {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let mistyped = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(TokenSecret::parse(&mistyped), Err(MalformedToken), "{mistyped}");
        }
        assert_eq!(TokenSecret::parse(&token.reveal()[..39]), Err(MalformedToken));
        assert_eq!(TokenSecret::parse("a-bootstrap-token"), Ok(None));
    }

    #[test]
    fn a_token_inside_a_text_is_found() {
        assert!(TokenSecret::occurs_in(&format!("/{}/go/local", sample().reveal())));
        assert!(!TokenSecret::occurs_in("/akp_/go/local"));
        let twice = format!("?a={0}&b=x{0}", sample().reveal());
        assert_eq!(TokenSecret::all_in(&twice).collect::<Vec<_>>(), [sample(), sample()]);
    }

    #[test]
    fn debug_output_hides_the_token() {
        assert!(!format!("{:?}", sample()).contains("akp_"));
    }
}
