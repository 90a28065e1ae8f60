//! Who calls an operation, and what of the request its records need.

use keeper_core::access::Principal;
use keeper_core::error::{Failure, codes};
use keeper_core::repository::Actor;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::cursor::Filter;
use crate::http::{Refused, RequestFacts};

const BEARER: &str = "Bearer";
const BASIC: &str = "Basic";
const SESSION: &str = "Session";

/// The caller of an operation, already recognised. Declares the credentials that the API takes.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) facts: RequestFacts,
}

impl Caller {
    /// The caller as the actor of a change.
    pub(super) fn actor(&self) -> Actor {
        self.facts.actor(&self.principal)
    }

    /// What binds the cursors of a list: its name, the values of its filter in their fixed order, and who asks.
    pub(super) fn filter(&self, list: &str, values: &[&Option<String>]) -> Filter {
        Filter::new(self.principal.login(), list, values)
    }

    /// The caller of a request.
    pub(super) fn of(request: &Request) -> Result<Self, Refused> {
        let extensions = request.extensions();
        match (extensions.get::<Principal>(), extensions.get::<RequestFacts>()) {
            (Some(principal), Some(facts)) => Ok(Self { principal: principal.clone(), facts: facts.clone() }),
            _ => Err(Failure::new(&codes::INTERNAL, "the request was not authenticated").into()),
        }
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |scheme, description| MetaSecurityScheme {
            ty: "http",
            description: Some(description),
            name: None,
            key_in: None,
            scheme: Some(scheme),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry
            .create_security_scheme(BEARER, scheme("bearer", "A token of 40 characters that begins with akp_ or aks_"));
        registry.create_security_scheme(BASIC, scheme("basic", "Any login, and a token as the password"));
        let session = MetaSecurityScheme {
            ty: "apiKey",
            description: Some(
                "The cookie of POST /session, for pages of this server; a change needs the header \
                 `X-Keeper-Request: 1` beside it. Over plain http its name is `keeper_session`",
            ),
            name: Some("__Host-keeper_session"),
            key_in: Some("cookie"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SESSION, session);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, BASIC, SESSION]
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::of(request)?)
    }
}
