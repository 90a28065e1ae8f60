//! `Content-Disposition: attachment`, with a name that no client can misread.
//!
//! Shape: `attachment; filename="r_sum_.txt"; filename*=UTF-8''r%C3%A9sum%C3%A9.txt`. The first name is for old
//! clients and holds letters, digits and `.-_+` only; the second one (RFC 8187) is the name itself and is left
//! out where both are equal. A folder in a name is left out: a download is one file.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 allows unescaped besides letters and digits, as far as it is harmless everywhere.
const PLAIN: &[u8] = b".-_+";
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'+');

/// The header for a file of this name.
#[must_use]
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || u8::try_from(*c).is_ok_and(|byte| PLAIN.contains(&byte));
    let plain: String = name.chars().map(|c| if is_plain(&c) { c } else { '_' }).collect();
    let mut text = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        text += &format!("; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED));
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_name_never_leaves_its_quotes() {
        let rows = [
            ("v1.0.0+incompatible.zip", "attachment; filename=\"v1.0.0+incompatible.zip\""),
            ("a/b\\c.txt", "attachment; filename=\"c.txt\""),
            ("a\"; x=\"b", "attachment; filename=\"a___x__b\"; filename*=UTF-8''a%22%3B%20x%3D%22b"),
            ("é\r\n", "attachment; filename=\"___\"; filename*=UTF-8''%C3%A9%0D%0A"),
        ];
        for (name, header) in rows {
            assert_eq!(attachment(name), header, "{name:?}");
        }
    }
}
