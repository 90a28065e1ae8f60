//! Names that differ only in case, and so are one file on many disks.
//!
//! ```text
//! collide      a.go A.go      k K U+212A (kelvin)      s S ſ (long s)      ß ẞ      Ω U+2126 (ohm)
//! do not       ß ss           İ i                      ı I                 é (one character) é (two)
//! ```
//!
//! This is Unicode's *simple* folding, one character to one (statuses C and S of `CaseFolding.txt`), by
//! which Go's zip code looks for collisions. `str::to_lowercase` is another thing: it makes two characters
//! of `İ`, keeps `ſ` and `s` apart, and looks at neighbours for `Σ`. Full folding (the `caseless` crate)
//! would make `ß` and `ss` one name, and refuse modules that Go takes.
//!
//! `icu_casemap` knows Unicode 18 and Go's table is older. For the letters a published path may have the two differ
//! in three pairs, which Unicode 15.1 made one: they collide here, and for the Go versions that come, but not
//! for go 1.26. The test goes through every letter.
//!
//! Sources: `strToFold` in `golang.org/x/mod/zip`, `unicode.SimpleFold` (go 1.26).

use icu_casemap::CaseMapper;

/// A text that two names share if and only if Go calls them a case-insensitive collision.
///
/// It is for comparing only: for a letter it gives some letter of its class, not always the lower-case one.
#[must_use]
pub fn fold_key(name: &str) -> String {
    let mapper = CaseMapper::new();
    name.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { mapper.simple_fold(c) }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::path::check_file_path;

    #[test]
    fn names_collide_as_they_do_for_go() {
        for names in [
            &["a.go", "A.go", "A.GO"][..],
            &["k", "K", "\u{212A}"],
            &["s", "S", "ſ"],
            &["ß", "ẞ"],
            &["é", "É"],
            &["Ω", "ω", "\u{2126}"],
            &["å", "Å", "\u{212B}"],
            &["σ", "Σ", "ς"],
            &["ǆ", "ǅ", "Ǆ"],
            &["Ꭰ", "ꭰ"],
            &["x/ſ.go", "X/S.GO"],
        ] {
            for name in names {
                assert_eq!(fold_key(name), fold_key(names[0]), "{name}");
            }
        }
        for (a, b) in
            [("ß", "ss"), ("İ", "i"), ("İ", "i\u{307}"), ("ı", "I"), ("ﬁ", "fi"), ("é", "e\u{301}"), ("日", "本")]
        {
            assert_ne!(fold_key(a), fold_key(b), "{a} {b}");
        }
        assert_eq!(fold_key("İ"), "İ");
    }

    /// The classes of more than one letter, each on a line, in the order of code points; as hashed by a Go
    /// program that goes through `unicode.SimpleFold` (go 1.26, Unicode 15.0).
    #[test]
    fn all_letters_of_a_file_path_fold_as_in_go() {
        const GO: &str = "eaff4327720d95e8f131f50e897b0633497e96e4853d549f4e3b3de7daa78637";
        const SINCE_UNICODE_15_1: [&str; 3] = ["\u{390}\u{1fd3}", "\u{3b0}\u{1fe3}", "\u{fb05}\u{fb06}"];
        let mut classes = BTreeMap::<String, String>::new();
        // Above are no letters.
        for c in ('\0'..='\u{3ffff}').filter(|c| check_file_path(&format!("x{c}y")).is_ok()) {
            classes.entry(fold_key(&c.to_string())).or_default().push(c);
        }
        let mut classes: Vec<_> = classes.into_values().filter(|class| class.chars().count() > 1).collect();
        classes.sort_unstable();
        assert_eq!(classes.len(), 1382 + SINCE_UNICODE_15_1.len());
        classes.retain(|class| !SINCE_UNICODE_15_1.contains(&class.as_str()));
        assert_eq!(HEXLOWER.encode(&Sha256::digest(classes.join("\n"))), GO);
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(name in any::<String>()) {
            prop_assert_eq!(fold_key(&fold_key(&name)), fold_key(&name));
        }

        #[test]
        fn case_in_ascii_never_matters(name in "[ -~]{0,12}") {
            prop_assert_eq!(fold_key(&name.to_ascii_uppercase()), name.to_ascii_lowercase());
        }
    }
}
