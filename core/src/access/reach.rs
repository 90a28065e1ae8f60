//! How far a credential reaches, and the rule that what it makes reaches no further.
//!
//! A new token is cut out of two things: the credential that asks for it, and the rights of the user whom it will
//! act for. Both are judged by patterns, not by the repositories that exist: what a token may do must not grow
//! with what is created later. Sources: the tokens of other platforms that minted stronger tokens
//! (CVE-2026-56654 of Gitea, and an ignored field that meant "no restriction").

use jiff::Timestamp;

use super::{Action, Actions, Denial, Grant, Pattern, Principal, Role, Scope, User, authorize_admin, held_somewhere};

/// In which way something asked for is too wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TooWide {
    /// An action on a pattern.
    Action {
        /// The action.
        action: Action,
        /// Where.
        repositories: Pattern,
    },
    /// Packages that may be published or deleted; `None` is all.
    Packages(Option<Pattern>),
    /// A later end than that of the credential that asks.
    Lifetime(Timestamp),
    /// No end, which only an administrator may ask for.
    Endless,
}

impl std::fmt::Display for TooWide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Action { action, repositories } => write!(f, "\"{}\" on \"{repositories}\"", action.as_str()),
            Self::Packages(Some(pattern)) => write!(f, "packages under \"{pattern}\""),
            Self::Packages(None) => f.write_str("all packages"),
            Self::Lifetime(end) => write!(f, "a life beyond {}", end.strftime("%Y-%m-%d")),
            Self::Endless => f.write_str("a token that never ends"),
        }
    }
}

impl Scope {
    /// Everything: the scope of a session, whose only limit is its user.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { actions: Actions::from_iter(Action::ALL), repositories: vec![Pattern::everything()], packages: None }
    }

    /// Whether an action on everything that the pattern matches is inside.
    fn holds(&self, action: Action, repositories: &Pattern) -> bool {
        (self.actions.contains(action) || self.actions.contains(Action::Admin))
            && self.repositories.iter().any(|own| own.covers(repositories))
    }

    /// The first thing in `other` that this scope does not hold.
    fn lacks(&self, other: &Self) -> Option<TooWide> {
        let actions = wanted(other).find(|(action, pattern)| !self.holds(*action, pattern)).map(too_wide);
        actions.or_else(|| self.lacks_packages(other.packages.as_deref()))
    }

    fn lacks_packages(&self, wanted: Option<&[Pattern]>) -> Option<TooWide> {
        let own = self.packages.as_ref()?;
        let Some(wanted) = wanted else { return Some(TooWide::Packages(None)) };
        let outside = wanted.iter().find(|pattern| !own.iter().any(|own| own.covers(pattern)));
        outside.map(|pattern| TooWide::Packages(Some(pattern.clone())))
    }
}

/// Each action on each pattern of a scope. `admin` alone stands for all: whoever holds it there holds the rest.
fn wanted(scope: &Scope) -> impl Iterator<Item = (Action, &Pattern)> {
    let actions = Action::ALL.into_iter().filter(|action| scope.actions.contains(*action));
    actions.flat_map(|action| scope.repositories.iter().map(move |pattern| (action, pattern)))
}

fn too_wide((action, repositories): (Action, &Pattern)) -> TooWide {
    TooWide::Action { action, repositories: repositories.clone() }
}

/// What a user may do, whatever the credential: the mark of an administrator, and grants.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// Whether the user administers the instance.
    pub admin: bool,
    /// The grants, direct and by groups.
    pub grants: &'a [Grant],
}

impl Rights<'_> {
    /// Whether an action on everything that the pattern matches is inside.
    fn hold(&self, action: Action, repositories: &Pattern) -> bool {
        let granted = |grant: &Grant| grant.role.actions().contains(action) && grant.repositories.covers(repositories);
        self.admin || self.grants.iter().any(granted)
    }

    /// The first action of a scope that these rights do not hold.
    #[must_use]
    pub fn lack(&self, scope: &Scope) -> Option<TooWide> {
        wanted(scope).find(|(action, pattern)| !self.hold(*action, pattern)).map(too_wide)
    }
}

impl User {
    /// What the user may do, whatever the credential.
    #[must_use]
    pub fn rights(&self) -> Rights<'_> {
        Rights { admin: self.admin, grants: &self.grants }
    }

    /// What of this scope the credential does not reach.
    #[must_use]
    pub fn lacks(&self, scope: &Scope) -> Option<TooWide> {
        self.scope.lacks(scope).or_else(|| self.rights().lack(scope))
    }

    /// Whether the credential allows at least as much as this scope, whatever its user may: the rule for looking
    /// after other tokens of one's own.
    #[must_use]
    pub fn outranks(&self, scope: &Scope) -> bool {
        self.scope.lacks(scope).is_none()
    }

    fn reaches(&self, action: Action, repositories: &Pattern) -> bool {
        self.scope.holds(action, repositories) && self.rights().hold(action, repositories)
    }
}

/// May this user have a token of this scope that ends then? The rights of another owner are asked for beside.
///
/// # Errors
/// The first thing that would be more than the credential that asks.
pub fn authorize_token(who: &User, scope: &Scope, expires_at: Option<Timestamp>) -> Result<(), TooWide> {
    if let Some(too_wide) = who.lacks(scope) {
        return Err(too_wide);
    }
    match (expires_at, who.scope_expires_at()) {
        (Some(end), Some(own)) if end > own => Err(TooWide::Lifetime(own)),
        (None, Some(own)) => Err(TooWide::Lifetime(own)),
        (None, None) if authorize_admin(&Principal::User(Box::new(who.clone()))).is_err() => Err(TooWide::Endless),
        _ => Ok(()),
    }
}

/// May this principal give or take this role on these repositories? An owner may, inside the pattern that is
/// his, and never more than he may do himself.
///
/// # Errors
/// [`Denial::LoginRequired`], or [`Denial::Refused`] with the action that is missing.
pub fn authorize_grant(who: &Principal, repositories: &Pattern, role: Role) -> Result<(), Denial> {
    let user = match who {
        Principal::Anonymous => return Err(Denial::LoginRequired),
        Principal::User(user) => user,
    };
    let needed = role.actions();
    let needed = Action::ALL.into_iter().filter(|action| *action == Action::Manage || needed.contains(*action));
    let missing = needed.rev().find(|action| !user.reaches(*action, repositories));
    let Some(action) = missing else { return Ok(()) };
    let has: Actions = Action::ALL.into_iter().filter(|action| user.reaches(*action, repositories)).collect();
    Err(Denial::Refused { action, has: has.to_words() })
}

/// May this principal manage anything at all?
///
/// # Errors
/// As [`authorize_grant`].
pub fn authorize_some_grants(who: &Principal) -> Result<(), Denial> {
    let user = match who {
        Principal::Anonymous => return Err(Denial::LoginRequired),
        Principal::User(user) => user,
    };
    let held = held_somewhere(user);
    if held.contains(Action::Manage) {
        return Ok(());
    }
    Err(Denial::Refused { action: Action::Manage, has: held.to_words() })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{patterns, scope, user};
    use super::*;

    #[test]
    fn a_token_is_never_more_than_the_one_that_asks_for_it() {
        let laptop = user("ann", &["go/* owner"], "read,publish", &["go/*"], Some(&["corp/*"]));
        let rows = [
            ("read,publish", &["go/*"][..], Some(&["corp/*"][..]), true),
            ("read", &["go/local", "go/team-*"], Some(&["corp/a", "corp/b/*"]), true),
            ("read", &["go/local"], Some(&[]), true),
            ("read", &["go/local"], None, false),
            ("read", &["go/local"], Some(&["*"]), false),
            ("read,delete", &["go/local"], Some(&["corp/*"]), false),
            ("admin", &["go/local"], Some(&["corp/*"]), false),
            ("read", &["*"], Some(&["corp/*"]), false),
            ("read", &["go/local", "npm/local"], Some(&["corp/*"]), false),
        ];
        for (row, (actions, repositories, packages, allowed)) in rows.into_iter().enumerate() {
            let asked = authorize_token(&laptop, &scope(actions, repositories, packages), Some(Timestamp::MIN));
            assert_eq!(asked.is_ok(), allowed, "row {row}: {asked:?}");
        }
    }

    #[test]
    fn a_token_is_never_more_than_its_user_may() {
        let unlimited = User { scope: Scope::unlimited(), ..user("ann", &["go/local publisher"], "", &[], None) };
        let end = Some(Timestamp::MIN);
        assert_eq!(authorize_token(&unlimited, &scope("read,publish", &["go/local"], None), end), Ok(()));
        for (actions, repositories) in [("delete", "go/local"), ("read", "go/*"), ("admin", "*"), ("admin", "go/local")]
        {
            let asked = authorize_token(&unlimited, &scope(actions, &[repositories], None), end);
            assert!(matches!(asked, Err(TooWide::Action { .. })), "{actions} on {repositories}: {asked:?}");
        }
        let demoted = user("ann", &["go/local reader"], "admin", &["*"], None);
        assert_eq!(demoted.lacks(&scope("read", &["go/local"], None)), None);
        assert!(demoted.lacks(&scope("publish", &["go/local"], None)).is_some());
    }

    #[test]
    fn a_token_never_outlives_the_one_that_asks_for_it() {
        let end = Timestamp::UNIX_EPOCH;
        let read = scope("read", &["*"], None);
        let ending = User { expires_at: Some(end), ..user("admin", &[], "admin", &["*"], None) };
        assert_eq!(authorize_token(&ending, &read, Some(end)), Ok(()));
        assert_eq!(authorize_token(&ending, &read, Some(Timestamp::MAX)), Err(TooWide::Lifetime(end)));
        assert_eq!(authorize_token(&ending, &read, None), Err(TooWide::Lifetime(end)));
        let endless = User { expires_at: None, ..ending };
        assert_eq!(authorize_token(&endless, &read, None), Ok(()));
        let plain = user("ann", &["* owner"], "manage,read", &["*"], None);
        assert_eq!(authorize_token(&plain, &read, None), Err(TooWide::Endless));
    }

    #[test]
    fn an_owner_gives_what_he_has_where_he_has_it() {
        let who =
            |grants: &[&str], actions: &str| Principal::User(Box::new(user("ann", grants, actions, &["*"], None)));
        let owner = who(&["go/team-* owner", "go/local maintainer"], "admin");
        let rows = [
            (&owner, "go/team-a", Role::Owner, true),
            (&owner, "go/team-*", Role::Publisher, true),
            (&owner, "go/*", Role::Reader, false),
            (&owner, "go/local", Role::Reader, false),
            (&who(&["go/* owner"], "manage,read"), "go/local", Role::Reader, true),
            (&who(&["go/* owner"], "manage,read"), "go/local", Role::Publisher, false),
            (&who(&["go/* owner"], "read,publish,delete"), "go/local", Role::Reader, false),
            (&Principal::Anonymous, "go/local", Role::Reader, false),
        ];
        for (row, (who, pattern, role, allowed)) in rows.into_iter().enumerate() {
            let asked = authorize_grant(who, &patterns(&[pattern])[0], role);
            assert_eq!(asked.is_ok(), allowed, "row {row}: {asked:?}");
        }
        assert!(authorize_some_grants(&owner).is_ok());
        assert!(authorize_some_grants(&who(&["go/local maintainer"], "admin")).is_err());
    }
}
