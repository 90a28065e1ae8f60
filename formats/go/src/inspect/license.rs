//! Which licence a text is, by the words that only this one has.
//!
//! ```text
//! SPDX-License-Identifier: MIT            MIT
//! Apache License  Version 2.0, January…   Apache-2.0
//! ```
//!
//! Of several that a text names the first counts: the GPL speaks of the LGPL at its end. This is for people who look for
//! a licence; whoever must be sure reads the text.
//! Sources: the SPDX licence list, version 3.27.

/// A licence file that is none of those known here.
pub(super) const UNKNOWN: &str = "unknown";

/// Characters behind a title within which its version stands.
const TITLE_CHARACTERS: usize = 120;

/// A licence with a title: the title, what stands soon behind it, the name of the licence.
const TITLES: [(&str, &str, &str); 13] = [
    ("apache license", "version 2.0", "Apache-2.0"),
    ("mozilla public license", "2.0", "MPL-2.0"),
    ("gnu affero general public license", "version 3", "AGPL-3.0"),
    ("gnu lesser general public license", "version 3", "LGPL-3.0"),
    ("gnu lesser general public license", "version 2.1", "LGPL-2.1"),
    ("gnu general public license", "version 3", "GPL-3.0"),
    ("gnu general public license", "version 2", "GPL-2.0"),
    ("eclipse public license", "2.0", "EPL-2.0"),
    ("boost software license", "version 1.0", "BSL-1.0"),
    ("business source license", "1.1", "BUSL-1.1"),
    ("cc0 1.0", "universal", "CC0-1.0"),
    ("creative commons", "attribution 4.0", "CC-BY-4.0"),
    ("european union public licence", "1.2", "EUPL-1.2"),
];

/// A licence without a title: how it begins, what else it says, what it does not say, its name. The narrower come first.
const PHRASES: [(&str, &str, &str, &str); 9] = [
    (BSD, "all advertising materials", "", "BSD-4-Clause"),
    (BSD, "be used to endorse or promote", "", "BSD-3-Clause"),
    (BSD, "", "", "BSD-2-Clause"),
    ("permission is hereby granted, free of charge", "shall be included in all copies", "", "MIT"),
    ("permission is hereby granted, free of charge", "", "subject to the following conditions", "MIT-0"),
    (ISC, "provided that the above copyright notice", "", "ISC"),
    ("permission to use, copy, modify, and distribute", "provided that the above copyright notice", "", "ISC"),
    (ISC, "", "provided that", "0BSD"),
    ("this is free and unencumbered software released into the public domain", "", "", "Unlicense"),
];
const BSD: &str = "redistribution and use in source and binary forms";
const ISC: &str = "permission to use, copy, modify, and/or distribute";

/// The name of the licence, if it is one of those known here.
pub(super) fn named(text: &str) -> Option<String> {
    if let Some(stated) = stated(text) {
        return Some(stated.to_owned());
    }
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let titled = TITLES.iter().filter_map(|(title, version, name)| {
        let at = text.find(title)?;
        let behind: String = text[at + title.len()..].chars().take(TITLE_CHARACTERS).collect();
        behind.contains(version).then_some((at, *name))
    });
    let worded = PHRASES.iter().filter_map(|(start, with, without, name)| {
        let at = text.find(start)?;
        (text.contains(with) && (without.is_empty() || !text.contains(without))).then_some((at, *name))
    });
    // Of those that begin at one place the first is the narrowest: `min_by_key` keeps it.
    titled.chain(worded).min_by_key(|(at, _)| *at).map(|(_, name)| name.to_owned())
}

/// What a line says that is there for programs.
fn stated(text: &str) -> Option<&str> {
    let (_, stated) = text.split_once("SPDX-License-Identifier:")?;
    let stated = stated.lines().next()?.trim().trim_end_matches("*/").trim_end();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '+' | ' ' | '(' | ')');
    (!stated.is_empty() && stated.len() <= 60 && stated.chars().all(is_name)).then_some(stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_known_by_their_words() {
        let bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted";
        let mit = "Permission is hereby granted, free of charge, to any person";
        let isc = "Permission to use, copy, modify, and/or distribute this software for any purpose";
        let kept = "provided that the above copyright notice and this permission notice";
        let table = [
            ("                Apache License\n          Version 2.0, January 2004".to_owned(), Some("Apache-2.0")),
            (format!("MIT License\n\nCopyright 2026\n\n{mit} … subject to the following conditions:\nThe above … shall be included in all copies"), Some("MIT")),
            (format!("{mit} … without restriction"), Some("MIT-0")),
            (bsd.to_owned(), Some("BSD-2-Clause")),
            (format!("{bsd} Neither the name of x may be used to endorse or promote"), Some("BSD-3-Clause")),
            (format!("{bsd} All advertising materials … be used to endorse or promote"), Some("BSD-4-Clause")),
            (format!("{isc} with or without fee is hereby granted, {kept}"), Some("ISC")),
            (format!("{isc} with or without fee is hereby granted."), Some("0BSD")),
            ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007 … use the GNU Lesser General Public License, version 3".to_owned(), Some("GPL-3.0")),
            ("GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991".to_owned(), Some("GPL-2.0")),
            ("GNU LESSER GENERAL PUBLIC LICENSE\n  Version 3 … the GNU General Public License version 3".to_owned(), Some("LGPL-3.0")),
            ("Mozilla Public License Version 2.0\n … GNU General Public License, Version 2.0".to_owned(), Some("MPL-2.0")),
            ("/* SPDX-License-Identifier: Apache-2.0 OR MIT */".to_owned(), Some("Apache-2.0 OR MIT")),
            ("SPDX-License-Identifier: <script>".to_owned(), None),
            ("All rights reserved.".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in table {
            assert_eq!(named(&text).as_deref(), expected, "{text}");
        }
    }
}
