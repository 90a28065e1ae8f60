//! The rules for one element of a path: what stands between two slashes.
//!
//! ```text
//! kind     characters                                      first dot   a~1
//! Module   A-Z a-z 0-9 - . _ ~                             refused     refused
//! File     ASCII letters and digits, space,                allowed     allowed
//!          !#$%&()+,-.=@[]^_{}~ and Unicode letters
//! ```
//!
//! For both: not empty, not of dots only, no dot last (Windows drops it), and the text before the first
//! dot is not a device of Windows (`CON.txt` opens the console there). `a~1` is how Windows shortens a
//! long name, so two paths could be one directory.
//!
//! Go's import paths are a third kind (`Module`, with `+` and a leading dot allowed); nothing here
//! reads one.
//!
//! Errors: [`ElementFault`], for the first rule that is broken.
//! Sources: `checkElem` in `golang.org/x/mod/module` (go 1.26).

use unicode_general_category::{GeneralCategory, get_general_category};

/// The rule of path elements that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementFault {
    /// Two slashes with nothing between.
    #[error("empty path element")]
    Empty,
    /// `.`, `..`, `...`
    #[error("invalid path element {0:?}")]
    Dots(String),
    /// `.git` in a module path.
    #[error("leading dot in path element")]
    LeadingDot,
    /// `a.`
    #[error("trailing dot in path element")]
    TrailingDot,
    /// A character outside the kind's set.
    #[error("invalid char {0:?}")]
    Char(char),
    /// The name of a Windows device, with or without an extension.
    #[error("{0:?} disallowed as path element component on Windows")]
    Reserved(String),
    /// `a~1`
    #[error("trailing tilde and digits in path element")]
    ShortName,
}

/// Which path the element is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    /// A module path.
    Module,
    /// A file path, or a version, which Go keeps as a file.
    File(Letters),
}

/// Which letters outside ASCII a file path may have. Letters that a reader's Go does not know yet make
/// that Go refuse the whole zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// Those of Unicode 15, which every Go from 1.21 on knows.
    Unicode15,
    /// All that are known here: those of Unicode 16, since that is what `unicode-general-category` 1.1 knows
    /// (go 1.27 knows Unicode 17, so a name with one of its new letters is refused here and not there).
    Newest,
}

/// Letters that are younger than Unicode 15, up to those of Unicode 16. A letter that a later version of the
/// crate adds must be added here too; the test counts them.
const YOUNGER_THAN_UNICODE_15: &[(char, char)] = &[
    ('\u{1C89}', '\u{1C8A}'),
    ('\u{A7CB}', '\u{A7CD}'),
    ('\u{A7DA}', '\u{A7DC}'),
    ('\u{105C0}', '\u{105F3}'),
    ('\u{10D4A}', '\u{10D65}'),
    ('\u{10D6F}', '\u{10D85}'),
    ('\u{10EC2}', '\u{10EC4}'),
    ('\u{11380}', '\u{113D3}'),
    ('\u{11BC0}', '\u{11BE0}'),
    ('\u{13460}', '\u{143FA}'),
    ('\u{16100}', '\u{1611D}'),
    ('\u{16D40}', '\u{16D6C}'),
    ('\u{18CFF}', '\u{18CFF}'),
    ('\u{1E5D0}', '\u{1E5F0}'),
    ('\u{2EBF0}', '\u{2EE5D}'),
];

/// Checks one element.
pub(super) fn check(element: &str, kind: ElementKind) -> Result<(), ElementFault> {
    if element.is_empty() {
        return Err(ElementFault::Empty);
    }
    if element.bytes().all(|byte| byte == b'.') {
        return Err(ElementFault::Dots(element.to_owned()));
    }
    if element.starts_with('.') && kind == ElementKind::Module {
        return Err(ElementFault::LeadingDot);
    }
    if element.ends_with('.') {
        return Err(ElementFault::TrailingDot);
    }
    if let Some(wrong) = element.chars().find(|&c| !is_allowed(c, kind)) {
        return Err(ElementFault::Char(wrong));
    }
    let stem = element.split('.').next().unwrap_or_default();
    if is_reserved(stem) {
        return Err(ElementFault::Reserved(stem.to_owned()));
    }
    if kind == ElementKind::Module && is_short_name(stem) {
        return Err(ElementFault::ShortName);
    }
    Ok(())
}

fn is_allowed(c: char, kind: ElementKind) -> bool {
    match kind {
        _ if c.is_ascii_alphanumeric() => true,
        ElementKind::Module => matches!(c, '-' | '.' | '_' | '~'),
        // Missing are `"'*<>?`|` for shells, and the separators `/\:`.
        ElementKind::File(_) if c.is_ascii() => "!#$%&()+,-.=@[]^_{}~ ".contains(c),
        ElementKind::File(letters) => is_letter(c, letters),
    }
}

/// General category L. `char::is_alphabetic` is wider: it has letter numbers and combining vowel signs
/// too, so it would let decomposed names through that Go refuses.
fn is_letter(c: char, letters: Letters) -> bool {
    use GeneralCategory::{LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter};
    let is_young = || YOUNGER_THAN_UNICODE_15.iter().any(|&(first, last)| (first..=last).contains(&c));
    matches!(
        get_general_category(c),
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
    ) && (letters == Letters::Newest || !is_young())
}

/// The devices of Windows.
fn is_reserved(stem: &str) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|name| stem.eq_ignore_ascii_case(name));
    match stem.as_bytes() {
        [_, _, _] => is_one_of(&["con", "prn", "aux", "nul"]),
        [port @ .., b'1'..=b'9'] => [b"com", b"lpt"].iter().any(|name| port.eq_ignore_ascii_case(*name)),
        _ => false,
    }
}

fn is_short_name(stem: &str) -> bool {
    stem.rsplit_once('~')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as go 1.26 (Unicode 15.0) counts.
    const LETTERS_OF_UNICODE_15: usize = 136_104;
    const LETTERS_OF_UNICODE_16: usize = 141_028;

    #[test]
    fn letters_are_those_of_unicode_15_for_publishers_and_newer_ones_upstream() {
        // No plane above the third has letters.
        let count = |letters| ('\0'..='\u{3ffff}').filter(|&c| is_letter(c, letters)).count();
        assert_eq!(count(Letters::Unicode15), LETTERS_OF_UNICODE_15);
        assert_eq!(unicode_general_category::UNICODE_VERSION, (16, 0, 0), "are its new letters listed above?");
        assert_eq!(count(Letters::Newest), LETTERS_OF_UNICODE_16);
    }

    #[test]
    fn marks_digits_and_letter_numbers_are_no_letters() {
        let table = [
            ('é', true),
            ('日', true),
            ('ǅ', true),
            ('ʰ', true),
            ('ª', true),
            ('ﬁ', true),
            ('\u{301}', false),
            ('\u{345}', false),
            ('ा', false),
            ('٣', false),
            ('Ⅷ', false),
            ('²', false),
            ('ⓐ', false),
            ('😀', false),
            ('\u{a0}', false),
            ('\u{200d}', false),
            ('\u{fffd}', false),
            ('\u{378}', false),
        ];
        for (c, wanted) in table {
            assert_eq!(is_letter(c, Letters::Unicode15), wanted, "{c:?}");
            assert_eq!(is_letter(c, Letters::Newest), wanted, "{c:?}");
        }
        assert!(!is_letter('\u{1C89}', Letters::Unicode15) && is_letter('\u{1C89}', Letters::Newest));
    }

    #[test]
    fn devices_are_refused_whatever_their_case() {
        for stem in ["con", "CON", "Prn", "aux", "nuL", "com1", "COM9", "lpt1", "Lpt9"] {
            assert!(is_reserved(stem), "{stem}");
        }
        for stem in ["", "co", "conx", "com", "com0", "com10", "COM¹", "lpt", "xcom1", "CONIN$"] {
            assert!(!is_reserved(stem), "{stem}");
        }
    }
}
