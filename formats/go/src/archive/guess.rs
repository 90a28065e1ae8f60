//! What a file is that is no zip, for the words of the refusal.

/// What the beginning of a file looks like.
pub(super) fn looks_like(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    let starts = |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    match head {
        [0x1f, 0x8b, ..] => "gzip (a .tar.gz?)",
        [b'P', b'K', 3, 4, ..] => "the beginning of a zip whose end is missing",
        [0x7f, b'E', b'L', b'F', ..] => "a program (ELF)",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'B', b'Z', b'h', ..] => "bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [b'7', b'z', 0xbc, 0xaf, ..] => "7z",
        _ if head.get(257..262) == Some(b"ustar") => "tar",
        _ if starts("<!doctype") || starts("<html") => "an HTML page (a login page?)",
        _ if starts("{") || starts("[") => "JSON",
        _ if !head.contains(&0) && is_text(head) => "text",
        _ => "unknown data",
    }
}

/// The head of a text may end within a character.
fn is_text(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_recognised() {
        let tar = [vec![b'a'; 257], b"ustar\0".to_vec()].concat();
        let table: [(&[u8], &str); 10] = [
            (b"\x1f\x8b\x08\0", "gzip (a .tar.gz?)"),
            (&tar, "tar"),
            (b"\n <!DOCTYPE html><html>", "an HTML page (a login page?)"),
            (b"<html>", "an HTML page (a login page?)"),
            (b"\x7fELF\x02", "a program (ELF)"),
            (b"%PDF-1.7", "a PDF"),
            (b"PK\x03\x04rest", "the beginning of a zip whose end is missing"),
            (b"{\"a\":1}", "JSON"),
            ("package é".as_bytes().split_last().expect("bytes").1, "text"),
            (b"\x00\x01\xff", "unknown data"),
        ];
        for (head, guess) in table {
            assert_eq!(looks_like(head), guess, "{head:?}");
        }
    }
}
