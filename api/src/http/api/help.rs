//! Help for those who use a format's client: how it is set up, and what is wrong when it is not.

use std::sync::Arc;

use keeper_core::artifact::PackageName;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Finding, SetupText};
use keeper_core::pipeline::{Diagnosis, Place, Seen, Setup};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::Group;
use super::caller::Caller;
use super::repositories::address;
use super::views::time;
use crate::http::{App, Refused};

pub(super) struct Help;

/// How the caller gets to a repository.
#[derive(Object)]
struct SetupView {
    /// Its format.
    format: String,
    /// Its name.
    repository: String,
    /// Its address as the caller knows this server, for example `https://registry.example.com/go/local`.
    repository_url: String,
    /// Whether requests travel encrypted.
    https: bool,
    /// Whether reading needs a credential.
    credential_needed: bool,
    /// Whether the caller may publish here; only then there are texts for it.
    may_publish: bool,
    /// The texts, the one that most need first.
    texts: Vec<SetupTextView>,
}

/// A text that sets up a client.
#[derive(Object)]
struct SetupTextView {
    /// Names it within the format, for example `shell` or `netrc`; stable.
    id: String,
    /// For people.
    title: String,
    /// `read` or `publish`.
    purpose: String,
    /// What it is written in: `sh` for a POSIX shell, `powershell`, else for example `yaml`, `groovy`, `dockerfile`.
    language: String,
    /// The file that it is the content of; absent for what is pasted into a shell.
    #[oai(skip_serializing_if_is_none)]
    path: Option<String>,
    /// Ready to use, with the real address in it. No secret is in it: it reads them from variables.
    text: String,
    /// What to know.
    notes: Vec<String>,
}

/// Whether the caller's package client has come.
#[derive(Object)]
struct SeenView {
    /// The last read of the repository with a token of the caller's; absent while there was none.
    #[oai(skip_serializing_if_is_none)]
    last_read: Option<LastReadView>,
}

/// A read of a package client.
#[derive(Object)]
struct LastReadView {
    /// When it came.
    at: String,
    /// What it asked for.
    path: String,
    /// What the token is called that it came with.
    token_name: String,
    /// That token's first characters.
    display: String,
    /// Why it was refused; absent if it got what it asked for.
    #[oai(skip_serializing_if_is_none)]
    code: Option<String>,
}

/// What a client's settings are like.
#[derive(Object)]
struct DiagnosisView {
    /// The format.
    format: String,
    /// The repository that the client shall use.
    repository: String,
    /// Its address as the caller knows this server.
    repository_url: String,
    /// Whether nothing keeps the client from using the repository: no finding is an `error`.
    healthy: bool,
    /// What was found, the worst first.
    findings: Vec<FindingView>,
}

/// Something about a client's settings.
#[derive(Object)]
struct FindingView {
    /// Its stable name, for example `proxy_bypassed`.
    code: String,
    /// `error`: it does not work; `warning`: it has a consequence that is easily overlooked; `advice`.
    severity: String,
    /// The setting at fault, for example `GONOPROXY`.
    setting: String,
    /// What is wrong and what follows from it.
    explanation: String,
    /// Commands that mend it; may be empty.
    commands: Vec<String>,
}

#[OpenApi(tag = "Group::Clients")]
impl Help {
    /// Get set-up texts.
    ///
    /// Texts that set up the clients of a repository that the caller may read, with its real address: for a shell,
    /// for credentials, for continuous integration, and for publishing if the caller may.
    /// Patterns of private packages go into the texts of a format that has a setting for them.
    #[oai(path = "/repositories/:format/:name/setup", method = "get", operation_id = "get_setup")]
    async fn setup(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The format of the repository.
        format: Path<String>,
        /// The name of the repository.
        name: Path<String>,
        /// Patterns of the packages that are private to the caller, with commas between them, as the format reads
        /// patterns; without them those that the repository's settings know.
        private: Query<Option<String>>,
    ) -> Result<Json<SetupView>, Refused> {
        let at = address(&app, &format, &name)?;
        let private: Vec<_> = private.0.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        let private: Vec<_> = private.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect();
        let setup = app.keeper.setup(&caller.principal, &at, &place(&app, &caller)?, &private).await?;
        Ok(Json(setup.into()))
    }

    /// See whether a client arrives.
    ///
    /// The last read of the repository by a package client with a token of the caller's, for somebody who has just set
    /// one up. It is remembered for an hour by the server that answered it, and gone when that restarts; of several
    /// servers each knows its own. What comes without a token is nobody's.
    #[oai(path = "/repositories/:format/:name/setup/seen", method = "get", operation_id = "get_setup_seen")]
    async fn seen(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The format of the repository.
        format: Path<String>,
        /// The name of the repository.
        name: Path<String>,
    ) -> Result<Json<SeenView>, Refused> {
        let at = address(&app, &format, &name)?;
        let seen = app.keeper.seen(&caller.principal, &at).await?;
        Ok(Json(SeenView { last_read: seen.map(LastReadView::from) }))
    }

    /// Judge a client's settings.
    ///
    /// Says what keeps a client from using a repository, and the commands that mend it. The body is what the
    /// client reports of itself, for Go the output of `go env -json`; a client that prints no JSON is reported as a
    /// JSON string. Nothing of it is kept.
    #[oai(path = "/doctor", method = "post", operation_id = "diagnose_client")]
    async fn doctor(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The format, for example `go`.
        format: Query<String>,
        /// The repository that the client shall use; by default the one that uploads go to.
        repository: Query<Option<String>>,
        /// The package that makes trouble, if there is one.
        package: Query<Option<String>>,
        report: Json<Any<Value>>,
    ) -> Result<Json<DiagnosisView>, Refused> {
        let at = match &repository.0 {
            Some(name) => address(&app, &format, name)?,
            None => {
                let (format, _) = app.keeper.ports().registry.named(&format)?;
                app.keeper.usual(&caller.principal, &format).await?
            }
        };
        let package = package.0.as_deref().map(package_name).transpose()?;
        let report = match report.0 {
            Any(Value::String(text)) => text,
            Any(value) => value.to_string(),
        };
        let place = place(&app, &caller)?;
        let diagnosis = app.keeper.doctor(&caller.principal, &at, package.as_ref(), &report, &place).await?;
        Ok(Json(diagnosis.into()))
    }
}

fn package_name(text: &str) -> Result<PackageName, Failure> {
    let parsed = PackageName::try_from(text);
    parsed.map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("package"))
}

/// Where the caller reaches this server.
pub(super) fn place<'a>(app: &App, caller: &'a Caller) -> Result<Place<'a>, Refused> {
    let own_authority = app.front.own_authority && caller.facts.https;
    Ok(Place::new(&caller.facts.base_url, own_authority)?)
}

impl From<Setup> for SetupView {
    fn from(setup: Setup) -> Self {
        Self {
            format: setup.repository.address.format.to_string(),
            repository: setup.repository.address.name.to_string(),
            repository_url: setup.repository_url,
            https: setup.https,
            credential_needed: setup.credential_needed,
            may_publish: setup.may_publish,
            texts: setup.texts.into_iter().map(SetupTextView::from).collect(),
        }
    }
}

impl From<SetupText> for SetupTextView {
    fn from(text: SetupText) -> Self {
        Self {
            id: text.id.to_owned(),
            title: text.title.to_owned(),
            purpose: text.purpose.as_str().to_owned(),
            language: text.language.to_owned(),
            path: text.path.map(str::to_owned),
            text: text.text,
            notes: text.notes,
        }
    }
}

impl From<Seen> for LastReadView {
    fn from(seen: Seen) -> Self {
        Self {
            at: time(seen.visit.at),
            path: seen.visit.path,
            token_name: seen.token.name,
            display: seen.token.display,
            code: seen.visit.refused.map(|code| code.name.to_owned()),
        }
    }
}

impl From<Diagnosis> for DiagnosisView {
    fn from(diagnosis: Diagnosis) -> Self {
        Self {
            format: diagnosis.repository.address.format.to_string(),
            repository: diagnosis.repository.address.name.to_string(),
            healthy: diagnosis.is_healthy(),
            repository_url: diagnosis.repository_url,
            findings: diagnosis.findings.into_iter().map(FindingView::from).collect(),
        }
    }
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.to_owned(),
            severity: finding.severity.as_str().to_owned(),
            setting: finding.setting.to_owned(),
            explanation: finding.explanation,
            commands: finding.commands,
        }
    }
}
