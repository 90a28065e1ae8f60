//! What an empty data folder is filled with.

/// A repository that first start makes, if its format is in this build.
#[derive(Debug)]
pub struct FirstRepository {
    /// The key of its format.
    pub format: &'static str,
    /// Its name.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
}

/// The login of the first user.
pub const ADMINISTRATOR: &str = "admin";

/// The first repositories. Each takes the uploads of its format that name no repository.
pub const REPOSITORIES: &[FirstRepository] =
    &[FirstRepository { format: "go", name: "local", description: "Modules published here" }];
