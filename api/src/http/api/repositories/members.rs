//! The part of a virtual repository: what is said of its members, and what is shown of them.

use std::sync::Arc;

use keeper_core::error::{Failure, Problem, codes};
use keeper_core::format::FormatHandler;
use keeper_core::limits::{MEMBERS, RESERVATIONS};
use keeper_core::repository::{Repository, RepositoryAddress, RepositoryKind, RepositoryName};
use keeper_core::source::{Reservation, Virtual, WhenAbsent};
use poem_openapi::Object;

use super::form::invalid;
use super::shorten;

/// Names that only some members answer for.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct ReservationView {
    /// A pattern of package names, as the format reads it.
    pattern: String,
    /// Who answers; nobody when it is empty.
    members: Vec<String>,
    /// What is said when they have no such thing: `not_found` (default), or `forbid`, after which no client goes on to
    /// the next server of its list.
    #[oai(default = "not_found")]
    when_absent: String,
}

/// What is said of members; what is absent stays.
#[derive(Default)]
pub(super) struct MembersForm {
    pub(super) members: Option<Vec<String>>,
    pub(super) optional_members: Option<Vec<String>>,
    pub(super) reserved: Option<Vec<ReservationView>>,
    pub(super) merge: Option<bool>,
}

impl MembersForm {
    /// The first field that is given.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        [
            ("members", self.members.is_some()),
            ("optional_members", self.optional_members.is_some()),
            ("reserved", self.reserved.is_some()),
            ("merge", self.merge.is_some()),
        ]
        .into_iter()
        .find_map(|(field, given)| given.then_some(field))
    }

    /// The members after what was said of them, all faults at once.
    pub(super) fn applied(
        self,
        before: Option<&Virtual>,
        handler: &dyn FormatHandler,
        problems: &mut Vec<Problem>,
    ) -> Virtual {
        let before = before.cloned();
        let nobody = self.members.as_ref().map_or(before.is_none(), Vec::is_empty);
        let members = match (self.members, &before) {
            (Some(given), _) => names(&given, "members", problems),
            (None, before) => before.as_ref().map(|before| before.members.clone()).unwrap_or_default(),
        };
        if nobody {
            let detail = "a virtual repository has members: the names of hosted or remote repositories of its format";
            problems.push(Problem::new(&codes::FIELD_MISSING, detail).field("members"));
        }
        let before = before.unwrap_or_default();
        let optional = self.optional_members.map(|given| names(&given, "optional_members", problems));
        let reserved = self.reserved.map(|given| reservations(given, handler, problems));
        let changed = Virtual {
            optional: optional.unwrap_or(before.optional),
            reserved: reserved.unwrap_or(before.reserved),
            merge: self.merge.unwrap_or(before.merge),
            members,
        };
        let reserving = changed.reserved.iter().flat_map(|reservation| &reservation.members);
        let of_members = changed.optional.iter().map(|name| ("optional_members", name));
        for (field, name) in of_members.chain(reserving.map(|name| ("reserved", name))) {
            if !changed.members.contains(name) {
                problems.push(invalid(field, format!("{field} names \"{name}\", which is not one of the members")));
            }
        }
        changed
    }
}

fn names(given: &[String], field: &str, problems: &mut Vec<Problem>) -> Vec<RepositoryName> {
    if given.len() > MEMBERS {
        problems.push(invalid(field, format!("{field} has at most {MEMBERS} entries")));
        return Vec::new();
    }
    let mut fault = |fault: keeper_core::repository::InvalidName| problems.push(invalid(field, fault.to_string()));
    given.iter().filter_map(|name| RepositoryName::try_from(name.as_str()).map_err(&mut fault).ok()).collect()
}

fn reservations(
    given: Vec<ReservationView>,
    handler: &dyn FormatHandler,
    problems: &mut Vec<Problem>,
) -> Vec<Reservation> {
    if given.len() > RESERVATIONS {
        problems.push(invalid("reserved", format!("reserved has at most {RESERVATIONS} entries")));
        return Vec::new();
    }
    let mut reservation = |one: ReservationView| {
        let why = match handler.check_pattern(&one.pattern) {
            Ok(()) if one.pattern == "*" => Some("this would reserve every name; name what is yours".to_owned()),
            checked => checked.err(),
        };
        if let Some(why) = why {
            problems.push(invalid("reserved", format!("{:?}: {why}", shorten(&one.pattern))));
        }
        let when_absent = when_absent(&one.when_absent).unwrap_or_else(|| {
            let detail = format!("when_absent is not_found or forbid, not {:?}", shorten(&one.when_absent));
            problems.push(invalid("reserved", detail));
            WhenAbsent::NotFound
        });
        Reservation { members: names(&one.members, "reserved", problems), pattern: one.pattern, when_absent }
    };
    given.into_iter().map(&mut reservation).collect()
}

/// Whether what is said fits to what is there: `among` are the repositories that the caller knows.
///
/// # Errors
/// `member_invalid`, `claim_conflict`.
pub(super) fn fit(at: &RepositoryAddress, wanted: &Virtual, among: &[Arc<Repository>]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (place, name) in wanted.members.iter().enumerate() {
        if let Some(why) = misfit(at, name, among) {
            problems.push(Problem::new(&codes::MEMBER_INVALID, why).field("members"));
        } else if wanted.members[..place].contains(name) {
            let detail = format!("\"{name}\" is named twice");
            problems.push(Problem::new(&codes::MEMBER_INVALID, detail).field("members"));
        }
    }
    for (place, reservation) in wanted.reserved.iter().enumerate() {
        let twin = wanted.reserved[..place].iter().any(|other| other.pattern == reservation.pattern);
        if twin {
            let detail = format!("{:?} is reserved twice", reservation.pattern);
            problems.push(Problem::new(&codes::CLAIM_CONFLICT, detail).field("reserved"));
        }
    }
    Failure::from_problems(problems).map_or(Ok(()), Err)
}

fn misfit(at: &RepositoryAddress, name: &RepositoryName, among: &[Arc<Repository>]) -> Option<String> {
    if *name == at.name {
        return Some(format!("\"{name}\" cannot be a member of itself"));
    }
    let mut of_name = among.iter().filter(|one| one.address.name == *name);
    match of_name.clone().find(|one| one.address.format == at.format) {
        Some(found) if found.kind() == RepositoryKind::Virtual => {
            Some(format!("\"{name}\" is virtual itself; name its members"))
        }
        Some(_) => None,
        None => Some(match of_name.next() {
            Some(other) => format!("\"{name}\" has the format \"{}\", not \"{}\"", other.address.format, at.format),
            None => format!("there is no repository \"{}/{name}\" that you may read", at.format),
        }),
    }
}

impl ReservationView {
    pub(super) fn of(reservation: &Reservation) -> Self {
        Self {
            pattern: reservation.pattern.clone(),
            members: words(&reservation.members),
            when_absent: word(reservation.when_absent).to_owned(),
        }
    }
}

fn not_found() -> String {
    word(WhenAbsent::NotFound).to_owned()
}

fn word(of: WhenAbsent) -> &'static str {
    match of {
        WhenAbsent::NotFound => "not_found",
        WhenAbsent::Forbid => "forbid",
    }
}

fn when_absent(text: &str) -> Option<WhenAbsent> {
    [WhenAbsent::NotFound, WhenAbsent::Forbid].into_iter().find(|one| word(*one) == text)
}

/// Names as they are shown.
pub(super) fn words(names: &[RepositoryName]) -> Vec<String> {
    names.iter().map(RepositoryName::to_string).collect()
}
