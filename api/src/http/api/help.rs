//! Help for those who use a format's client: how it is set up.

use std::sync::Arc;

use keeper_core::format::SetupText;
use keeper_core::pipeline::{Place, Setup};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::repositories::address;
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
    /// What it is written in: `sh` for a POSIX shell, else for example `yaml`, `groovy`, `dockerfile`.
    language: String,
    /// The file that it is the content of; absent for what is pasted into a shell.
    #[oai(skip_serializing_if_is_none)]
    path: Option<String>,
    /// Ready to use, with the real address in it. No secret is in it: it reads them from variables.
    text: String,
    /// What to know.
    notes: Vec<String>,
}

#[OpenApi(tag = "Group::Clients")]
impl Help {
    /// Get set-up texts.
    ///
    /// Texts that set up the clients of a repository that the caller may read, with its real address: for a shell,
    /// for credentials, for continuous integration, and for publishing if the caller may.
    #[oai(path = "/repositories/:format/:name/setup", method = "get", operation_id = "get_setup")]
    async fn setup(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The format of the repository.
        format: Path<String>,
        /// The name of the repository.
        name: Path<String>,
    ) -> Result<Json<SetupView>, Refused> {
        let at = address(&app, &format, &name)?;
        let setup = app.keeper.setup(&caller.principal, &at, &place(&app, &caller)?).await?;
        Ok(Json(setup.into()))
    }
}

/// Where the caller reaches this server.
fn place<'a>(app: &App, caller: &'a Caller) -> Result<Place<'a>, Refused> {
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
