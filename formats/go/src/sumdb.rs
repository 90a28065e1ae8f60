//! Checksum databases: passing on what one says, and nothing to it that is private; and asking it ourselves
//! ([`client`]) before a copy is kept.
//!
//! ```text
//! below /go/{repository}/sumdb/       answered
//! {database}/supported                here: an empty 200, or 404 for another database
//! {database}/lookup/{module}@{v}      passed through, unless the module is private: 403
//! {database}/latest                   passed through
//! {database}/tile/8/0/x001/234.p/5    passed through, after a check of the path (tile)
//! ```
//!
//! Tiles never change and are kept for ever; a lookup that was signed with the known key is kept and given out for a
//! day before it is asked for again, and for as long as the database is in trouble. So what was seen works without it.
//!
//! `{database}` selects the one that the repository's settings name and is never made part of an address. For
//! another one 404 lets the client go to it directly. What the database says is signed and is checked by the
//! client, so it is passed on as it comes; only what cannot be an answer is refused.
//!
//! `supported` is never passed on: the public database has no such address, and its 404 would send clients
//! past this server.
//!
//! Units and bounds: answers have at most [`AUTHORITY_DOCUMENT_BYTES`](keeper_core::limits::AUTHORITY_DOCUMENT_BYTES); a looked-up module path has
//! at most 32 elements.
//! Errors: `not_found`, `module_private`, and what the platform's client reports of the database.
//! Sources: <https://go.dev/ref/mod#checksum-database>; `golang.org/x/mod/sumdb`.

use bytes::Bytes;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, RepositoryView};
use keeper_core::media_type::MediaType;

use crate::absent::shown;
use crate::settings;
use ask::Ask;

mod ask;
pub(crate) mod client;
pub mod note;
mod private;
#[cfg(test)]
pub(crate) mod testing;
mod tile;
mod tree;

keeper_core::codes! {
    MODULE_PRIVATE = "module_private", Forbidden, "The module is private here", "Name it in GONOSUMDB, so that no checksum database is asked about it.";
}

/// The document at a path below `/sumdb/`, percent-decoded.
///
/// # Errors
/// `not_found` without any outgoing request for another database or a malformed path; `module_private`; what
/// the database or the view reports.
pub async fn document(path: &str, view: &dyn RepositoryView) -> Result<Document, Failure> {
    let spec = settings::database(view.settings()).ok_or_else(|| not_passed_on(path))?;
    let below = path.strip_prefix(&spec.name).and_then(|rest| rest.strip_prefix('/'));
    let ask = below.ok_or_else(|| not_passed_on(path))?;
    let ask = Ask::parse(ask).ok_or_else(|| malformed(path))?;
    if ask == Ask::Supported {
        return Ok(Document::new(MediaType::TEXT, Bytes::new()));
    }
    if let Ask::Lookup(module, _) = &ask
        && let Some(pattern) = private::pattern(module, view).await?
    {
        return Err(private::refusal(module, &pattern, &spec.name));
    }
    let authority = view.authority(&spec.name).ok_or_else(|| not_passed_on(path))?;
    let kept = ask.kept(&*authority).await?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh) {
        return Ok(ask.document(kept.body.clone()));
    }
    match authority.fetch(&ask.address(), ask.limit_bytes()).await {
        Ok(body) => {
            let document = ask.answer(body)?;
            let key = settings::database_key(view.settings());
            // The answer is as good when it could not be kept.
            let _is_kept = ask.keep(&*authority, key.as_ref(), &document.body).await;
            Ok(document)
        }
        Err(error) => match kept.filter(|_| !error.is_absence()) {
            Some(kept) => Ok(ask.document(kept.body)),
            None => Err(ask.failed(error, &spec.name)),
        },
    }
}

fn not_passed_on(path: &str) -> Failure {
    Failure::new(&codes::NOT_FOUND, format!("sumdb/{}: no such checksum database is passed on here", shown(path)))
        .hint("The go command then asks the database itself.")
}

fn malformed(path: &str) -> Failure {
    Failure::new(&codes::NOT_FOUND, format!("sumdb/{}: a checksum database has no such address", shown(path)))
        .hint("There are supported, latest, lookup/MODULE@VERSION and tile/HEIGHT/LEVEL/NUMBER.")
}

#[cfg(test)]
mod tests {
    use keeper_core::error::Class;
    use keeper_core::format::MaxAge;
    use keeper_core::repository::RepositoryKind;
    use serde_json::json;

    use super::*;
    use crate::absent::tests::assert_printable;
    use crate::testing::{MemoryView, ready};
    use private::MODULE_ELEMENTS;

    const RECORD: &str = "7\ne.com/m v1.0.0 h1:x=\ne.com/m v1.0.0/go.mod h1:y=\n\ngo.sum database tree\n";

    /// A repository that holds a private module and passes on the public database.
    fn view() -> MemoryView {
        let mut view = MemoryView::with("github.com/yc/mymodule", &["v1.0.0"]);
        view.add("git.corp.example/deep/er/lib/v3", "v3.0.0", json!({}));
        view.add("gopkg.in/secret.v2", "v2.0.0", json!({}));
        view.answers([
            ("/lookup/e.com/m@v1.0.0", Bytes::from(RECORD)),
            ("/lookup/e.com/%21m@v1.0.0-%21r%21c", Bytes::from(RECORD)),
            ("/lookup/e.com/binary@v1.0.0", Bytes::from_static(b"\xff")),
            ("/latest", Bytes::from("go.sum database tree\n")),
            ("/tile/8/0/000.p/2", Bytes::from(vec![1; 64])),
            ("/tile/8/0/001.p/2", Bytes::from(vec![1; 63])),
            ("/tile/8/0/x001/000", Bytes::from(vec![1; 256 * 32])),
            ("/tile/8/data/000", Bytes::from("e.com/m v1.0.0 h1:x=\n")),
        ]);
        view
    }

    fn ask(view: &MemoryView, path: &str) -> Result<Document, Failure> {
        let answer = ready(document(path, view));
        if let Err(failure) = &answer {
            assert_printable(failure, path);
        }
        answer
    }

    #[test]
    fn supported_is_answered_here_for_the_configured_database_only() {
        let rows = [
            ("sum.golang.org/supported", true),
            ("sum.golang.org.evil/supported", false),
            ("169.254.169.254/supported", false),
            ("sum.golang.or/supported", false),
            ("supported", false),
            ("", false),
            ("sum.golang.org", false),
            ("sum.golang.org/supported/x", false),
        ];
        for (path, wanted) in rows {
            let view = view();
            let answer = ask(&view, path);
            assert_eq!(answer.as_ref().map_err(|failure| failure.code().class).is_ok(), wanted, "{path}");
            match answer {
                Ok(document) => assert!(document.body.is_empty() && document.media_type == MediaType::TEXT),
                Err(failure) => assert_eq!(failure.code().class, Class::NotFound, "{path}"),
            }
            assert!(view.asked().is_empty(), "{path}");
        }
    }

    #[test]
    fn a_database_that_is_off_or_another_one_is_not_passed_on() {
        for setting in ["off", "keys.example", "keys https://keys.example/sum.golang.org"] {
            let view = view().set(json!({ "checksum_database": setting }));
            for path in ["supported", "latest", "lookup/e.com/m@v1.0.0"] {
                let failure = ask(&view, &format!("sum.golang.org/{path}")).expect_err(path);
                assert_eq!(failure.code().class, Class::NotFound);
            }
            assert!(view.asked().is_empty());
        }
        let view = view().set(json!({ "checksum_database": "h.example/go/r/sumdb/log https://h.example" }));
        assert!(ask(&view, "h.example/go/r/sumdb/log/supported").is_ok());
    }

    #[test]
    fn what_is_public_is_passed_on_as_it_comes() {
        let day = Some(MaxAge::Seconds(86_400));
        let rows = [
            ("lookup/e.com/m@v1.0.0", "/lookup/e.com/m@v1.0.0", MediaType::TEXT, day),
            ("lookup/e.com/!m@v1.0.0-!r!c", "/lookup/e.com/%21m@v1.0.0-%21r%21c", MediaType::TEXT, day),
            ("latest", "/latest", MediaType::TEXT, None),
            ("tile/8/0/000.p/2", "/tile/8/0/000.p/2", MediaType::BYTES, day),
            ("tile/8/0/x001/000", "/tile/8/0/x001/000", MediaType::BYTES, Some(MaxAge::Immutable)),
            ("tile/8/data/000", "/tile/8/data/000", MediaType::TEXT, Some(MaxAge::Immutable)),
        ];
        for (path, address, media_type, max_age) in rows {
            let view = view();
            let document = ask(&view, &format!("sum.golang.org/{path}")).expect(path);
            assert_eq!((document.media_type, document.max_age), (media_type, max_age), "{path}");
            assert_eq!(view.asked(), [address], "{path}");
        }
    }

    #[test]
    fn a_private_name_never_leaves() {
        let rows = [
            // Held, and below, above the major suffix and beside it.
            ("github.com/yc/mymodule@v1.0.0", "github.com/yc"),
            ("github.com/yc/mymodule@v9.9.9", "github.com/yc"),
            ("github.com/yc/mymodule/v2@v2.0.0", "github.com/yc"),
            ("github.com/yc/mymodule/sub/v7@v7.0.0", "github.com/yc"),
            ("git.corp.example/deep/er/lib@v1.0.0", "git.corp.example/deep"),
            ("git.corp.example/deep/er/lib/v2@v2.0.0", "git.corp.example/deep"),
            ("git.corp.example/deep/er/lib/v2/sub@v0.1.0", "git.corp.example/deep"),
            ("gopkg.in/secret.v3@v3.0.0", "gopkg.in/secret.v3"),
            // The same name for a host that ignores case.
            ("github.com/!y!c/!my!module@v1.0.0", "github.com/YC"),
            // Configured; the longest pattern is told, and quoted where a shell would read it.
            ("corp.example/x/y@v1.0.0", "corp.example/x"),
            ("corp.example/z@v1.0.0", "corp.example"),
            ("a.team.example/z@v1.0.0", "'GONOSUMDB=*.team.example'"),
        ];
        let patterns = json!({ "nosumdb": ["corp.example", "corp.example/x", "*.team.example"] });
        let view = view().set(patterns);
        for (what, wanted) in rows {
            let failure = ask(&view, &format!("sum.golang.org/lookup/{what}")).expect_err(what);
            assert_eq!((failure.code().name, failure.code().class), ("module_private", Class::Forbidden), "{what}");
            let detail = &failure.first().detail;
            let line = detail.split_once("run: go env -w ").expect("the line to run").1;
            assert_eq!(line.strip_prefix("GONOSUMDB=").unwrap_or(line), wanted, "{what}");
        }
        assert!(view.asked().is_empty(), "{:?}", view.asked());
    }

    #[test]
    fn a_deleted_module_stays_private() {
        let mut view = view();
        view.delete("github.com/yc/mymodule", "v1.0.0");
        assert!(ask(&view, "sum.golang.org/lookup/github.com/yc/mymodule@v1.0.0").is_err());
        assert!(view.asked().is_empty());
    }

    #[test]
    fn a_malformed_path_is_not_found_without_asking() {
        let deep = format!("lookup/e.com{}@v1.0.0", "/a".repeat(MODULE_ELEMENTS));
        let rows = [
            "lookup/e.com/m",
            "lookup/e.com/M@v1.0.0",
            "lookup/e.com/m@v1.0",
            "lookup/e.com/m@main",
            "lookup/e.com/m@v1.0.0@v1.0.0",
            "lookup/e.com/m@v1.0.0/go.mod",
            "lookup/example/m@v1.0.0",
            "lookup/@v1.0.0",
            "lookup",
            "lookup/",
            "latest/x",
            "unknown",
            "tile/8/0/000.p/256",
            "tile/8/0/1",
            "tile/0/0/000",
            &deep,
        ];
        let view = view();
        for path in rows {
            let failure = ask(&view, &format!("sum.golang.org/{path}")).expect_err(path);
            assert_eq!(failure.code().class, Class::NotFound, "{path}");
        }
        assert!(view.asked().is_empty());
    }

    #[test]
    fn trouble_of_the_database_is_not_absence() {
        let view = view();
        let rows = [
            ("lookup/e.com/unknown@v1.0.0", "not_found"),
            ("tile/8/0/002.p/3", "not_found"),
            ("lookup/e.com/binary@v1.0.0", "upstream_invalid"),
            ("tile/8/0/001.p/2", "upstream_invalid"),
        ];
        for (path, code) in rows {
            assert_eq!(ask(&view, &format!("sum.golang.org/{path}")).expect_err(path).code().name, code, "{path}");
        }
        let view = self::view().broken();
        let failure = ask(&view, "sum.golang.org/lookup/e.com/m@v1.0.0").expect_err("broken");
        assert_eq!(failure.code().name, "upstream_timeout");
    }

    /// A repository that passes on a log of 300 records, of which it knows the key.
    fn logging(log: &testing::TestLog, kind: RepositoryKind) -> MemoryView {
        let database = format!("{} https://log.example/sum", log.key());
        let view = MemoryView::with("github.com/yc/mymodule", &["v1.0.0"]);
        let view = view.set(json!({ "checksum_database": database, "nosumdb": ["corp.example"] })).of_kind(kind);
        view.database().answers(log.answers(&[3], 300));
        view
    }

    #[test]
    fn what_was_seen_is_given_out_while_the_database_is_down() {
        let log = testing::TestLog::new(300);
        let lookup = "lookup/e.com/m3@v1.0.0";
        let seen = [lookup, "tile/8/0/000", "tile/8/0/001.p/44", "tile/8/1/000.p/1"];
        let view = logging(&log, RepositoryKind::Remote);
        view.database().answers(
            log.answers(&[3], 300).into_iter().chain([("/latest".to_owned(), log.head(300).into())]).collect(),
        );
        let first: Vec<_> =
            seen.iter().map(|path| ask(&view, &format!("log.example/{path}")).expect(path).body).collect();
        assert!(ask(&view, "log.example/latest").is_ok());
        assert_eq!(view.asked().len(), 5);
        // Neither a tile nor a lookup of today is asked for again; a part is in what is kept of it.
        for (path, body) in seen.iter().zip(&first) {
            assert_eq!(&ask(&view, &format!("log.example/{path}")).expect(path).body, body, "{path}");
        }
        let part = ask(&view, "log.example/tile/8/0/001.p/20").expect("a part");
        assert_eq!(part.body, first[2].slice(..20 * 32));
        assert_eq!(view.asked().len(), 5);
        view.database().age(2 * 86_400);
        let view = view.broken();
        for (path, body) in seen.iter().zip(&first) {
            assert_eq!(&ask(&view, &format!("log.example/{path}")).expect(path).body, body, "{path}");
        }
        assert!(ask(&view, "log.example/latest").is_ok());
        assert_eq!(view.asked()[5..], ["/lookup/e.com/m3@v1.0.0", "/latest"], "asked for again, in vain");
        assert_eq!(
            ask(&view, "log.example/lookup/e.com/m4@v1.0.0").expect_err("unseen").code().name,
            "upstream_timeout"
        );
    }

    #[test]
    fn what_nobody_signed_is_passed_on_and_not_kept() {
        let log = testing::TestLog::new(300);
        let forged = log.lookup(3, 300).replace("zip3", "evil").replace("tree\n300", "tree\n299");
        let rows = [
            ("lookup/e.com/m3@v1.0.0", forged),
            ("lookup/e.com/m3@v1.0.0", log.lookup(4, 300)),
            ("lookup/e.com/m3@v1.0.0", "<html>\n".to_owned()),
            ("latest", "go.sum database tree\n".to_owned()),
        ];
        for (path, body) in rows {
            let view = logging(&log, RepositoryKind::Remote);
            view.database().answers([(format!("/{path}"), Bytes::from(body.clone()))].into());
            assert_eq!(ask(&view, &format!("log.example/{path}")).expect(path).body, body);
            assert!(view.database().kept_names().is_empty(), "{path}");
        }
    }

    #[test]
    fn what_is_private_depends_on_where_the_content_comes_from() {
        let log = testing::TestLog::new(300);
        let rows = [
            ("corp.example/x@v1.0.0", [true, true, true]),
            ("github.com/yc/mymodule@v1.0.0", [true, false, true]),
            ("github.com/yc/mymodule/v2@v2.0.0", [true, false, true]),
            ("github.com/yc/mymodule/sub/v7@v7.0.0", [true, false, true]),
            ("github.com/!y!c/!my!module@v1.0.0", [true, false, true]),
            ("github.com/yc/other@v1.0.0", [false, false, false]),
        ];
        for (what, wanted) in rows {
            for (kind, is_private) in
                [RepositoryKind::Hosted, RepositoryKind::Remote, RepositoryKind::Virtual].into_iter().zip(wanted)
            {
                let view = logging(&log, kind);
                let code = ask(&view, &format!("log.example/lookup/{what}")).map_err(|failure| failure.code().name);
                assert_eq!(code.err() == Some("module_private"), is_private, "{what} {kind:?}");
                assert_eq!(view.asked().is_empty(), is_private, "{what} {kind:?}");
            }
        }
    }
}
