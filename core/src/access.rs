//! Who may do what: principals, actions, and the one function that makes a [`Permit`].
//!
//! Permission is a value. Services take a permit and cannot be called without one, so a path around
//! [`authorize`] does not compile. Everything here is pure: it decides on records already loaded.
//!
//! Rule of a credential: the right of its user (grants, direct and by groups; an administrator has all), cut
//! down by the actions, repository patterns and package patterns of the token; plus whatever a stranger may do.
//! A session has no such limits. An empty or unparsable restriction means *nothing*, never *everything*.
//!
//! `pattern` is what grants and tokens name repositories and packages by, `role` what a grant allows, `reach` the
//! rule that nobody gives away more than he has.

mod pattern;
mod reach;
mod role;

use jiff::Timestamp;

use crate::artifact::PackageName;
use crate::error::{Code, Failure, codes};
use crate::identity::{Identity, SessionId, TokenId, UserKind};
use crate::repository::{Actor, Repository, RepositoryAddress, RepositoryId};

pub use pattern::Pattern;
pub use reach::{Rights, TooWide, authorize_grant, authorize_some_grants, authorize_token};
pub use role::{Grant, Role};

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

/// What a token restricts its user to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The actions; `admin` stands for all of them.
    pub actions: Actions,
    /// Repositories as `format/name` patterns.
    pub repositories: Vec<Pattern>,
    /// Packages that may be published or deleted; `None` is no limit, an empty list allows none.
    pub packages: Option<Vec<Pattern>>,
}

/// What proved who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A token, by Bearer or Basic.
    Token(TokenId),
    /// A browser's session, by its cookie.
    Session(SessionId),
}

/// Somebody with a verified credential.
#[derive(Debug, Clone)]
pub struct User {
    /// Who it is, for ever: the login is only a name.
    pub identity: Identity,
    /// The login.
    pub login: String,
    /// A person or a robot.
    pub kind: UserKind,
    /// Whether the user administers the instance.
    pub admin: bool,
    /// What the user was given, directly and by groups.
    pub grants: Vec<Grant>,
    /// What proved it.
    pub means: Means,
    /// The display part of the credential (`akp_Ab12`).
    pub credential: String,
    /// What the credential allows.
    pub scope: Scope,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
}

impl User {
    /// When the scope ends: a session's own end is none, for its user may sign in again.
    #[must_use]
    pub fn scope_expires_at(&self) -> Option<Timestamp> {
        match self.means {
            Means::Token(_) => self.expires_at,
            Means::Session(_) => None,
        }
    }
}

/// Who is asking.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// The holder of a credential.
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

/// The proof that an action on a repository was authorised. Only [`authorize`] makes one, and
/// [`permit_of_owner`].
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

/// The permit of whoever owns the data folder, at the command line or its socket: there is nothing that he could not do
/// to the files themselves.
#[must_use]
pub fn permit_of_owner(repository: &Repository, action: Action) -> Permit {
    Permit { repository: repository.id, action, packages: None }
}

/// May this principal administer the instance? A token limited to some repositories or packages may not, for an
/// administrator could lift the limit.
///
/// # Errors
/// As [`authorize`].
pub fn authorize_admin(who: &Principal) -> Result<(), Denial> {
    let user = match who {
        Principal::Anonymous => return Err(Denial::LoginRequired),
        Principal::User(user) => user,
    };
    let scope = &user.scope;
    let everywhere = scope.packages.is_none() && scope.repositories.contains(&Pattern::everything());
    let held = held_somewhere(user);
    match held.contains(Action::Admin) {
        true if everywhere => Ok(()),
        true => Err(Denial::Refused { action: Action::Admin, has: "admin, but not everywhere".to_owned() }),
        false => Err(Denial::Refused { action: Action::Admin, has: held.to_words() }),
    }
}

/// What the user's rights and the token's scope leave, for one repository. Publishing or deleting without
/// reading would be of no use, so each action includes reading.
#[must_use]
pub fn held_actions(user: &User, address: &RepositoryAddress) -> Actions {
    let address = address.to_string();
    if !user.scope.repositories.iter().any(|pattern| pattern.matches(&address)) {
        return Actions::default();
    }
    held_by(user, user.grants.iter().filter(|grant| grant.repositories.matches(&address)))
}

/// What the user's rights and the token's actions leave on some repository or other; for texts of refusals.
fn held_somewhere(user: &User) -> Actions {
    held_by(user, user.grants.iter())
}

/// What these grants and the token's actions leave.
fn held_by<'a>(user: &User, grants: impl Iterator<Item = &'a Grant>) -> Actions {
    let granted = grants.fold(0, |held, grant| held | grant.role.actions().0);
    let all = Actions::from_iter(Action::ALL).0;
    let rights = if user.admin { all } else { granted };
    let scope = if user.scope.actions.contains(Action::Admin) { all } else { user.scope.actions.0 };
    let held = rights & scope;
    if held == 0 { Actions(0) } else { Actions(held | 1 << Action::Read as u8) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{Deletion, FormatKey, RepositoryName, Settings};

    fn repository(name: &str, anonymous_read: bool) -> Repository {
        Repository {
            id: RepositoryId(1),
            address: RepositoryAddress {
                format: FormatKey::try_from("go").expect("a format"),
                name: RepositoryName::try_from(name).expect("a name"),
            },
            source: crate::source::Source::Hosted,
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
        Principal::User(Box::new(sample::user("admin", &[], actions, repositories, packages)))
    }

    fn granted(grants: &[&str], actions: &str, repositories: &[&str]) -> Principal {
        Principal::User(Box::new(sample::user("ann", grants, actions, repositories, None)))
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
    fn a_user_has_what_the_grants_and_the_token_both_allow() {
        let private = repository("private", false);
        let rows: [(&[&str], &str, &[&str], &str); 12] = [
            (&[], "admin", &["*"], ""),
            (&["go/private reader"], "admin", &["*"], "read"),
            (&["go/private publisher"], "admin", &["*"], "read,publish"),
            (&["go/private publisher"], "read", &["*"], "read"),
            (&["go/* maintainer"], "delete", &["go/private"], "read,delete"),
            (&["go/other owner"], "admin", &["*"], ""),
            (&["go/private owner"], "admin", &["go/other"], ""),
            (&["go/private reader", "go/* publisher"], "read,publish", &["*"], "read,publish"),
            (&["* owner"], "admin", &["*"], "read,publish,delete,manage"),
            (&["go/private reader"], "publish", &["*"], ""),
            (&["go/private owner"], "", &["*"], ""),
            (&["npm/private owner"], "admin", &["*"], ""),
        ];
        for (row, (grants, actions, repositories, held)) in rows.into_iter().enumerate() {
            let who = granted(grants, actions, repositories);
            let Principal::User(user) = &who else { unreachable!("a user was made") };
            assert_eq!(held_actions(user, &private.address).to_words(), held, "row {row}");
            let admin = authorize_admin(&who);
            let told = matches!(&admin, Err(Denial::Refused { has, .. }) if !has.contains("admin"));
            assert!(told, "row {row}: no grant makes an administrator: {admin:?}");
        }
    }

    #[test]
    fn a_limited_token_of_an_administrator_does_not_administer() {
        assert_eq!(authorize_admin(&token("admin", &["*"], None)), Ok(()));
        for who in [
            token("admin", &["go/*"], None),
            token("admin", &[], None),
            token("admin", &["*"], Some(&["*"])),
            token("read,publish,delete,manage", &["*"], None),
        ] {
            assert!(matches!(authorize_admin(&who), Err(Denial::Refused { .. })), "{who:?}");
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
}

/// Users for the tests of this module and its neighbours.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::identity::UserId;

    pub(crate) fn patterns(list: &[&str]) -> Vec<Pattern> {
        list.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect()
    }

    pub(crate) fn scope(actions: &str, repositories: &[&str], packages: Option<&[&str]>) -> Scope {
        let actions = Actions::parse_words(actions).expect("actions");
        Scope { actions, repositories: patterns(repositories), packages: packages.map(patterns) }
    }

    /// The holder of a token; grants are written `go/local reader`, and only `admin` is an administrator.
    pub(crate) fn user(
        login: &str,
        grants: &[&str],
        actions: &str,
        repositories: &[&str],
        packages: Option<&[&str]>,
    ) -> User {
        let grant = |text: &&str| {
            let (repositories, role) = text.split_once(' ').expect("a pattern and a role");
            let repositories = Pattern::parse(repositories).expect("a pattern");
            Grant { repositories, role: Role::parse(role).expect("a role") }
        };
        User {
            identity: Identity::local(UserId::default()),
            login: login.to_owned(),
            kind: UserKind::Person,
            admin: login == "admin",
            grants: grants.iter().map(grant).collect(),
            means: Means::Token(TokenId::default()),
            credential: "akp_Test".to_owned(),
            scope: scope(actions, repositories, packages),
            expires_at: None,
        }
    }
}
