//! `/api/repositories/{format}/{name}/retention`: rules, and what they would remove.

use std::sync::Arc;

use keeper_core::access::Action;
use keeper_core::artifact::ArtifactId;
use keeper_core::error::{Failure, codes};
use keeper_core::repository::{Deletion, Repository};
use keeper_core::retention::{Doomed, Rule, Rules, SetRules};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, default_limit};
use super::repositories::address;
use super::revision::{Tagged, expected, stale};
use super::views::time;
use crate::http::{App, Refused};

pub(super) struct Retention;

/// A rule: a version goes when all conditions that are given hold.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none)]
struct RuleView {
    /// Only packages that one of these patterns fits (`corp.example/*`); absent is all.
    packages: Option<Vec<String>>,
    /// It is not among so many newest versions of its package.
    keep_last: Option<u32>,
    /// It was published more than so many days ago.
    older_than_days: Option<u32>,
    /// It was not downloaded for so many days.
    unused_for_days: Option<u32>,
}

/// The rules of a repository.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewRules {
    /// A version goes when one of them says so; none keeps everything.
    rules: Vec<RuleView>,
}

/// The rules of a repository, and what they would remove if that was asked for.
#[derive(Object)]
struct RetentionView {
    /// A version goes when one of them says so.
    rules: Vec<RuleView>,
    /// Who set them.
    #[oai(skip_serializing_if_is_none)]
    set_by: Option<String>,
    /// When they were set.
    #[oai(skip_serializing_if_is_none)]
    set_at: Option<String>,
    /// With `dry_run=true`: what they would remove now.
    #[oai(skip_serializing_if_is_none)]
    would_remove: Option<WouldRemove>,
}

/// What rules would remove now.
#[derive(Object)]
struct WouldRemove {
    /// How many versions, all pages together.
    versions: u64,
    /// Bytes of their files.
    bytes: u64,
    /// A page of them, the first published first.
    items: Vec<DoomedView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A version that a rule would remove.
#[derive(Object)]
struct DoomedView {
    /// The id of the artifact.
    id: String,
    /// The package.
    name: String,
    /// The version.
    version: String,
    /// When it was published.
    published_at: String,
    /// Bytes of its files.
    bytes: u64,
    /// The rule, counted from 1.
    rule: u64,
}

/// Which page of what would be removed.
struct PageAsked<'a> {
    caller: &'a Caller,
    limit: u32,
    cursor: Option<String>,
}

#[OpenApi(tag = "Group::Repositories")]
impl Retention {
    /// Read the retention rules of a repository.
    ///
    /// For everybody who may read the repository. With `dry_run=true` also what they would remove now; the
    /// newest version of each package and pinned versions never are.
    #[oai(path = "/repositories/:format/:name/retention", method = "get", operation_id = "get_retention")]
    #[allow(clippy::too_many_arguments)]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// `true`: also tell what would be removed.
        #[oai(default)]
        dry_run: Query<bool>,
        /// At most so many of it, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Tagged<RetentionView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Read).await?;
        let set = app.keeper.ports().lifecycle.rules(repository.id).await.map_err(Failure::from)?;
        let page = PageAsked { caller: &caller, limit: limit.0, cursor: cursor.0 };
        let rules = set.as_ref().map(|set| set.rules.clone()).unwrap_or_default();
        let plan = if dry_run.0 { Some(would_remove(&app, &repository, &rules, page).await?) } else { None };
        let revision = SetRules::revision(set.as_ref());
        Ok(Tagged::new(RetentionView::of(rules, set, plan), revision))
    }

    /// Set the retention rules of a repository.
    ///
    /// Replaces all rules. They are applied in the background, once a day unless configured otherwise. With
    /// `dry_run=true` nothing is kept, and the answer tells what they would remove now.
    #[oai(path = "/repositories/:format/:name/retention", method = "put", operation_id = "set_retention")]
    #[allow(clippy::too_many_arguments)]
    async fn set(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// `true`: keep nothing, only tell what would be removed.
        #[oai(default)]
        dry_run: Query<bool>,
        /// At most so many of it, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The ETag that the change was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<NewRules>,
    ) -> Result<Tagged<RetentionView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Manage).await?;
        let rules = checked(body.0)?;
        if repository.deletion == Deletion::Never && !rules.list().is_empty() {
            let detail = format!("repository \"{address}\" never deletes, so it has no use for retention rules");
            return Err(Failure::new(&codes::DELETION_FORBIDDEN, detail).into());
        }
        let lifecycle = &app.keeper.ports().lifecycle;
        let expected = expected(if_match.0.as_deref())?;
        if dry_run.0 {
            let page = PageAsked { caller: &caller, limit: limit.0, cursor: cursor.0 };
            let plan = would_remove(&app, &repository, &rules, page).await?;
            let present = SetRules::revision(lifecycle.rules(repository.id).await.map_err(Failure::from)?.as_ref());
            if expected.is_some_and(|expected| expected != present) {
                return Err(stale().into());
            }
            return Ok(Tagged::new(RetentionView::of(rules, None, Some(plan)), present));
        }
        if !lifecycle.set_rules(repository.id, rules, expected, &caller.actor()).await.map_err(Failure::from)? {
            return Err(stale().into());
        }
        let set = lifecycle.rules(repository.id).await.map_err(Failure::from)?;
        let revision = SetRules::revision(set.as_ref());
        let rules = set.as_ref().map(|set| set.rules.clone()).unwrap_or_default();
        Ok(Tagged::new(RetentionView::of(rules, set, None), revision))
    }
}

fn checked(new: NewRules) -> Result<Rules, Failure> {
    let rule = |view: RuleView| Rule {
        packages: view.packages.unwrap_or_default(),
        keep_last: view.keep_last,
        older_than_days: view.older_than_days,
        unused_for_days: view.unused_for_days,
    };
    let rules: Vec<_> = new.rules.into_iter().map(rule).collect();
    Rules::try_from(rules).map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("rules"))
}

async fn would_remove(
    app: &App,
    repository: &Repository,
    rules: &Rules,
    page: PageAsked<'_>,
) -> Result<WouldRemove, Failure> {
    let limit = listing::limit(page.limit)? as usize;
    let bound_to = [Some(repository.address.to_string()), Some(format!("{:?}", rules.list()))];
    let filter = page.caller.filter("retention", &[&bound_to[0], &bound_to[1]]);
    let after = page.cursor.as_deref().map(|text| filter.open(text)).transpose()?.map(ArtifactId);
    let plan = app.keeper.retention_plan(repository, rules, after, limit).await?;
    let last = plan.items.last().filter(|_| plan.more).map(|doomed| filter.seal(doomed.candidate.id.0));
    Ok(WouldRemove {
        versions: plan.versions,
        bytes: plan.bytes,
        items: plan.items.into_iter().map(DoomedView::of).collect(),
        next_cursor: NextCursor(last),
    })
}

impl DoomedView {
    fn of(doomed: Doomed) -> Self {
        Self {
            id: doomed.candidate.id.to_string(),
            name: doomed.coordinate.package.to_string(),
            version: doomed.coordinate.version.to_string(),
            published_at: time(doomed.candidate.published_at),
            bytes: doomed.candidate.bytes,
            rule: doomed.rule as u64,
        }
    }
}

impl RetentionView {
    fn of(rules: Rules, set: Option<SetRules>, would_remove: Option<WouldRemove>) -> Self {
        let view = |rule: Rule| RuleView {
            packages: (!rule.packages.is_empty()).then_some(rule.packages),
            keep_last: rule.keep_last,
            older_than_days: rule.older_than_days,
            unused_for_days: rule.unused_for_days,
        };
        Self {
            rules: Vec::from(rules).into_iter().map(view).collect(),
            set_at: set.as_ref().map(|set| time(set.at)),
            set_by: set.map(|set| set.by),
            would_remove,
        }
    }
}
