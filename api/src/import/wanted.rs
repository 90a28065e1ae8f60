//! What of a place is wanted, and which sums its users have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use keeper_core::artifact::{Coordinate, PackageName};
use keeper_core::format::{FormatHandler, Takeover};

use super::{Order, SUMS_BYTES};

/// A choice among the versions of a place.
pub(super) struct Wanted {
    handler: Arc<dyn FormatHandler>,
    only: Vec<String>,
    packages: BTreeSet<PackageName>,
    versions: HashSet<Coordinate>,
    named_only: bool,
    sums: HashMap<Coordinate, Vec<(String, String)>>,
}

impl Wanted {
    /// What an order says.
    pub(super) fn of(order: &Order, handler: Arc<dyn FormatHandler>) -> Result<Self, String> {
        for pattern in &order.only {
            handler.check_pattern(pattern).map_err(|why| format!("--only {pattern}: {why}"))?;
        }
        let mut wanted = Self {
            handler: handler.clone(),
            only: order.only.clone(),
            packages: BTreeSet::new(),
            versions: HashSet::new(),
            named_only: order.named_only,
            sums: HashMap::new(),
        };
        let Some(takeover) = handler.takeover() else { return Ok(wanted) };
        for text in &order.named {
            match takeover.named(text).map_err(|why| format!("--module {text}: {why}"))? {
                (package, None) => drop(wanted.packages.insert(package)),
                (package, Some(version)) => drop(wanted.versions.insert(Coordinate { package, version })),
            }
        }
        let mut bytes = 0;
        for file in &order.sums {
            wanted
                .read_sums(file, takeover, &mut bytes)
                .map_err(|why| format!("--go-sum {}: {why}", file.display()))?;
        }
        Ok(wanted)
    }

    fn read_sums(&mut self, file: &Path, takeover: &dyn Takeover, bytes: &mut u64) -> Result<(), String> {
        *bytes += std::fs::metadata(file).map_err(|error| error.to_string())?.len();
        if *bytes > SUMS_BYTES {
            return Err(format!("these files have more than {SUMS_BYTES} bytes together"));
        }
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        for known in takeover.known_sums(&text)? {
            let sums = self.sums.entry(known.coordinate).or_default();
            let sum = (known.name.to_owned(), known.sum);
            if !sums.contains(&sum) {
                sums.push(sum);
            }
        }
        Ok(())
    }

    /// Whether nothing says what is wanted, so that everything is.
    pub(super) fn is_everything(&self) -> bool {
        self.packages.is_empty() && self.versions.is_empty() && self.sums.is_empty()
    }

    /// Whether a version is wanted.
    pub(super) fn has(&self, what: &Coordinate) -> bool {
        let is_chosen = self.packages.is_empty() && self.versions.is_empty()
            || self.packages.contains(&what.package)
            || self.versions.contains(what);
        is_chosen && self.is_covered(&what.package) && (!self.named_only || self.is_named(what))
    }

    fn is_named(&self, what: &Coordinate) -> bool {
        self.versions.contains(what) || self.sums.contains_key(what)
    }

    fn is_covered(&self, package: &PackageName) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| self.handler.covers(pattern, package))
    }

    /// The sums that users of a version have.
    pub(super) fn sums(&self, of: &Coordinate) -> &[(String, String)] {
        self.sums.get(of).map_or(&[], Vec::as_slice)
    }

    /// What a place that cannot be looked through is asked for: packages in order, each with the versions that are named
    /// of it, and whether it is to be asked for all that it has of it.
    pub(super) fn asked_for(&self) -> BTreeMap<PackageName, (Vec<Coordinate>, bool)> {
        let mut asked: BTreeMap<PackageName, (Vec<Coordinate>, bool)> = BTreeMap::new();
        let is_listed =
            |package: &PackageName| !self.named_only && (self.versions.is_empty() || self.packages.contains(package));
        for what in self.versions.iter().chain(self.sums.keys()).filter(|what| self.has(what)) {
            let of = asked.entry(what.package.clone()).or_insert_with(|| (Vec::new(), is_listed(&what.package)));
            if !of.0.contains(what) {
                of.0.push(what.clone());
            }
        }
        for package in self.packages.iter().filter(|package| self.is_covered(package)) {
            asked.entry(package.clone()).or_insert_with(|| (Vec::new(), is_listed(package)));
        }
        for (named, _) in asked.values_mut() {
            named.sort_by_key(|what| self.handler.sort_key(&what.version));
        }
        asked
    }
}
