//! Roles and grants: what an administrator or an owner has given to somebody.
//!
//! Shape: a grant is `go/team-* publisher`; whom it is for is the store's. A role holds all that the ones before
//! it hold: reader, publisher, maintainer, owner. To administer the instance is no role but a mark of the user.

use super::{Action, Actions, Pattern};

/// A named set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Reader,
    /// Reads and adds versions.
    Publisher,
    /// Also deletes versions.
    Maintainer,
    /// Also manages the repositories and the grants on them.
    Owner,
}

impl Role {
    /// All roles, the weakest first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Publisher, Self::Maintainer, Self::Owner];

    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Publisher => "publisher",
            Self::Maintainer => "maintainer",
            Self::Owner => "owner",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// What it allows.
    #[must_use]
    pub fn actions(self) -> Actions {
        let last = match self {
            Self::Reader => Action::Read,
            Self::Publisher => Action::Publish,
            Self::Maintainer => Action::Delete,
            Self::Owner => Action::Manage,
        };
        Action::ALL.into_iter().filter(|action| *action <= last).collect()
    }
}

/// A role on the repositories that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Repositories, as `format/name`.
    pub repositories: Pattern,
    /// What is allowed there.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_adds_one_action_and_none_administers() {
        let words: Vec<_> = Role::ALL.iter().map(|role| role.actions().to_words()).collect();
        assert_eq!(words, ["read", "read,publish", "read,publish,delete", "read,publish,delete,manage"]);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("admin"), None);
    }
}
