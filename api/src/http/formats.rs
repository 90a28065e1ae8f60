//! Native routes: `/{format}/{repository}/…` in the ecosystem's own protocol.

use http::{HeaderMap, Method};
use keeper_core::access::Principal;
use keeper_core::error::{Class, Failure, codes};
use keeper_core::format::help::host_of;
use keeper_core::format::{FormatHandler, FormatRequest};
use keeper_core::pipeline::{AnswerKind, ReadOptions};
use keeper_core::repository::FormatKey;
use poem::{Request, Response};
use std::sync::Arc;

use super::native_write::Incoming;
use super::request::RequestFacts;
use super::{App, response};
use crate::upstream::client::HOPS;

/// A raw target below a format: `/go/local/rest` is (`local`, `/rest`).
fn split<'a>(path: &'a str, format: &str) -> (&'a str, &'a str) {
    let below = path.get(format.len() + 1..).unwrap_or("");
    let below = below.strip_prefix('/').unwrap_or(below);
    below.split_at(below.find('/').unwrap_or(below.len()))
}

impl App {
    /// Answers a request on a format's path; says what kind of answer it is.
    ///
    /// # Errors
    /// What the caller is told, in the text shape.
    pub(super) async fn native(
        &self,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        who: &Principal,
        mut request: Request,
        facts: &RequestFacts,
    ) -> Result<(AnswerKind, Response), Failure> {
        let body = request.take_body();
        let uri = request.original_uri().clone();
        let (repository, rest) = split(uri.path(), format.as_str());
        let headers: Vec<_> = handler
            .info()
            .request_headers
            .iter()
            .filter_map(|name| Some((*name, request.headers().get(*name)?.to_str().ok()?)))
            .collect();
        let head = request.method() == Method::HEAD;
        let asked = FormatRequest {
            verb: if head { "GET" } else { request.method().as_str() },
            path: rest,
            query: uri.query().unwrap_or(""),
            headers: &headers,
            repository_url: &format!("{}/{format}/{repository}", facts.base_url),
        };
        let with_hint = |failure| with_login_hint(failure, handler, facts);
        if asked.verb != "GET" {
            let incoming = Incoming { who, facts, headers: request.headers(), version: request.version(), body };
            // On the heap, so that the many small reads do not carry the room for this.
            let written = Box::pin(self.native_write(format, handler, repository, &asked, incoming)).await;
            return written.map(|response| (AnswerKind::File, response)).map_err(with_hint);
        }
        let may_relay = response::may_relay(request.headers(), head);
        let options = ReadOptions { hops: passed(request.headers()), may_relay };
        let answer = self.keeper.read(who, format, handler, repository, &asked, options).await.map_err(with_hint)?;
        let response = response::respond(&self.keeper, &answer, request.headers(), head).await?;
        Ok((answer.kind, response))
    }
}

/// How many servers like this one a request has passed.
fn passed(headers: &HeaderMap) -> u32 {
    headers.get(HOPS).and_then(|hops| hops.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// Tells those who need a credential how this ecosystem's client sends one.
pub(super) fn with_login_hint(failure: Failure, handler: &Arc<dyn FormatHandler>, facts: &RequestFacts) -> Failure {
    let code = failure.code();
    let mistyped = *code == codes::TOKEN_MALFORMED || *code == codes::TOKEN_EXPIRED;
    if code.class != Class::Unauthorized || mistyped {
        return failure;
    }
    failure.hint(handler.login_hint(host_of(&facts.base_url), facts.https))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_repository_is_the_raw_segment_after_the_format() {
        let rows = [
            ("/go/local/x.y/z/@v/list", "local", "/x.y/z/@v/list"),
            ("/go/local", "local", ""),
            ("/go/local/", "local", "/"),
            ("/go/priv%61te/x", "priv%61te", "/x"),
            ("/go", "", ""),
            ("/go//x", "", "/x"),
        ];
        for (path, repository, rest) in rows {
            assert_eq!(split(path, "go"), (repository, rest), "{path}");
        }
    }
}
