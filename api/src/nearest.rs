//! The name somebody probably meant.

/// The known name nearest to a mistyped one, when it is near enough to be worth saying.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|name| (strsim::damerau_levenshtein(typed, name), name));
    // A third of the letters wrong is a different word.
    scored.min().filter(|(distance, name)| *distance <= 1.max(name.len() / 3)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["listen", "log", "data_dir", "log_format"];
        let rows = [
            ("lisen", Some("listen")),
            ("datadir", Some("data_dir")),
            ("log-format", Some("log_format")),
            ("lgo", Some("log")),
            ("port", None),
            ("database", None),
        ];
        for (typed, expected) in rows {
            assert_eq!(nearest(typed, known.into_iter()), expected, "{typed}");
        }
    }
}
