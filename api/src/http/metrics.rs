//! What is measured of every request, and `/metrics`.
//!
//! Labels: `class` is what was asked for (`file`, `index`, `page`, `api`, `ui`, `probe`), or `refused` when a package
//! client's request failed, which may be before anybody knows what it was; `format` is a format's key or `none`;
//! `status` is one of those that this server sends, else `other`. A request costs a few atomic additions: every series
//! has its handle ready.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use ipnet::IpNet;
use keeper_core::access::Principal;
use keeper_core::error::Failure;
use keeper_core::pipeline::AnswerKind;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use poem::{Body, Response};

use super::{App, RequestFacts};
use crate::monitoring::{Monitor, OneMore, Samples, sources};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteClass {
    File,
    Index,
    Page,
    Refused,
    Api,
    Ui,
    Probe,
}

impl RouteClass {
    const ALL: [Self; 7] = [Self::File, Self::Index, Self::Page, Self::Refused, Self::Api, Self::Ui, Self::Probe];

    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Index => "index",
            Self::Page => "page",
            Self::Refused => "refused",
            Self::Api => "api",
            Self::Ui => "ui",
            Self::Probe => "probe",
        }
    }
}

impl From<AnswerKind> for RouteClass {
    fn from(kind: AnswerKind) -> Self {
        match kind {
            AnswerKind::File => Self::File,
            AnswerKind::Index => Self::Index,
            AnswerKind::Page => Self::Page,
        }
    }
}

/// Statuses that are counted apart: those that codes have, and those of answers.
const STATUSES: [u16; 32] = [
    200, 201, 202, 204, 206, 304, 307, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
    421, 422, 429, 431, 500, 502, 503, 504, 507,
];

/// Handles of all series of requests.
pub(crate) struct RequestMetrics {
    /// Format keys; the last one stands for none.
    formats: Vec<String>,
    /// By format, class and status; made when first used, for most never are.
    requests: Vec<OnceLock<Counter>>,
    /// By format and class.
    bytes: Vec<OnceLock<Counter>>,
    /// By class.
    classes: Vec<Arc<OfClass>>,
    received: Counter,
    in_flight: Gauge,
}

struct OfClass {
    start: Histogram,
    whole: Histogram,
    size: Histogram,
}

impl OfClass {
    fn new(class: RouteClass) -> Self {
        let class = class.as_str();
        Self {
            start: histogram!("keeper_http_response_start_seconds", "class" => class),
            whole: histogram!("keeper_http_request_duration_seconds", "class" => class),
            size: histogram!("keeper_http_response_size_bytes", "class" => class),
        }
    }
}

/// A request under way; counted until it is dropped.
pub(crate) struct InFlight {
    began: Instant,
    _counted: OneMore,
}

impl RequestMetrics {
    /// For these formats.
    pub(crate) fn new(formats: impl Iterator<Item = String>) -> Self {
        let formats: Vec<_> = formats.chain(["none".to_owned()]).collect();
        let series = formats.len() * RouteClass::ALL.len();
        let cells = |count| std::iter::repeat_with(OnceLock::new).take(count).collect();
        Self {
            formats,
            requests: cells(series * (STATUSES.len() + 1)),
            bytes: cells(series),
            classes: RouteClass::ALL.map(|class| Arc::new(OfClass::new(class))).into(),
            received: counter!("keeper_http_request_bytes_total"),
            in_flight: gauge!("keeper_http_requests_in_flight"),
        }
    }

    /// A request has come.
    pub(crate) fn begin(&self, began: Instant) -> InFlight {
        InFlight { began, _counted: OneMore::in_(&self.in_flight) }
    }

    /// A body whose bytes are counted while they are received.
    pub(crate) fn count_received(&self, body: Body) -> Body {
        Body::from(BoxBody::new(Tallied { body: body.into(), tally: self.received.clone() }))
    }

    /// The head of the answer is there. A body that is in memory is as good as sent; others are measured to their end.
    pub(crate) fn answered(&self, first: &str, class: RouteClass, request: InFlight, response: &mut Response) {
        let format = self.formats.iter().position(|format| format == first).unwrap_or(self.formats.len() - 1);
        let series = format * RouteClass::ALL.len() + class as usize;
        let code = response.status().as_u16();
        let status = STATUSES.binary_search(&code).unwrap_or(STATUSES.len());
        self.requests[series * (STATUSES.len() + 1) + status]
            .get_or_init(|| {
                let status = STATUSES.get(status).map_or("other".to_owned(), u16::to_string);
                counter!(
                    "keeper_http_requests_total",
                    "format" => self.formats[format].clone(), "class" => class.as_str(), "status" => status
                )
            })
            .increment(1);
        let bytes = self.bytes[series].get_or_init(|| {
            let format = self.formats[format].clone();
            counter!("keeper_http_response_bytes_total", "format" => format, "class" => class.as_str())
        });
        let of = &self.classes[class as usize];
        of.start.record(request.began.elapsed());
        let body: BoxBody<Bytes, std::io::Error> = response.take_body().into();
        let measured = match body.size_hint().exact() {
            Some(size) => {
                of.finish(bytes, size, &request);
                body
            }
            None => {
                let tally = Sending { of: of.clone(), bytes: bytes.clone(), sent: 0, request };
                BoxBody::new(Tallied { body, tally })
            }
        };
        response.set_body(Body::from(measured));
    }
}

impl OfClass {
    fn finish(&self, bytes: &Counter, sent: u64, request: &InFlight) {
        bytes.increment(sent);
        self.size.record(sent as f64);
        self.whole.record(request.began.elapsed());
    }
}

/// Hears how many bytes of a body have passed.
trait Tally: Send + Sync + Unpin + 'static {
    fn passed(&mut self, bytes: u64);
}

impl Tally for Counter {
    fn passed(&mut self, bytes: u64) {
        self.increment(bytes);
    }
}

/// An answer under way; measured when its body has ended, however it ends.
struct Sending {
    of: Arc<OfClass>,
    bytes: Counter,
    sent: u64,
    request: InFlight,
}

impl Tally for Sending {
    fn passed(&mut self, bytes: u64) {
        self.sent += bytes;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.of.finish(&self.bytes, self.sent, &self.request);
    }
}

/// A body whose bytes are told as they pass.
struct Tallied<T> {
    body: BoxBody<Bytes, std::io::Error>,
    tally: T,
}

impl<T: Tally> HttpBody for Tallied<T> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.tally.passed(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What `/metrics` shows, and to whom.
pub struct Scrape {
    /// All that was counted.
    pub monitor: Monitor,
    /// All that is read when asked for.
    pub samples: Samples,
    /// Who needs no login.
    pub network: Vec<IpNet>,
}

impl App {
    /// `/metrics`, for administrators and for the network that was configured.
    pub(super) async fn metrics(&self, who: &Principal, facts: &RequestFacts) -> Result<Response, Failure> {
        let Scrape { monitor, samples, network } = &self.scrape;
        let known = facts.peer.is_some_and(|peer| network.iter().any(|network| network.contains(&peer)));
        if !known {
            self.keeper.require_admin(who)?;
        }
        samples.take().await;
        let text = monitor.render() + &sources::resting(&self.keeper).await;
        Ok(Response::builder().header(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8").body(text))
    }
}
