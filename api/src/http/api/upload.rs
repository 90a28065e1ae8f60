//! `POST /api/artifacts`: the form becomes an [`Upload`]. Described to OpenAPI as what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use keeper_core::access::{Action, Principal, authorize};
use keeper_core::digest::Digest;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::pipeline::Upload;
use keeper_core::plugin::Registry;
use keeper_core::provenance::Way;
use keeper_core::repository::RepositoryName;
use poem::http::header::CONTENT_TYPE;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::json;

use super::caller::Caller;
use crate::http::form::{self, Form, FormRules};
use crate::http::shared_body::{SharedBody, stated_length};
use crate::http::{App, Refused, Turn};
use crate::server::body::PacedBody;

/// How much of a body a stated length may exceed the limit by before it is refused unread: the other fields
/// and the form's own lines need room.
const FORM_OVERHEAD_BYTES: u64 = 1024 * 1024;
/// A field of the form that every format has.
struct CommonField {
    name: &'static str,
    help: &'static str,
    example: &'static str,
}

const COMMON_FIELDS: [CommonField; 10] = [
    CommonField { name: "format", help: "The format of the artifact.", example: "go" },
    CommonField {
        name: "name",
        help: "The package; may be left out where the format can derive it.",
        example: "github.com/yourcompany/mymodule",
    },
    CommonField {
        name: "version",
        help: "The version; may be left out where the format can derive it.",
        example: "v1.0.0",
    },
    CommonField {
        name: "repository",
        help: "The repository; default: the default one of the format.",
        example: "local",
    },
    CommonField { name: "strict", help: "`true`: what would be a warning is refused.", example: "true" },
    CommonField { name: "dry_run", help: "`true`: everything is checked and nothing is stored.", example: "true" },
    CommonField {
        name: "label",
        help: "A branch or tag name that shall resolve to this version; may be repeated.",
        example: "main",
    },
    CommonField {
        name: "origin_url",
        help: "Where the source comes from.",
        example: "https://git.example.com/mymodule",
    },
    CommonField { name: "origin_ref", help: "The reference that was archived.", example: "refs/tags/v1.0.0" },
    CommonField {
        name: "sha256",
        help: "The SHA-256 of the file in hexadecimal digits; checked.",
        example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
];
const SWITCHES: [&str; 2] = ["strict", "dry_run"];

/// A received upload, with its turn.
pub(super) struct UploadForm {
    pub(super) upload: Upload,
    pub(super) turn: Turn,
}

impl<'a> ApiExtractor<'a> for UploadForm {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("The file and what it is, in any order."),
            content: vec![MetaMediaType { content_type: "multipart/form-data", schema: schema() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(receive(request, body).await.map_err(Refused::from)?)
    }
}

async fn receive(request: &Request, body: &mut RequestBody) -> Result<UploadForm, Failure> {
    let missing = || Failure::new(&codes::INTERNAL, "the upload route is not wired");
    let app = request.data::<Arc<App>>().ok_or_else(missing)?;
    let caller = Caller::of(request).map_err(|Refused(failure)| failure)?;
    let limit = limit_for(app, &caller.principal).await?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = form::boundary(content_type)?;
    let stated = stated_length(request.headers());
    if stated.is_some_and(|stated| stated > limit + FORM_OVERHEAD_BYTES) {
        return Err(form::over_limit(limit));
    }
    let body = body.take().map_err(|_| missing())?;
    let body = SharedBody::new(PacedBody::new(body.into_bytes_stream(), app.admission.pace));
    let expected = stated.unwrap_or(limit);
    let turn = app.admission.turn_for(&caller.principal, expected, request.headers(), &body).await?;
    let began = Instant::now();
    let principal = caller.principal.clone();
    let before_file = |texts: &[(String, String)]| target_known(app.clone(), principal.clone(), texts);
    let form =
        form::read(body.clone(), boundary, FormRules::API, app.keeper.ports().blobs.as_ref(), limit, &before_file)
            .await;
    let form = match form {
        Ok(form) => form,
        Err(failure) => {
            body.linger().await;
            return Err(failure);
        }
    };
    let upload = assemble(form, &app.keeper.ports().registry, began)?;
    Ok(UploadForm { upload, turn })
}

/// Nobody sends a body in vain: who may publish nowhere is told before. Otherwise the bytes of an upload at
/// most: those of the largest format among the repositories that this caller may publish to, for the form may
/// name the format behind the file.
async fn limit_for(app: &App, who: &Principal) -> Result<u64, Failure> {
    let repositories = app.keeper.ports().repositories.list().await?;
    let may = repositories.iter().filter(|repository| authorize(who, Action::Publish, repository).is_ok());
    let formats = may.filter_map(|repository| app.keeper.ports().registry.get(&repository.address.format));
    match formats.map(|handler| handler.info().max_upload_bytes).max() {
        Some(limit) => Ok(limit.min(app.admission.max_upload_bytes)),
        None => Err(match who {
            Principal::Anonymous => Failure::new(&codes::LOGIN_REQUIRED, "publishing needs a login"),
            Principal::User(user) => {
                let has = user.scope.actions.to_words();
                let detail = format!("there is no repository that this token may publish to; it has: {has}");
                Failure::new(&codes::PUBLISH_DENIED, detail)
            }
        }),
    }
}

/// The exact right is asked for before the file, when format and repository came before it.
fn target_known<'a>(
    app: Arc<App>,
    who: Principal,
    texts: &[(String, String)],
) -> futures_util::future::BoxFuture<'a, Result<(), Failure>> {
    let text = |name: &str| texts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (format, repository) = (text("format"), text("repository"));
    Box::pin(async move {
        let (Some(format), Some(repository)) = (format, repository) else { return Ok(()) };
        let (format, _) = app.keeper.ports().registry.named(&format)?;
        let Ok(repository) = RepositoryName::try_from(repository.as_str()) else { return Ok(()) };
        app.keeper.publish_target(&who, &format, Some(&repository)).await.map(|_| ())
    })
}

/// Checks the fields together, all faults at once.
fn assemble(form: Form, registry: &Registry, began: Instant) -> Result<Upload, Failure> {
    let Form { texts, file, mut problems } = form;
    let given: BTreeSet<String> = texts.iter().map(|(name, _)| name.clone()).collect();
    let labels: Vec<_> = texts.iter().filter(|(name, _)| name == "label").map(|(_, value)| value.clone()).collect();
    let mut fields: BTreeMap<String, String> = texts.into_iter().filter(|(name, _)| name != "label").collect();
    let (own, format) = own_fields(registry, fields.get("format"), &mut problems, &given);
    unknown_fields(&fields, &own, &given, &mut problems);
    let mut switch = |name: &str, problems: &mut Vec<Problem>| match fields.remove(name).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            problems.push(
                Problem::new(&codes::INVALID_FIELD, format!("{name} is true or false, not {other:?}")).field(name),
            );
            false
        }
    };
    let (strict, dry_run) = (switch("strict", &mut problems), switch("dry_run", &mut problems));
    let repository = fields.remove("repository").and_then(|text| {
        let parsed = RepositoryName::try_from(text.as_str());
        parsed
            .map_err(|fault| problems.push(Problem::new(&codes::INVALID_FIELD, fault.to_string()).field("repository")))
            .ok()
    });
    let sha256 = fields.remove("sha256").and_then(|text| {
        let parsed = Digest::try_from(text.to_ascii_lowercase().as_str());
        parsed
            .map_err(|fault| problems.push(Problem::new(&codes::INVALID_FIELD, fault.to_string()).field("sha256")))
            .ok()
    });
    if labels.len() > keeper_core::limits::LABELS_PER_UPLOAD {
        problems.push(Problem::new(&codes::INVALID_FIELD, "at most 32 labels are taken").field("label"));
    }
    if file.is_none() {
        let problem = Problem::new(&codes::FIELD_MISSING, "the field \"file\" is missing");
        problems.push(problem.hint("Add -F file=@module.zip; did you forget the @?").field("file"));
    }
    if let Some(failure) = Failure::from_problems(problems) {
        return Err(failure);
    }
    let (Some(file), Some(format)) = (file, format) else {
        return Err(Failure::new(&codes::INTERNAL, "an incomplete form was taken for complete"));
    };
    Ok(Upload {
        file,
        format,
        repository,
        name: fields.remove("name"),
        version: fields.remove("version"),
        strict,
        dry_run,
        labels,
        origin_url: fields.remove("origin_url"),
        origin_ref: fields.remove("origin_ref"),
        sha256,
        fields: fields.into_iter().filter(|(name, _)| own.contains(&name.as_str())).collect(),
        way: Way::Api,
        began,
    })
}

/// The fields that the named format adds; those of all formats when it is not known.
fn own_fields(
    registry: &Registry,
    named: Option<&String>,
    problems: &mut Vec<Problem>,
    given: &BTreeSet<String>,
) -> (Vec<&'static str>, Option<keeper_core::repository::FormatKey>) {
    let all =
        || registry.iter().flat_map(|(_, handler)| handler.info().upload_fields).map(|field| field.name).collect();
    match named.map(|named| registry.named(named)) {
        Some(Ok((key, handler))) => (handler.info().upload_fields.iter().map(|field| field.name).collect(), Some(key)),
        Some(Err(failure)) => {
            problems.push(failure.first().clone());
            (all(), None)
        }
        None => {
            let reported = problems.iter().any(|problem| problem.field.as_deref() == Some("format"));
            if !reported && !given.contains("format") {
                let problem = Problem::new(&codes::FIELD_MISSING, "the field \"format\" is missing");
                problems.push(problem.hint("Add -F format=go.").field("format"));
            }
            (all(), None)
        }
    }
}

fn unknown_fields(
    fields: &BTreeMap<String, String>,
    own: &[&'static str],
    given: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let known: Vec<&str> =
        COMMON_FIELDS.iter().map(|field| field.name).chain(["file"]).chain(own.iter().copied()).collect();
    for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
        let nearest = known.iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
        let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        let problem = Problem::new(&codes::UNKNOWN_FIELD, format!("the field \"{shown}\" is not known")).field(shown);
        let Some(nearest) = nearest.filter(|nearest| strsim::jaro(nearest, name) > 0.75) else {
            problems.push(problem.hint(format!("Accepted: {}.", known.join(", "))));
            continue;
        };
        problems.push(problem.hint(format!("Did you mean \"{nearest}\"? Accepted: {}.", known.join(", "))));
        if !given.contains(*nearest) && *nearest != "file" {
            problems.push(
                Problem::new(&codes::FIELD_MISSING, format!("the field \"{nearest}\" is missing")).field(*nearest),
            );
        }
    }
}

/// The form as OpenAPI sees it: the common fields and those that the formats of this build add.
fn schema() -> MetaSchemaRef {
    let text = |description: &'static str, example: &str, switch: bool| {
        let enum_items = if switch { vec![json!("true"), json!("false")] } else { Vec::new() };
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            description: Some(description),
            example: (!example.is_empty()).then(|| json!(example)),
            enum_items,
            ..MetaSchema::new("string")
        }))
    };
    let file = MetaSchemaRef::Inline(Box::new(MetaSchema {
        description: Some("The bytes of the artifact (Go: a zip archive, for example made by `git archive`)."),
        ..MetaSchema::new_with_format("string", "binary")
    }));
    let mut properties = vec![("file", file)];
    for field in &COMMON_FIELDS {
        let one = text(field.help, field.example, SWITCHES.contains(&field.name));
        let described = if field.name == "label" {
            let (description, items) = (Some(field.help), Some(Box::new(one)));
            MetaSchemaRef::Inline(Box::new(MetaSchema { description, items, ..MetaSchema::new("array") }))
        } else {
            one
        };
        properties.push((field.name, described));
    }
    if let Ok(registry) = keeper_formats::registry() {
        let own = registry.iter().flat_map(|(_, handler)| handler.info().upload_fields);
        properties.extend(own.map(|field| (field.name, text(field.help, "", false))));
    }
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        required: vec!["file", "format"],
        properties,
        ..MetaSchema::new("object")
    }))
}
