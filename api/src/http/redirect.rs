//! What the plain port beside https answers: where to go instead.
//!
//! ```text
//! GET, HEAD                     308 to the same path over https
//! any other method              400 use_https: its body has travelled unencrypted, and shall not a second time
//! anything with Authorization   400 use_https: the credential was readable, see [`Exposure`]
//! ```
//!
//! Hosts are judged as on the main port, so that nobody is sent to a name that is not ours.

use http::header::{AUTHORIZATION, CACHE_CONTROL, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use keeper_core::error::{Failure, codes};
use poem::{Endpoint, Request, Response};

use super::authenticate;
use super::error::{Shape, answer};
use super::exposure::Exposure;
use super::request::{self, Front, RequestFacts};

/// Sends everybody on to https.
pub struct Redirect {
    front: Front,
    /// The port of https, when it is not the usual one.
    port: Option<u16>,
    exposure: Exposure,
}

impl Redirect {
    /// To the public address, or else to the name that was asked for, at this port.
    #[must_use]
    pub fn new(front: Front, port: u16, exposure: Exposure) -> Self {
        Self { front, port: (port != 443).then_some(port), exposure }
    }

    async fn answered(&self, request: &Request, facts: &RequestFacts) -> Result<Response, Failure> {
        let headers = request.headers();
        if headers.contains_key(AUTHORIZATION) {
            let refusal = Failure::new(&codes::USE_HTTPS, "this credential travelled unencrypted; replace it");
            return Err(self.exposure.judge(refusal, &sent(headers), facts).await);
        }
        let target = request.original_uri().path_and_query().map_or("/", |target| target.as_str());
        let location = format!("{}{target}", self.base(facts));
        match *request.method() {
            Method::GET | Method::HEAD => Ok(Response::builder()
                .status(StatusCode::PERMANENT_REDIRECT)
                .header(LOCATION, location)
                .header(CACHE_CONTROL, "no-store")
                .finish()),
            _ => Err(Failure::new(&codes::USE_HTTPS, format!("this port only sends on to https; use {location}"))),
        }
    }

    fn base(&self, facts: &RequestFacts) -> String {
        match (&self.front.public_url, self.port) {
            (Some(public), _) => public.clone(),
            (None, Some(port)) => format!("https://{}:{port}", facts.host),
            (None, None) => format!("https://{}", facts.host),
        }
    }
}

/// The credentials in the headers, as far as they can be read.
fn sent(headers: &HeaderMap) -> String {
    let values = headers.get_all(AUTHORIZATION).iter();
    values.filter_map(|value| authenticate::secret(value.as_bytes())).collect::<Vec<_>>().join(" ")
}

impl Endpoint for Redirect {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let shape = Shape::of(request.original_uri().path());
        let (facts, result) = match self.front.examine(&request, request::new_id()) {
            Ok(facts) => {
                let result = self.answered(&request, &facts).await;
                (facts, result)
            }
            Err(refused) => {
                let (facts, failure) = *refused;
                let failure = super::exposed(&self.exposure, failure, request.original_uri(), &facts).await;
                (facts, Err(failure))
            }
        };
        let response = result.unwrap_or_else(|failure| answer(&failure, shape, &facts.id));
        Ok(super::with_guards(response, &facts, shape))
    }
}
