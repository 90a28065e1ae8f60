//! Parts of a file, and conditions.

use super::{LIST, refused, server};
use crate::harness::http::{Response, send};
use crate::harness::refusal::Refusals;
use crate::harness::server::Server;

/// The archive of the module in `go/local`.
const ZIP: &str = "/go/local/example.com/%21azure/m/@v/v1.0.0.zip";

/// A case, its range, and the bytes it gets; nothing is the whole file.
type Row<'a> = (&'a str, &'a str, Option<(usize, usize)>);

fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    send(method, &format!("{}{path}", server.url), headers, &[])
}

#[test]
fn a_range_is_given_exactly_or_not_at_all() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let whole = ask(&server, "GET", ZIP, &[]).expect(200).body;
    let size = whole.len();
    assert!(size > 100, "a file to take parts of");
    let (beyond, wide) = (format!("bytes={size}-"), format!("bytes={size}-{size}"));
    let part = |from: usize, to: usize| Some((from, to));
    let rows: [Row<'_>; 24] = [
        ("H1", "bytes=0-0", part(0, 1)),
        ("H1", "bytes=-1", part(size - 1, size)),
        ("H1", "bytes=5-", part(5, size)),
        ("H1", "bytes=0-999999", part(0, size)),
        ("H1", "bytes=-999999", part(0, size)),
        ("H1", "bytes=5-7", part(5, 8)),
        ("H3", "bytes=5-2", None),
        ("H3", "bytes=a-b", None),
        ("H3", "bytes=1-b", None),
        ("H3", "items=0-1", None),
        ("H3", "bytes=", None),
        ("H3", "bytes=-", None),
        ("H3", "bytes", None),
        ("H3", "0-1", None),
        ("H3", "bytes=+1-2", None),
        ("H3", "bytes=0x1-2", None),
        ("H4", "bytes=0-1,3-4", None),
        ("H4", "bytes=0-9,5-20", None),
        ("H4", "bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16", None),
        ("H8", "bytes=0-99999999999999999999", part(0, size)),
        ("H8", "bytes=-99999999999999999999", part(0, size)),
        ("H8", "bytes=18446744073709551614-18446744073709551615,0-1", None),
        ("H8", "bytes=99999999999999999999-5", None),
        ("H8", "bytes=-99999999999999999999-", None),
    ];
    for (row, range, expected) in rows {
        let row = format!("{row} {range}");
        let answer = ask(&server, "GET", ZIP, &[("Range", range)]);
        match expected {
            Some((from, to)) => {
                assert_eq!(answer.status, 206, "{row}: {}", answer.text());
                let content_range = format!("bytes {from}-{}/{size}", to - 1);
                assert_eq!(answer.header("content-range"), Some(&*content_range), "{row}");
                assert!(answer.body == whole[from..to], "{row}: other bytes");
            }
            None => {
                assert_eq!((answer.status, answer.header("content-range")), (200, None), "{row}");
                assert!(answer.body == whole, "{row}: not the whole");
            }
        }
    }
    let outside = [
        ("H2", beyond.as_str()),
        ("H2", &wide),
        ("H2", "bytes=-0"),
        ("H8", "bytes=99999999999999999999-"),
        ("H8", "bytes=99999999999999999998-99999999999999999999"),
    ];
    for (row, range) in outside {
        let row = format!("{row} {range}");
        let answer = ask(&server, "GET", ZIP, &[("Range", range)]);
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes */{size}")), "{row}");
        assert!(answer.text().contains(&format!("{size} bytes")), "{row}: {}", answer.text());
        refused(&refusals, &row, ZIP, &answer, 416, "range_not_satisfiable");
    }
}

#[test]
fn a_range_of_another_state_gets_the_whole() {
    let server = server(&[]);
    let whole = ask(&server, "GET", ZIP, &[]).expect(200);
    let etag = whole.header("etag").expect("an entity tag").to_owned();
    let modified = whole.header("last-modified").expect("a date").to_owned();
    let weak = format!("W/{etag}");
    let rows = [
        ("H5 old", "\"old\"", 200),
        ("H5 weak", &weak, 200),
        // A second is too coarse to prove that nothing changed.
        ("H5 date", &modified, 200),
        ("H5 garbage", "garbage", 200),
        ("H5 the same", &etag, 206),
    ];
    for (row, value, status) in rows {
        let answer = ask(&server, "GET", ZIP, &[("Range", "bytes=1-3"), ("If-Range", value)]);
        assert_eq!(answer.status, status, "{row}");
        let expected = if status == 206 { &whole.body[1..4] } else { &whole.body[..] };
        assert!(answer.body == expected, "{row}: other bytes");
    }
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let server = server(&[]);
    for path in [ZIP, LIST] {
        let whole = ask(&server, "GET", path, &[]).expect(200);
        let etag = whole.header("etag").expect("an entity tag").to_owned();
        let (list, weak) = (format!("\"old\", {etag}"), format!("W/{etag}"));
        let rows = [
            ("H6 equal", etag.as_str(), 304),
            ("H6 list", &list, 304),
            ("H6 any", "*", 304),
            ("H6 weak", &weak, 304),
            ("H6 other", "\"old\"", 200),
            ("H6 garbage", "garbage", 200),
            ("H6 unquoted", etag.trim_matches('"'), 200),
            ("H6 unfinished", "\"", 200),
        ];
        for (row, value, status) in rows {
            for method in ["GET", "HEAD"] {
                let answer = ask(&server, method, path, &[("If-None-Match", value)]);
                let row = format!("{row} {method} {path}");
                assert_eq!((answer.status, answer.header("etag")), (status, Some(&*etag)), "{row}");
                let expected = if status == 200 && method == "GET" { &whole.body[..] } else { b"" };
                assert!(answer.body == expected, "{row}: other bytes");
            }
        }
    }
}

#[test]
fn a_range_counts_only_where_there_is_a_file() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let range = [("Range", "bytes=0-0")];

    let absent = ZIP.replace("v1.0.0", "v9.0.0");
    let answer = ask(&server, "GET", &absent, &range);
    refused(&refusals, "H7 an error", &absent, &answer, 404, "version_not_found");

    let whole = ask(&server, "GET", ZIP, &[]).expect(200).body.len().to_string();
    for value in ["bytes=0-0", "bytes=999999999-"] {
        let answer = ask(&server, "HEAD", ZIP, &[("Range", value)]);
        assert_eq!((answer.status, answer.header("content-length")), (200, Some(&*whole)), "H7 HEAD {value}");
    }
    for path in [LIST, "/go/local/example.com/%21azure/m/@latest", "/go/local", "/api/artifacts", "/"] {
        let answer = ask(&server, "GET", path, &range);
        assert_eq!((answer.status, answer.header("content-range")), (200, None), "H7 {path}");
        assert!(answer.body.len() > 1, "H7 {path}: {}", answer.text());
    }
}
