//! The codes of this format.

use keeper_core::artifact::{Coordinate, VersionName};
use keeper_core::error::{Failure, codes};

keeper_core::codes! {
    PACKAGE_NAME_INVALID = "package_name_invalid", Unprocessable, "This is not a package name", "Use letters, digits and . _ + ~ - and begin with a letter or digit: build-tools.";
    VERSION_NAME_INVALID = "version_name_invalid", Unprocessable, "This is not a version name", "Use letters, digits and . _ + ~ - and begin with a letter or digit: 1.2.0, v3, 2026-11-22.";
    FILE_PATH_MISSING = "file_path_missing", Unprocessable, "It is not said where in its version the file lies", "Add -F path=tool.tar.gz.";
    FILE_PATH_INVALID = "file_path_invalid", Unprocessable, "The path of the file is not accepted", "Use names that every system can store, separated by slashes: linux/tool.tar.gz.";
}

/// What is said of a file that is not there.
pub(crate) fn absent(coordinate: &Coordinate, repository: &str, known: Option<&[VersionName]>) -> Failure {
    let Coordinate { package, version } = coordinate;
    match known {
        None => package_not_found(package.as_str(), repository),
        Some(versions) if versions.contains(version) => {
            let detail = format!("{package} {version} in repository \"{repository}\" has no such file");
            Failure::new(&codes::FILE_NOT_FOUND, detail)
                .hint("The address of the version, with a slash, lists its files.")
        }
        Some(_) => version_not_found(coordinate, repository),
    }
}

pub(crate) fn package_not_found(package: &str, repository: &str) -> Failure {
    Failure::new(&codes::PACKAGE_NOT_FOUND, format!("repository \"{repository}\" has no package {package}"))
        .hint("Check the spelling; the repository's address lists its packages.")
}

pub(crate) fn version_not_found(coordinate: &Coordinate, repository: &str) -> Failure {
    let Coordinate { package, version } = coordinate;
    Failure::new(
        &codes::VERSION_NOT_FOUND,
        format!("repository \"{repository}\" has no version {version} of {package}"),
    )
    .hint("The address of the package, with a slash, lists its versions.")
}
