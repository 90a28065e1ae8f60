//! What the text of a bootstrap token must be.
//!
//! It need not have the shape of our own tokens. It is a credential that somebody typed, so it is judged by
//! how hard it is to guess: length × the number of bits each character can carry given how many different
//! ones occur. Counting different characters alone would refuse hexadecimal, which has 16 at most.

use keeper_core::identity::TokenSecret;

/// Characters of a token at least.
pub const MIN_CHARACTERS: usize = 32;

/// Characters of a token at most: it has to fit into a header beside others.
pub const MAX_CHARACTERS: usize = 256;

/// Bits at least. 32 random hexadecimal digits give about 115 by this estimate, 32 decimal ones 105.
const MIN_BITS: f64 = 96.0;

/// Words of documentation; whoever copies an example has the token that everybody has.
const EXAMPLES: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "your-token",
    "your_token",
    "yourtoken",
    "placeholder",
    "<",
    "…",
];

/// Checks a token's text.
///
/// # Errors
/// The rule it breaks.
pub fn check(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    if EXAMPLES.iter().any(|word| lower.contains(word)) {
        return Err("this looks like an example from a text; make a token of your own".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token holds printable ASCII characters without spaces".to_owned());
    }
    if text.len() < MIN_CHARACTERS || text.len() > MAX_CHARACTERS {
        return Err(format!("a token has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters"));
    }
    TokenSecret::parse(text).map_err(|error| error.to_string())?;
    if bits(text) < MIN_BITS {
        return Err("this token is too easy to guess; take it from a random source".to_owned());
    }
    Ok(())
}

fn bits(text: &str) -> f64 {
    let mut bytes = text.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let different = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    f64::from(length) * f64::from(different).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_text_is_taken_and_an_example_is_not() {
        let ours = TokenSecret::from_random(keeper_core::identity::UserKind::Person, &(0..64).collect::<Vec<u8>>())
            .expect("enough bytes");
        let rows = [
            ("c0ffee1234deadbeef5678badcab1e90", true),
            ("90812374650918273465091827364509", true),
            ("test-admin-token-0123456789abcdef", true),
            (ours.reveal(), true),
            ("c0ffee1234deadbeef5678badcab1e9", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("changeme-c0ffee1234deadbeef5678badcab1e90", false),
            ("EXAMPLE-c0ffee1234deadbeef5678badcab1e90", false),
            ("akp_c0ffee1234deadbeef5678badcab1e901234", false),
            ("c0ffee1234 deadbeef5678badcab1e90123", false),
            ("c0ffee1234deadbeef5678badcab1e90é", false),
        ];
        for (text, good) in rows {
            assert_eq!(check(text).is_ok(), good, "{text}");
        }
        assert!(check(&"c0ffee1234deadbe".repeat(17)).is_err(), "too long");
    }
}
