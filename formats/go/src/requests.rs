//! What a `go` command asks for to get a version.
//!
//! ```text
//! no version      /github.com/!azure/m/@v/list   /github.com/!azure/m/@latest
//! latest          /github.com/!azure/m/@latest
//! v1.0.0          /github.com/!azure/m/@v/v1.0.0.info   ….mod   ….zip
//! main, abc1234   /github.com/!azure/m/@v/main.info
//! ```

use keeper_core::error::Failure;
use keeper_core::path::escape;

use crate::absent;
use crate::path::{ModulePath, escape_version};
use crate::version::GoVersion;

/// The paths below the repository.
///
/// # Errors
/// What a client gets that asks for such a module.
pub fn requests(package: &str, version: Option<&str>) -> Result<Vec<String>, Failure> {
    let module = ModulePath::parse(package).map_err(absent::no_module_path)?;
    let module = module.escaped();
    Ok(match version {
        None => vec![format!("/{module}/@v/list"), format!("/{module}/@latest")],
        Some("latest") => vec![format!("/{module}/@latest")],
        Some(version) => {
            let extensions: &[&str] =
                if GoVersion::parse(version).is_ok() { &["info", "mod", "zip"] } else { &["info"] };
            let version = escape(&escape_version(version), b"!+");
            extensions.iter().map(|extension| format!("/{module}/@v/{version}.{extension}")).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_asks_for_these() {
        let rows: [(&str, Option<&str>, &[&str]); 6] = [
            ("e.com/M", None, &["/e.com/!m/@v/list", "/e.com/!m/@latest"]),
            ("e.com/m", Some("latest"), &["/e.com/m/@latest"]),
            (
                "e.com/m",
                Some("v1.0.0-RC"),
                &["/e.com/m/@v/v1.0.0-!r!c.info", "/e.com/m/@v/v1.0.0-!r!c.mod", "/e.com/m/@v/v1.0.0-!r!c.zip"],
            ),
            ("e.com/m", Some("v1.0"), &["/e.com/m/@v/v1.0.info"]),
            ("e.com/m", Some("Main"), &["/e.com/m/@v/!main.info"]),
            ("e.com/m", Some("a/b?c%é"), &["/e.com/m/@v/a%2Fb%3Fc%25%C3%A9.info"]),
        ];
        for (package, version, wanted) in rows {
            assert_eq!(requests(package, version).expect(package), wanted, "{package} {version:?}");
        }
        assert_eq!(requests("no dot", None).expect_err("no path").code().name, "module_not_found");
    }
}
