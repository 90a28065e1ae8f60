//! What may come in: rules over names and versions, names that belong to another repository, and the least age.
//!
//! The age of a version counts from when it was made, as it says itself; of one that appeared after its package had
//! been listed here, from when it was first seen, for a date can be set back. Versions whose time nobody knows yet are
//! too young. A version that withdraws one which is admitted is let through at any age.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Copies;
use crate::artifact::{Coordinate, FilePath, PackageName, VersionName};
use crate::documents::KeptDocument;
use crate::error::{Failure, codes};
use crate::format::{AdmitAll, Document, Gate, Recorded, RepositoryView as _, Route, Want};
use crate::limits::AGES_PER_LIST;
use crate::pipeline::members;
use crate::source::{Rule, Source};
use crate::upstream::Validators;

/// When versions were first listed, in seconds since 1970; 0 for those that were there at the first look.
type FirstSeen = BTreeMap<String, i64>;

impl Copies {
    /// Whether rules refuse the package (without a version) or the version by its name.
    ///
    /// # Errors
    /// `blocked` with the reason.
    pub(super) fn admit_by_name(&self, package: &PackageName, version: Option<&VersionName>) -> Result<(), Failure> {
        let covers = |pattern: &str, package: &PackageName| self.handler.covers(pattern, package);
        let key = |version: &VersionName| self.handler.sort_key(version);
        let Some(by) = self.remote.rules.refusing(package, version, covers, key) else { return Ok(()) };
        let what = version.map_or_else(|| package.to_string(), |version| format!("{package}@{version}"));
        Err(self.refusal(&what, by))
    }

    fn refusal(&self, what: &str, by: Option<&Rule>) -> Failure {
        let repository = &self.repository.address;
        let why = match by {
            None => "no rule allows it".to_owned(),
            Some(rule) if rule.reason.is_empty() => format!("a rule denies {}", rule.packages),
            Some(rule) => rule.reason.clone(),
        };
        Failure::new(&codes::BLOCKED, format!("{what} is blocked in repository \"{repository}\": {why}"))
    }

    /// Whether a virtual repository that has this one as a member knows the name to belong elsewhere: then no upstream
    /// hears of it, whichever way it was asked for.
    ///
    /// # Errors
    /// `name_claimed`.
    pub(super) async fn refuse_claimed(&self, package: &PackageName) -> Result<(), Failure> {
        let all = self.keeper.ports.repositories.list().await?;
        let own = &self.repository.address;
        for repository in all.iter().filter(|one| one.address.format == own.format) {
            let Source::Virtual(made_of) = &repository.source else { continue };
            if !made_of.members.contains(&own.name) {
                continue;
            }
            let owners = members::claimants(&self.keeper, &self.handler, repository, made_of, package).await?;
            if owners.is_some_and(|owners| !owners.contains(&own.name)) {
                let detail = format!("{package} belongs to another repository, and no upstream is asked for it");
                return Err(Failure::new(&codes::NAME_CLAIMED, detail));
            }
        }
        Ok(())
    }

    /// Whether a version is old enough. `asking` is the file that is being fetched: its own time cannot be asked for
    /// by way of itself, so it is let in and judged again when it is here.
    ///
    /// # Errors
    /// `blocked` with the time from which it will be admitted.
    pub(super) async fn admit_by_age(&self, what: &Coordinate, asking: Option<&FilePath>) -> Result<(), Failure> {
        if self.remote.rules.min_age_seconds == 0 || self.judging {
            return Ok(());
        }
        if let (Some(asking), Some(route)) = (asking, self.handler.time_file(what))
            && matches!(&route.want, Want::File { path, .. } if path == asking)
            && self.keeper.ports.artifacts.file(self.repository.id, asking).await?.is_none()
        {
            return Ok(());
        }
        let seen = self.first_seen(&what.package).await?;
        let made = self.made_at(what, &seen).await?;
        if self.is_old_enough(made) || self.withdraws_an_admitted_one(what, &seen).await? {
            return Ok(());
        }
        Err(self.too_young(what, made))
    }

    /// Whether a version takes back one that is stored here and old enough.
    async fn withdraws_an_admitted_one(&self, what: &Coordinate, seen: &FirstSeen) -> Result<bool, Failure> {
        let mut admitted = Vec::new();
        for other in self.versions(&what.package).await?.unwrap_or_default() {
            let other = Self::of(&what.package, &other);
            let recorded = self.recorded(&other).await?;
            if other.version != what.version && self.is_old_enough(self.made_by(&other, recorded.as_ref(), seen)) {
                admitted.push(other.version);
            }
        }
        if admitted.is_empty() {
            return Ok(false);
        }
        let judging = Self { judging: true, ..self.clone() };
        Box::pin(self.handler.withdraws(what, &admitted, &judging)).await
    }

    fn is_old_enough(&self, made: Option<Timestamp>) -> bool {
        let least = i64::try_from(self.remote.rules.min_age_seconds).unwrap_or(i64::MAX);
        made.is_some_and(|made| Timestamp::now().as_second().saturating_sub(made.as_second()) >= least)
    }

    fn too_young(&self, what: &Coordinate, made: Option<Timestamp>) -> Failure {
        let least = i64::try_from(self.remote.rules.min_age_seconds).unwrap_or(i64::MAX);
        let from = made.and_then(|made| Timestamp::from_second(made.as_second().saturating_add(least)).ok());
        let from =
            from.map_or_else(String::new, |from| format!("; it will be admitted on {}", from.strftime("%Y-%m-%d")));
        let days = self.remote.rules.min_age_seconds.div_ceil(24 * 60 * 60);
        let repository = &self.repository.address;
        Failure::new(
            &codes::BLOCKED,
            format!("{what} is blocked in repository \"{repository}\": it is younger than {days} days{from}"),
        )
    }

    /// When a version was made, or first seen if that is later.
    async fn made_at(&self, what: &Coordinate, seen: &FirstSeen) -> Result<Option<Timestamp>, Failure> {
        let mut recorded = self.recorded(what).await?;
        if self.made_by(what, recorded.as_ref(), seen).is_none()
            && let Some(route) = self.handler.time_file(what)
            && let Want::File { path, coordinate } = &route.want
        {
            Box::pin(self.fetch_quietly(&route, path, coordinate)).await?;
            recorded = self.recorded(what).await?;
        }
        Ok(self.made_by(what, recorded.as_ref(), seen))
    }

    /// The same by what is recorded.
    fn made_by(&self, what: &Coordinate, recorded: Option<&Recorded>, seen: &FirstSeen) -> Option<Timestamp> {
        let made = recorded.and_then(|recorded| self.handler.made_at(&recorded.metadata))?;
        let seen = seen.get(what.version.as_str()).and_then(|at| Timestamp::from_second(*at).ok());
        Some(seen.map_or(made, |seen| seen.max(made)))
    }

    async fn first_seen(&self, package: &PackageName) -> Result<FirstSeen, Failure> {
        let kept = self.keeper.ports.documents.recall(&self.owner(), &seen_name(package)).await?;
        Ok(kept.and_then(|kept| serde_json::from_slice(&kept.body).ok()).unwrap_or_default())
    }

    /// The indexes joined by the format, without what is not admitted.
    ///
    /// # Errors
    /// What the format says of them, or the refusal of what they name.
    pub(super) async fn merged(&self, route: &Route, parts: &[Document]) -> Result<Document, Failure> {
        let room = &self.keeper.fetches.room;
        let _space = room.for_work(parts.iter().map(|part| part.body.len() as u64).sum()).await?;
        let merged = if self.remote.rules.is_empty() {
            self.handler.merge(route, parts, &AdmitAll)?
        } else {
            let named = Named::default();
            self.handler.merge(route, parts, &named)?;
            let young = self.too_young_of(named).await?;
            self.handler.merge(route, parts, &ByRules { copies: self, young })?
        };
        Ok(Document { body: room.answer(merged.body)?, ..merged })
    }

    /// Of the versions that indexes name, those that are not old enough, and why.
    async fn too_young_of(&self, named: Named) -> Result<BTreeMap<(PackageName, VersionName), Failure>, Failure> {
        let mut young = BTreeMap::new();
        if self.remote.rules.min_age_seconds == 0 {
            return Ok(young);
        }
        let mut asked = 0;
        for (package, versions) in named.take() {
            self.note_first_seen(&package, &versions).await?;
            let seen = self.first_seen(&package).await?;
            let mut versions: Vec<_> = versions.into_iter().collect();
            // The newest first: they are what people want, and what may be too young.
            versions.sort_by_key(|version| std::cmp::Reverse(self.handler.sort_key(version)));
            let mut doubtful = Vec::new();
            for version in versions {
                let what = Self::of(&package, &version);
                let recorded = self.recorded(&what).await?;
                let known = self.made_by(&what, recorded.as_ref(), &seen);
                asked += usize::from(known.is_none());
                let made = match known {
                    None if asked > AGES_PER_LIST => Ok(None),
                    None => self.made_at(&what, &seen).await,
                    known => Ok(known),
                };
                match made {
                    Ok(made) if self.is_old_enough(made) => {}
                    Ok(Some(made)) => doubtful.push((what, made)),
                    Ok(None) => drop(young.insert((package.clone(), version), self.too_young(&what, None))),
                    Err(failure) => drop(young.insert((package.clone(), version), failure)),
                }
            }
            // Only now it is known which versions are admitted, and so whether one of them is withdrawn.
            for (what, made) in doubtful {
                match self.withdraws_an_admitted_one(&what, &seen).await {
                    Ok(true) => {}
                    Ok(false) => {
                        drop(young.insert((package.clone(), what.version.clone()), self.too_young(&what, Some(made))))
                    }
                    Err(failure) => drop(young.insert((package.clone(), what.version), failure)),
                }
            }
        }
        Ok(young)
    }

    /// Writes down when versions appeared that are not known yet.
    async fn note_first_seen(&self, package: &PackageName, versions: &BTreeSet<VersionName>) -> Result<(), Failure> {
        let (owner, name) = (self.owner(), seen_name(package));
        let before = self.keeper.ports.documents.recall(&owner, &name).await?;
        let at = if before.is_some() { Timestamp::now().as_second() } else { 0 };
        let mut seen: FirstSeen = before.and_then(|kept| serde_json::from_slice(&kept.body).ok()).unwrap_or_default();
        let known = seen.len();
        for version in versions {
            seen.entry(version.as_str().to_owned()).or_insert(at);
        }
        if seen.len() == known && known > 0 {
            return Ok(());
        }
        let body = serde_json::to_vec(&seen).unwrap_or_default().into();
        let kept = KeptDocument { body, validators: Validators::default(), fetched_at: Timestamp::now() };
        Ok(self.keeper.ports.documents.keep(&owner, &name, kept).await?)
    }
}

fn seen_name(package: &PackageName) -> String {
    format!("first-seen {package}")
}

/// Notes what a format asks for, and lets it through.
#[derive(Default)]
struct Named(Mutex<BTreeMap<PackageName, BTreeSet<VersionName>>>);

impl Named {
    fn take(self) -> BTreeMap<PackageName, BTreeSet<VersionName>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Named {
    fn admit(&self, package: &PackageName, version: &VersionName) -> Result<(), Failure> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.entry(package.clone()).or_default().insert(version.clone());
        Ok(())
    }
}

/// The rules of a repository, with the versions that were found too young.
struct ByRules<'a> {
    copies: &'a Copies,
    young: BTreeMap<(PackageName, VersionName), Failure>,
}

impl Gate for ByRules<'_> {
    fn admit(&self, package: &PackageName, version: &VersionName) -> Result<(), Failure> {
        self.copies.admit_by_name(package, Some(version))?;
        match self.young.get(&(package.clone(), version.clone())) {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }
}
