//! Retention: which versions a repository keeps, as rules, and the one function that applies them.
//!
//! Shape of the rules: `[{"packages": ["corp.example/*"], "keep_last": 10, "older_than_days": 90}]`. A version
//! goes when one rule says so, and a rule says so when *all* its conditions hold: more is written, less goes.
//!
//! Whatever the rules say, these stay: what is pinned, and the newest version of each package (the newest one
//! that is active; if none is, the newest at all). What a rule removes becomes a tombstone like any other.
//!
//! Units: days are whole days of 24 hours.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::Pattern;
use crate::artifact::{ArtifactId, ArtifactState, Coordinate, PackageName, StoreError, VersionName};
use crate::limits::RETENTION_RULES;
use crate::repository::{Actor, RepositoryId};
use crate::uses::Use;

/// A day as a number since 1970.
pub type Day = i64;

/// The day of a moment.
#[must_use]
pub fn day_of(at: Timestamp) -> Day {
    at.as_second().div_euclid(24 * 60 * 60)
}

/// The rules of a repository, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Rule>", into = "Vec<Rule>")]
pub struct Rules(Vec<Rule>);

/// One rule. All conditions that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only packages that one of these patterns fits; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Not among so many newest active versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// Published more than so many days ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_days: Option<u32>,
    /// Not downloaded for so many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_for_days: Option<u32>,
}

/// Why rules are not accepted: the number of the rule and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {number}: {fault}")]
pub struct InvalidRules {
    /// Counted from 1.
    pub number: usize,
    /// What is wrong.
    pub fault: String,
}

impl TryFrom<Vec<Rule>> for Rules {
    type Error = InvalidRules;

    fn try_from(rules: Vec<Rule>) -> Result<Self, InvalidRules> {
        if rules.len() > RETENTION_RULES {
            let fault = format!("at most {RETENTION_RULES} rules are kept");
            return Err(InvalidRules { number: RETENTION_RULES + 1, fault });
        }
        for (at, rule) in rules.iter().enumerate() {
            rule.check().map_err(|fault| InvalidRules { number: at + 1, fault })?;
        }
        Ok(Self(rules))
    }
}

impl From<Rules> for Vec<Rule> {
    fn from(Rules(rules): Rules) -> Self {
        rules
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if self.keep_last.is_none() && self.older_than_days.is_none() && self.unused_for_days.is_none() {
            return Err("it needs keep_last, older_than_days or unused_for_days".to_owned());
        }
        if self.packages.len() > RETENTION_RULES {
            return Err(format!("it has more than {RETENTION_RULES} package patterns"));
        }
        let parse = |text: &String| Pattern::parse(text).map(drop).map_err(|rule| format!("{text:?}: {rule}"));
        self.packages.iter().try_for_each(parse)
    }

    fn concerns(&self, package: &PackageName) -> bool {
        let fits = |text: &String| Pattern::parse(text).is_ok_and(|pattern| pattern.matches(package.as_str()));
        self.packages.is_empty() || self.packages.iter().any(fits)
    }

    /// Whether all conditions hold for a version before which so many newer active ones come.
    fn holds(&self, version: &Candidate, newer: u32, known_since: Day, now: Timestamp) -> bool {
        let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
        let old = |limit: u32| now.duration_since(version.published_at) > days(limit);
        let last_used_on =
            version.last_used_on.unwrap_or(known_since).max(known_since).max(day_of(version.published_at));
        let unused = |limit: u32| day_of(now) - last_used_on > i64::from(limit);
        self.keep_last.is_none_or(|last| newer >= last)
            && self.older_than_days.is_none_or(old)
            && self.unused_for_days.is_none_or(unused)
    }
}

/// What the rules look at of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: ArtifactId,
    /// Its version.
    pub version: VersionName,
    /// Its state.
    pub state: ArtifactState,
    /// When it was published.
    pub published_at: Timestamp,
    /// The last day on which it was downloaded, if that is known.
    pub last_used_on: Option<Day>,
    /// Whether somebody wants it kept.
    pub pinned: bool,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A package with its versions in the ecosystem's order, tombstones left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersions {
    /// Where to go on behind it.
    pub key: i64,
    /// The package.
    pub package: PackageName,
    /// Its versions, the oldest first.
    pub versions: Vec<Candidate>,
}

/// A version that the rules remove, and the number of the rule, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The version.
    pub candidate: Candidate,
    /// Package and version.
    pub coordinate: Coordinate,
    /// The first rule that says so.
    pub rule: usize,
}

impl Rules {
    /// The rules.
    #[must_use]
    pub fn list(&self) -> &[Rule] {
        &self.0
    }

    /// The versions of a package that go. Uses before `known_since` were not recorded.
    #[must_use]
    pub fn doomed(&self, of: &PackageVersions, known_since: Day, now: Timestamp) -> Vec<Doomed> {
        let is_active = |version: &&Candidate| version.state == ArtifactState::Active;
        let newest = of.versions.iter().rev().find(is_active).or(of.versions.last()).map(|version| version.id);
        let concerned: Vec<_> = self.0.iter().enumerate().filter(|(_, rule)| rule.concerns(&of.package)).collect();
        let (mut newer, mut doomed) = (0, Vec::new());
        for version in of.versions.iter().rev() {
            let may_go = !version.pinned && Some(version.id) != newest && version.state != ArtifactState::Deleted;
            let rule = concerned.iter().find(|(_, rule)| may_go && rule.holds(version, newer, known_since, now));
            if let Some((at, _)) = rule {
                let coordinate = Coordinate { package: of.package.clone(), version: version.version.clone() };
                doomed.push(Doomed { candidate: version.clone(), coordinate, rule: at + 1 });
            }
            newer += u32::from(is_active(&version));
        }
        doomed
    }
}

/// Rules and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRules {
    /// The rules.
    pub rules: Rules,
    /// The login that set them.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl SetRules {
    /// Names these rules, for changes that are made for just these; 0 names none.
    #[must_use]
    pub fn revision(set: Option<&Self>) -> i64 {
        set.map_or(0, |set| set.at.as_microsecond())
    }
}

/// Keeps rules, pins and last uses. Changes of rules and pins write their audit row in the same transaction,
/// and so does what rules remove.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// The rules of a repository, if somebody set some.
    async fn rules(&self, of: RepositoryId) -> Result<Option<SetRules>, StoreError>;

    /// Replaces them, under a new revision; no rule is none. `false` when the present revision is not the
    /// expected one.
    async fn set_rules(
        &self,
        of: RepositoryId,
        rules: Rules,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<bool, StoreError>;

    /// The first day whose uses are recorded.
    async fn uses_known_since(&self) -> Result<Day, StoreError>;

    /// Packages with their versions, those behind `after` by key, at most so many.
    async fn packages(&self, of: RepositoryId, after: i64, limit: u32) -> Result<Vec<PackageVersions>, StoreError>;

    /// Turns what the repository's rules say of one package now into tombstones, in one transaction that reads
    /// rules and versions anew; answers what has gone, at most so many.
    async fn apply_rules(
        &self,
        of: RepositoryId,
        package: i64,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError>;

    /// Writes down the days on which versions were used; a day before the one that is known changes nothing.
    async fn record_uses(&self, uses: Vec<Use>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
