//! What somebody may have meant whose words are nowhere: packages with names that are nearly theirs.
//!
//! The store proposes names that share parts of three characters with the longest word; of these stay the ones
//! in which some element is as alike as [`ALIKE`].

use keeper_core::artifact::StoreError;
use keeper_core::catalog::{Package, PackageStore, SearchQuery};
use strsim::normalized_damerau_levenshtein as alike;

/// Names that are compared.
const PROPOSED: u32 = 500;

/// Names that are shown: more would not be what anybody meant.
const SHOWN: usize = 20;

/// How alike two words are at least: one or two letters of a usual word.
const ALIKE: f64 = 0.7;

/// The packages, the most alike first.
pub(super) async fn packages(store: &dyn PackageStore, query: &SearchQuery) -> Result<Vec<Package>, StoreError> {
    let Some(word) = query.terms.iter().max_by_key(|term| term.chars().count()) else {
        return Ok(Vec::new());
    };
    let proposed = store.similar_packages(&query.repositories, word, PROPOSED).await?;
    let scored = proposed.into_iter().map(|package| (likeness(word, package.name.as_str()), package));
    let mut fitting: Vec<_> = scored.filter(|(likeness, _)| *likeness >= ALIKE).collect();
    fitting.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.name.cmp(&b.name)));
    fitting.truncate(SHOWN.min(query.limit as usize));
    Ok(fitting.into_iter().map(|(_, package)| package).collect())
}

/// How alike a word is to a name, or to as many of its last or inner elements as the word has.
fn likeness(word: &str, name: &str) -> f64 {
    let (word, name) = (word.to_lowercase(), name.to_lowercase());
    let elements: Vec<_> = name.split('/').collect();
    let count = word.split('/').count().min(elements.len());
    let parts = elements.windows(count).map(|part| alike(&word, &part.join("/")));
    parts.fold(alike(&word, &name), f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_or_two_may_be_wrong() {
        let rows = [
            ("mymodul", "github.com/yourcompany/mymodule", true),
            ("mymoudle", "github.com/yourcompany/mymodule", true),
            ("yourcompny/mymodule", "github.com/yourcompany/mymodule", true),
            ("LOGRUS", "github.com/sirupsen/logrus/v2", true),
            ("metrics", "github.com/yourcompany/mymodule", false),
            ("", "github.com/yourcompany/mymodule", false),
        ];
        for (word, name, expected) in rows {
            assert_eq!(likeness(word, name) >= ALIKE, expected, "{word}: {}", likeness(word, name));
        }
    }
}
