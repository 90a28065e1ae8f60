//! `/api/explain`: why a client gets the answer that it gets.

use std::sync::Arc;

use keeper_core::error::Failure;
use keeper_core::pipeline::{Answered, Explanation, Question, Step};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::help::place;
use crate::http::{App, Refused, status_of};

pub(super) struct Explain;

/// The way to an answer.
#[derive(Object)]
struct ExplanationView {
    /// What was decided, in order. More kinds of steps may come.
    steps: Vec<StepView>,
    /// What each request of a client gets, in the order in which a client sends them.
    answers: Vec<AnswerView>,
    /// The HTTP status that decides: of the first refusal, else 200.
    status: u16,
    /// The code of that refusal.
    #[oai(skip_serializing_if_is_none)]
    code: Option<String>,
    /// What that refusal says.
    #[oai(skip_serializing_if_is_none)]
    detail: Option<String>,
    /// What to do about it.
    #[oai(skip_serializing_if_is_none)]
    hint: Option<String>,
}

/// One decision.
#[derive(Object)]
struct StepView {
    /// What was decided on: `credential`, `repository`, `request`, `package`, `version` or `policy`.
    subject: String,
    /// `passed`, `absent` or `refused`.
    verdict: String,
    /// Why.
    detail: String,
    /// The code of a refusal.
    #[oai(skip_serializing_if_is_none)]
    code: Option<String>,
}

/// A request and what it gets.
#[derive(Object)]
struct AnswerView {
    /// The path on this server.
    path: String,
    /// The HTTP status of its answer.
    status: u16,
    /// The code of a refusal.
    #[oai(skip_serializing_if_is_none)]
    code: Option<String>,
}

#[OpenApi(tag = "Group::Clients")]
impl Explain {
    /// Explain an answer.
    ///
    /// Says which repository, state or rule decides what a client with the caller's credential gets. The requests
    /// of the client are made as it would make them, so that the explanation is what happens.
    #[oai(path = "/explain", method = "get", operation_id = "explain_answer")]
    async fn explain(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The format, for example `go`.
        format: Query<String>,
        /// The repository.
        repository: Query<String>,
        /// The package, for example `github.com/yourcompany/mymodule`.
        package: Query<String>,
        /// The version, or what a client may name in its place, such as a branch; without one, what a client asks
        /// that names none.
        version: Query<Option<String>>,
    ) -> Result<Json<ExplanationView>, Refused> {
        let question = Question {
            who: &caller.principal,
            format: &format,
            repository: &repository,
            package: &package,
            version: version.0.as_deref(),
        };
        let explanation = app.keeper.explain(&question, &place(&app, &caller)?).await?;
        Ok(Json(explanation.into()))
    }
}

fn status(result: &Result<(), Failure>) -> u16 {
    result.as_ref().map_or_else(|failure| status_of(failure.code().class).as_u16(), |()| 200)
}

fn code(result: &Result<(), Failure>) -> Option<String> {
    result.as_ref().err().map(|failure| failure.code().name.to_owned())
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        let outcome = &explanation.outcome;
        let refusal = outcome.as_ref().err().map(Failure::first);
        Self {
            status: status(outcome),
            code: code(outcome),
            detail: refusal.map(|problem| problem.detail.clone()),
            hint: refusal.map(|problem| problem.hint_text().to_owned()),
            steps: explanation.steps.into_iter().map(StepView::from).collect(),
            answers: explanation.answers.into_iter().map(AnswerView::from).collect(),
        }
    }
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        Self {
            subject: step.subject.as_str().to_owned(),
            verdict: step.verdict.as_str().to_owned(),
            detail: step.detail,
            code: step.code.map(str::to_owned),
        }
    }
}

impl From<Answered> for AnswerView {
    fn from(answer: Answered) -> Self {
        Self { status: status(&answer.result), code: code(&answer.result), path: answer.path }
    }
}
