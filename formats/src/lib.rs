//! The formats of this build: the one place where they are named.
//!
//! A format registers itself when its crate is linked, and a crate that is only listed in `Cargo.toml` is
//! not: hence one `use … as _` for each, and a test that names them all. `README.md` says how to add one.

use keeper_core::plugin::{Registry, RegistryError};
use keeper_format_generic as _;
use keeper_format_go as _;

/// All formats of this build.
///
/// # Errors
/// When two of them share a key.
pub fn registry() -> Result<Registry, RegistryError> {
    Registry::collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keeper_core::error::codes;

    use super::*;

    #[test]
    fn every_format_of_this_build_is_linked() {
        let registry = registry().expect("different keys");
        let keys: Vec<_> = registry.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["generic", "go"]);
    }

    #[test]
    fn no_two_codes_share_a_name() {
        let registry = registry().expect("different keys");
        let formats = registry.iter().flat_map(|(_, handler)| handler.info().codes);
        let all: Vec<_> = codes::ALL.iter().chain(formats).map(|code| code.name).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
