//! Writes by an ecosystem's own protocol: `PUT /generic/files/tool/1.2/tool.tar.gz`.
//!
//! Order: understood and allowed → the stated length → a turn → the body, staged as it comes (an upload) or
//! read whole (a change, small) → the service. An upload's checksums are those that its headers state; with
//! `If-None-Match: *` (RFC 9110, 13.1.2) it must be new.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use keeper_core::access::Principal;
use keeper_core::blob::{BlobError, StagedBlob};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, Done, FormatHandler, FormatRequest, Intake, Outcome, UploadBody, Want};
use keeper_core::pipeline::{NativeWrite, Upload};
use keeper_core::provenance::Way;
use keeper_core::repository::FormatKey;
use poem::{Body, Response};

use super::App;
use super::form::{self, Form, FormRules};
use super::request::RequestFacts;
use super::shared_body::{SharedBody, broken_off, stated_length};
use super::stated_digest::stated_sha256;
use crate::server::body::PacedBody;

/// A native write as it came.
pub(super) struct Incoming<'a> {
    pub(super) who: &'a Principal,
    pub(super) facts: &'a RequestFacts,
    pub(super) headers: &'a HeaderMap,
    pub(super) version: Version,
    pub(super) body: Body,
}

impl App {
    /// Does what a request with an unsafe verb asks for below a repository.
    ///
    /// # Errors
    /// What the caller is told, in the text shape.
    pub(super) async fn native_write(
        &self,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        repository: &str,
        asked: &FormatRequest<'_>,
        incoming: Incoming<'_>,
    ) -> Result<Response, Failure> {
        let write = self.keeper.native_write(incoming.who, format, handler, repository, asked).await?;
        let done = match &write.route.want {
            Want::Change { body_limit_bytes, .. } => {
                let limit = *body_limit_bytes;
                let too_large = || Failure::new(&codes::TOO_LARGE, format!("this body has at most {limit} bytes"));
                let body = self.paced(incoming.body).whole(limit, too_large).await?;
                let change = handler.change(&write.route, &body)?;
                self.keeper.change(&write, change, incoming.facts.actor(incoming.who)).await?
            }
            Want::Upload(intake) => self.native_upload(format, handler, &write, intake.clone(), incoming).await?,
            Want::File { .. } | Want::Index(_) | Want::Page(_) => {
                return Err(Failure::method_not_allowed(asked.verb, "GET, HEAD"));
            }
        };
        let status = if done.outcome == Outcome::Published { StatusCode::CREATED } else { StatusCode::OK };
        Ok(receipt(status, handler.receipt(&done)))
    }

    async fn native_upload(
        &self,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        write: &NativeWrite,
        intake: Intake,
        incoming: Incoming<'_>,
    ) -> Result<Done, Failure> {
        let limit = handler.info().max_upload_bytes.min(self.admission.max_upload_bytes);
        check_length(incoming.headers, incoming.version, limit)?;
        let sha256 = stated_sha256(incoming.headers)?;
        let must_be_new = incoming.headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*");
        let expected = stated_length(incoming.headers).unwrap_or(limit);
        let body = self.paced(incoming.body);
        let _turn = self.admission.turn_for(incoming.who, expected, incoming.headers, &body).await?;
        let began = Instant::now();
        let staged = match intake.body {
            UploadBody::Raw => self.stage_raw(body.clone(), limit).await.map(|file| (file, Vec::new())),
            UploadBody::Form { file } => self.stage_form(body.clone(), incoming.headers, file, limit).await,
        };
        let (file, texts) = match staged {
            Ok(staged) => staged,
            Err(failure) => {
                body.linger().await;
                return Err(failure);
            }
        };
        let mut fields = intake.fields;
        for (name, text) in texts {
            fields.entry(name).and_modify(|known| known.extend(["\n", &text])).or_insert(text);
        }
        let upload = Upload {
            file,
            format: format.clone(),
            repository: Some(write.repository.address.name.clone()),
            name: intake.name,
            version: intake.version,
            strict: false,
            dry_run: false,
            labels: Vec::new(),
            origin_url: None,
            origin_ref: None,
            sha256,
            fields,
            way: Way::Client,
            began,
        };
        let published = self.keeper.publish(incoming.who, incoming.facts.actor(incoming.who), upload).await?;
        if must_be_new && !published.created {
            return Err(Failure::new(
                &codes::PRECONDITION_FAILED,
                "If-None-Match: * was sent, and it is there already",
            ));
        }
        let outcome = if published.created { Outcome::Published } else { Outcome::Unchanged };
        Ok(Done { coordinate: published.artifact.coordinate, outcome })
    }

    fn paced(&self, body: Body) -> SharedBody {
        SharedBody::new(PacedBody::new(body.into_bytes_stream(), self.admission.pace))
    }

    async fn stage_raw(&self, mut body: SharedBody, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, Failure> {
        let mut staged = self.keeper.ports().blobs.stage(limit_bytes).await?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| broken_off(&error))?;
            staged.write(chunk).await.map_err(|error| match error {
                BlobError::TooLarge { limit_bytes } => form::over_limit(limit_bytes),
                other => other.into(),
            })?;
        }
        Ok(staged)
    }

    async fn stage_form(
        &self,
        body: SharedBody,
        headers: &HeaderMap,
        file: &'static str,
        limit_bytes: u64,
    ) -> Result<(Box<dyn StagedBlob>, Vec<(String, String)>), Failure> {
        let boundary = form::boundary(headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()))?;
        let blobs = self.keeper.ports().blobs.as_ref();
        let allowed_already =
            |_: &[(String, String)]| -> futures_util::future::BoxFuture<'static, Result<(), Failure>> {
                Box::pin(async { Ok(()) })
            };
        let Form { texts, file: staged, problems } =
            form::read(body, boundary, FormRules::native(file), blobs, limit_bytes, &allowed_already).await?;
        if let Some(failure) = Failure::from_problems(problems) {
            return Err(failure);
        }
        let missing = || Failure::new(&codes::FIELD_MISSING, format!("the field {file:?} is missing")).field(file);
        Ok((staged.ok_or_else(missing)?, texts))
    }
}

/// Nobody sends in vain what is too long, and HTTP/1.1 without any framing has no body at all.
fn check_length(headers: &HeaderMap, version: Version, limit_bytes: u64) -> Result<(), Failure> {
    let is_framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    if version < Version::HTTP_2 && !is_framed {
        return Err(Failure::new(&codes::LENGTH_REQUIRED, codes::LENGTH_REQUIRED.title));
    }
    if stated_length(headers).is_some_and(|stated| stated > limit_bytes) {
        return Err(form::over_limit(limit_bytes));
    }
    Ok(())
}

fn receipt(status: StatusCode, document: Document) -> Response {
    let mut response = Response::builder().status(status).body(Body::from_bytes(document.body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(document.media_type.as_str()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
