//! A publisher's Markdown as HTML that can be shown: rendered (CommonMark with GitHub's tables, task lists, links
//! and strikethrough), then cleaned by an allow-list.
//!
//! Authors' own HTML is left out. What is left has no script, style, form, frame, picture, `id` or `class`; links lead to `http`, `https` or
//! `mailto` addresses only, and say that nobody here vouches for them. Pictures become links to themselves, for a
//! page of this server loads nothing from elsewhere; relative links and pictures are shown as their text.
//!
//! Bounds: [`SOURCE_BYTES`] of Markdown, which is the caller's to cut; a line that opens more than a person would
//! ([`OPENING_BYTES`] of quotes and lists) makes it a plain text, for the time to parse it grows with the square of
//! their number.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use comrak::Options;
use comrak::nodes::NodeValue;

/// Bytes of a text that are rendered: a long README has a tenth of it.
pub(crate) const SOURCE_BYTES: usize = 512 * 1024;

/// Bytes at the start of a line that open quotes and lists, or indent.
const OPENING_BYTES: usize = 256;

const TAGS: [&str; 37] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tr",
    "th",
    "thead",
    "ul",
    "s",
    "samp",
];

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = Builder::empty();
    cleaner
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style", "svg", "math", "iframe", "object", "template"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "title"])),
            ("td", HashSet::from(["align"])),
            ("th", HashSet::from(["align"])),
            ("ol", HashSet::from(["start"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow ugc"));
    cleaner
});

/// The cleaned HTML of a Markdown text; `None` for one that is better shown as it is.
#[must_use]
pub(crate) fn render(source: &str) -> Option<String> {
    let opening =
        |line: &str| line.find(|c: char| !c.is_ascii_digit() && !" \t>*+-.)".contains(c)).unwrap_or(line.len());
    if source.lines().any(|line| opening(line) > OPENING_BYTES) {
        return None;
    }
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, source, &options);
    for node in root.descendants() {
        let mut data = node.data.borrow_mut();
        if let NodeValue::Image(link) = &data.value {
            data.value = NodeValue::Link(link.clone());
        }
    }
    let mut html = String::new();
    comrak::format_html(root, &options, &mut html).ok()?;
    Some(CLEANER.clean(&html).to_string())
}

#[cfg(test)]
mod tests {
    fn render(source: &str) -> String {
        super::render(source).expect("it is rendered")
    }

    #[test]
    fn usual_markdown_is_rendered() {
        let html = render("# Title\n\nA *word*, `code`, ~~old~~ <https://e.com>.\n\n| a |\n|---|\n| b |\n");
        for part in ["<h1>Title</h1>", "<em>word</em>", "<code>code</code>", "<del>old</del>", "<td>b</td>"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(html.contains("<a href=\"https://e.com\" rel=\"noopener noreferrer nofollow ugc\">"), "{html}");
    }

    #[test]
    fn nothing_that_acts_or_loads_is_left() {
        let attacks = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](java\nscript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:x)",
            "<svg onload=alert(1)><script>1</script></svg>",
            "<style>*{background:url(http://evil.example)}</style>",
            "<iframe src=\"http://evil.example\"></iframe>",
            "<form action=\"http://evil.example\"><input name=a><button>go</button></form>",
            "<p style=\"position:fixed\" id=\"main\" class=\"x\" onclick=\"x()\">text</p>",
            "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
            "![x](http://evil.example/track.png)",
            "<base href=\"http://evil.example/\"><link rel=stylesheet href=//evil.example>",
            "<meta http-equiv=refresh content=\"0;url=http://evil.example\">",
            "<video src=http://evil.example></video><object data=x></object><embed src=x>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
            "[x](//evil.example)\n[y](../up)\n<a href=\"/api/session\">z</a>",
        ];
        let forbidden = [
            "<script",
            "<img",
            "<svg",
            "<style",
            "<iframe",
            "<form",
            "<input",
            "<button",
            "<math",
            "<base",
            "<link",
            "<meta",
            "<video",
            "<object",
            "<embed",
            "onerror=",
            "onload=",
            "onclick=",
            "javascript:",
            "data:",
            "vbscript:",
            " style=",
            " id=",
            " class=",
            "href=\"/",
            "href=\"..",
            " src=",
        ];
        for attack in attacks {
            let html = render(attack).to_lowercase();
            let inside_tags: String = html
                .split('<')
                .skip(1)
                .filter_map(|part| part.split('>').next())
                .map(|tag| format!("<{tag} "))
                .collect();
            for word in forbidden {
                assert!(!inside_tags.contains(word), "{attack} left {word}: {html}");
            }
        }
        let picture = render("![the logo](http://e.com/logo.png)");
        assert!(picture.contains("<a href=\"http://e.com/logo.png\""), "{picture}");
        assert!(picture.contains("the logo</a>"), "{picture}");
    }

    #[test]
    fn deep_nesting_ends() {
        for unit in ["> ", "1. ", "* + ", "\t"] {
            assert_eq!(super::render(&format!("a\n{}b", unit.repeat(20_000))), None, "{unit}");
        }
        for unit in ["<b>", "[", "![", "*a **a "] {
            assert!(super::render(&unit.repeat(5_000)).is_some(), "{unit}");
        }
    }
}
