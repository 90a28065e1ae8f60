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
    /// Where its content comes from.
    pub source: FirstSource,
}

/// Where the content of a first repository comes from.
#[derive(Debug, Clone, Copy)]
pub enum FirstSource {
    /// Uploads; those of its format that name no repository come here.
    Uploads,
    /// An upstream, at this address.
    Upstream(&'static str),
    /// Other repositories of its format, by name. Clients are shown this one.
    Members(&'static [&'static str]),
}

/// The login of the first user.
pub const ADMINISTRATOR: &str = "admin";

/// The first repositories, members before what they are members of.
pub const REPOSITORIES: &[FirstRepository] = &[
    FirstRepository {
        format: "go",
        name: "local",
        description: "Modules published here",
        source: FirstSource::Uploads,
    },
    FirstRepository {
        format: "go",
        name: "upstream",
        description: "Verified copies of public modules",
        source: FirstSource::Upstream("https://proxy.golang.org"),
    },
    FirstRepository {
        format: "go",
        name: "main",
        description: "Everything: modules published here first, then public ones",
        source: FirstSource::Members(&["local", "upstream"]),
    },
];
