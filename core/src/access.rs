//! Who may do what: principals, actions, and the one function that makes a [`Permit`].
//!
//! Permission is a value. Services take a permit and cannot be called without one, so a path around
//! [`authorize`] does not compile. Everything here is pure: it decides on records already loaded.
//!
//! Rule of a credential: the right of its user, cut down by the actions, repository patterns and package
//! patterns of the token; plus whatever a stranger may do. An empty or unparsable restriction means
//! *nothing*, never *everything*.

use std::fmt;

use jiff::Timestamp;

use crate::artifact::PackageName;
use crate::error::{Code, Failure, codes};
use crate::repository::{Actor, Repository, RepositoryAddress, RepositoryId};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read content.
    Read,
    /// Add versions.
    Publish,
    /// Turn versions into tombstones.
    Delete,
    /// Change a repository's record.
    Manage,
    /// Administer the instance.
    Admin,
}

impl Action {
    /// All actions, the weakest first.
    pub const ALL: [Self; 5] = [Self::Read, Self::Publish, Self::Delete, Self::Manage, Self::Admin];

    /// The word in tokens and texts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Delete => "delete",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }

    /// The action of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// The code of its refusal.
    #[must_use]
    pub fn denial(self) -> &'static Code {
        match self {
            Self::Read => &codes::REPOSITORY_UNAVAILABLE,
            Self::Publish => &codes::PUBLISH_DENIED,
            Self::Delete => &codes::DELETE_DENIED,
            Self::Manage => &codes::MANAGE_DENIED,
            Self::Admin => &codes::ADMIN_REQUIRED,
        }
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u8);

impl Actions {
    /// Whether the action is among them.
    #[must_use]
    pub fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    /// The actions in order, as words joined by commas.
    #[must_use]
    pub fn to_words(self) -> String {
        let words: Vec<_> =
            Action::ALL.into_iter().filter(|action| self.contains(*action)).map(Action::as_str).collect();
        words.join(",")
    }

    /// The set of such words; `None` when one of them is unknown.
    #[must_use]
    pub fn parse_words(words: &str) -> Option<Self> {
        words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(Action::parse).collect()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        Self(actions.into_iter().fold(0, |set, action| set | 1 << action as u8))
    }
}

/// A pattern over slash-separated names in which `*` stands for any run of characters without a slash, and
/// a trailing `/*` or a whole `*` for everything below. `go/local`, `go/team-*`, `corp.example/team/*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Length in bytes of a pattern.
    pub const MAX_BYTES: usize = 512;

    /// Checks a pattern.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err("a pattern has 1 to 512 characters");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || "\\?[]{},".contains(c)) {
            return Err("a pattern holds names, '/' and '*' only");
        }
        if text.contains("**") || text.split('/').any(str::is_empty) {
            return Err("a pattern holds no '**' and no empty part");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.0 == "*" {
            return true;
        }
        let (head, below) = match self.0.strip_suffix("/*") {
            Some(head) => (head, true),
            None => (self.0.as_str(), false),
        };
        let mut parts = name.split('/');
        for pattern in head.split('/') {
            match parts.next() {
                Some(part) if part_matches(pattern, part) => {}
                _ => return false,
            }
        }
        if below { parts.next().is_some() } else { parts.next().is_none() }
    }
}

/// Matches one segment; linear in practice, since at most one backtrack point is kept.
fn part_matches(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| part.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a token restricts its user to.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The actions.
    pub actions: Actions,
    /// Repositories as `format/name` patterns.
    pub repositories: Vec<Pattern>,
    /// Packages that may be published or deleted; `None` is no limit, an empty list allows none.
    pub packages: Option<Vec<Pattern>>,
}

/// Somebody with a verified credential.
#[derive(Debug, Clone)]
pub struct User {
    /// The login.
    pub login: String,
    /// Whether the user administers the instance.
    pub admin: bool,
    /// The display part of the token (`akp_Ab12`).
    pub credential: String,
    /// What the token allows.
    pub scope: Scope,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
}

/// Who is asking.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// The holder of a token.
    User(Box<User>),
}

impl Principal {
    /// The login, for records.
    #[must_use]
    pub fn login(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(user) => &user.login,
        }
    }

    /// This principal as the actor of a change.
    #[must_use]
    pub fn actor(&self, address: Option<String>, request: Option<String>) -> Actor {
        let credential = match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user.credential.clone()),
        };
        Actor { login: self.login().to_owned(), credential, address, request }
    }
}

/// The proof that an action on a repository was authorised. Only [`authorize`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    repository: RepositoryId,
    action: Action,
    packages: Option<Vec<Pattern>>,
}

impl Permit {
    /// Whether it is for this action on this repository; services ask before they act.
    #[must_use]
    pub fn covers(&self, repository: &Repository, action: Action) -> bool {
        self.repository == repository.id && self.action == action
    }

    /// Checks the token's package patterns, once the package is known.
    ///
    /// # Errors
    /// The denial of the permit's action, naming the patterns.
    pub fn check_package(&self, package: &PackageName) -> Result<(), Failure> {
        let Some(patterns) = &self.packages else {
            return Ok(());
        };
        if patterns.iter().any(|pattern| pattern.matches(package.as_str())) {
            return Ok(());
        }
        let patterns: Vec<_> = patterns.iter().map(Pattern::as_str).collect();
        Err(Failure::new(
            self.action.denial(),
            format!(
                "this token may {} only packages under: {}; not {package}",
                self.action.as_str(),
                patterns.join(", ")
            ),
        ))
    }
}

/// Why a permit was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// No credential, and strangers may not.
    LoginRequired,
    /// The credential does not reach this repository at all: it is told nothing about it.
    Hidden,
    /// The repository is readable, the action is not allowed.
    Refused {
        /// The action wanted.
        action: Action,
        /// What the credential allows there, as words.
        has: String,
    },
}

/// The one decision: may this principal do this to this repository?
///
/// # Errors
/// A [`Denial`] that the border turns into an answer which tells no more than the caller may know.
pub fn authorize(who: &Principal, action: Action, repository: &Repository) -> Result<Permit, Denial> {
    let permit = |packages| Permit { repository: repository.id, action, packages };
    if action == Action::Read && repository.anonymous_read {
        return Ok(permit(None));
    }
    let user = match who {
        Principal::Anonymous => return Err(Denial::LoginRequired),
        Principal::User(user) => user,
    };
    let held = held_actions(user, &repository.address);
    if held.contains(action) {
        let limited = matches!(action, Action::Publish | Action::Delete);
        return Ok(permit(user.scope.packages.clone().filter(|_| limited)));
    }
    if held.contains(Action::Read) || repository.anonymous_read {
        return Err(Denial::Refused { action, has: held.to_words() });
    }
    Err(Denial::Hidden)
}

/// May this principal administer the instance?
///
/// # Errors
/// As [`authorize`].
pub fn authorize_admin(who: &Principal) -> Result<(), Denial> {
    match who {
        Principal::Anonymous => Err(Denial::LoginRequired),
        Principal::User(user) if user.admin && user.scope.actions.contains(Action::Admin) => Ok(()),
        Principal::User(user) => Err(Denial::Refused { action: Action::Admin, has: user.scope.actions.to_words() }),
    }
}

/// What the user's rights and the token's scope leave, for one repository. Publishing or deleting without
/// reading would be of no use, so each action includes reading.
fn held_actions(user: &User, address: &RepositoryAddress) -> Actions {
    let address = address.to_string();
    if !user.admin || !user.scope.repositories.iter().any(|pattern| pattern.matches(&address)) {
        return Actions::default();
    }
    let scope = user.scope.actions;
    let held = Action::ALL.into_iter().filter(|action| scope.contains(*action) || scope.contains(Action::Admin));
    let held: Actions = held.collect();
    if held == Actions::default() { held } else { Actions(held.0 | 1 << Action::Read as u8) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{Deletion, FormatKey, RepositoryKind, RepositoryName, Settings};

    fn repository(name: &str, anonymous_read: bool) -> Repository {
        Repository {
            id: RepositoryId(1),
            address: RepositoryAddress {
                format: FormatKey::try_from("go").expect("a format"),
                name: RepositoryName::try_from(name).expect("a name"),
            },
            kind: RepositoryKind::Hosted,
            description: String::new(),
            anonymous_read,
            default_upload: false,
            deletion: Deletion::Tombstone,
            settings: Settings::default(),
            created_at: Timestamp::UNIX_EPOCH,
            revision: 1,
        }
    }

    fn token(actions: &str, repositories: &[&str], packages: Option<&[&str]>) -> Principal {
        let patterns = |list: &[&str]| list.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
        Principal::User(Box::new(User {
            login: "admin".into(),
            admin: true,
            credential: "akp_Test".into(),
            scope: Scope {
                actions: Actions::parse_words(actions).expect("actions"),
                repositories: patterns(repositories),
                packages: packages.map(patterns),
            },
            expires_at: None,
        }))
    }

    #[test]
    fn rights_are_those_of_the_user_cut_by_the_token_and_joined_with_what_strangers_may() {
        use Action::{Delete, Publish, Read};
        let (public, private) = (repository("public", true), repository("private", false));
        let refused = |action, has: &str| Err(Denial::Refused { action, has: has.into() });
        let rows: [(&Principal, Action, &Repository, Result<(), Denial>); 12] = [
            (&Principal::Anonymous, Read, &public, Ok(())),
            (&Principal::Anonymous, Read, &private, Err(Denial::LoginRequired)),
            (&Principal::Anonymous, Publish, &public, Err(Denial::LoginRequired)),
            (&token("read", &["*"], None), Read, &private, Ok(())),
            (&token("read", &["*"], None), Publish, &private, refused(Publish, "read")),
            (&token("publish", &["go/private"], None), Publish, &private, Ok(())),
            (&token("publish", &["go/private"], None), Read, &private, Ok(())),
            (&token("publish", &["go/private"], None), Delete, &private, refused(Delete, "read,publish")),
            (&token("publish", &["go/other"], None), Publish, &private, Err(Denial::Hidden)),
            (&token("publish", &["go/other"], None), Read, &public, Ok(())),
            (&token("read,publish", &[], None), Read, &private, Err(Denial::Hidden)),
            (&token("admin", &["*"], None), Delete, &private, Ok(())),
        ];
        for (row, (who, action, repository, expected)) in rows.into_iter().enumerate() {
            assert_eq!(authorize(who, action, repository).map(|_| ()), expected, "row {row}");
        }
    }

    #[test]
    fn a_permit_for_some_packages_refuses_the_others() {
        let private = repository("private", false);
        let who = token("publish", &["*"], Some(&["corp.example/a/*"]));
        let permit = authorize(&who, Action::Publish, &private).expect("a permit");
        let package = |name| PackageName::try_from(name).expect("a package");
        assert!(permit.check_package(&package("corp.example/a/x")).is_ok());
        assert_eq!(
            permit.check_package(&package("corp.example/b/x")).expect_err("refused").code().name,
            "publish_denied"
        );
        let none = authorize(&token("publish", &["*"], Some(&[])), Action::Publish, &private).expect("a permit");
        assert!(none.check_package(&package("corp.example/a/x")).is_err());
    }

    #[test]
    fn patterns_match_whole_segments() {
        let rows = [
            ("*", "go/local", true),
            ("go/local", "go/local", true),
            ("go/local", "go/locals", false),
            ("go/*", "go/local", true),
            ("go/*", "go", false),
            ("go/team-*", "go/team-x", true),
            ("go/team-*", "go/team-x/y", false),
            ("corp/*", "corp/a/b", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a*a", "a", false),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(Pattern::parse(pattern).expect("a pattern").matches(name), expected, "{pattern} on {name}");
        }
        for bad in ["", "a**b", "a//b", "/a", "a b", "a?"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
