//! What a version may be, told by what was sent and answered: the server's reference.
//!
//! Answers may be noticed in another order than they were given in. So a call is judged by what was known when
//! it began (`before`) and what has been learned since.

use std::collections::BTreeSet;

/// What is in a module.
pub(crate) type Content = u32;

/// What a version shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was never there.
    Absent,
    /// All its files, with this content.
    There(Content),
    /// A tombstone.
    Gone,
}

/// All that is known of a version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Version {
    /// Content that was sent and may have been taken.
    sent: BTreeSet<Content>,
    /// Content that some answer told of: no other one may be there any more, ever.
    bound: Option<Content>,
    /// Somebody was told that he made it.
    created: bool,
    deletion: Deletion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Deletion {
    #[default]
    No,
    Asked,
    Done,
}

impl Version {
    /// Content is about to be sent.
    pub(crate) fn publishes(&mut self, content: Content) {
        self.sent.insert(content);
    }

    /// The answer to it.
    pub(crate) fn published(&mut self, before: &Self, content: Content, status: u16) -> bool {
        let fits = self.bound.is_none_or(|bound| bound == content);
        let allowed = match status {
            201 => fits && !self.created && before.bound.is_none(),
            200 => fits && before.deletion != Deletion::Done,
            409 => self.bound != Some(content) && self.sent.len() > 1 && before.deletion != Deletion::Done,
            410 => self.deletion != Deletion::No,
            // The collector has taken the bytes on their way for waste: nothing was made.
            503 => true,
            _ => false,
        };
        self.created |= status == 201;
        if matches!(status, 200 | 201) {
            self.bound = Some(content);
        }
        allowed
    }

    /// It is about to be deleted.
    pub(crate) fn deletes(&mut self) {
        self.deletion = self.deletion.max(Deletion::Asked);
    }

    pub(crate) fn deleted(&mut self) {
        self.deletion = Deletion::Done;
    }

    /// It was read while others may have changed it.
    pub(crate) fn read(&mut self, before: &Self, seen: Seen) -> bool {
        match seen {
            Seen::Absent => before.bound.is_none(),
            Seen::Gone => self.deletion != Deletion::No,
            Seen::There(content) => before.deletion != Deletion::Done && self.holds(content),
        }
    }

    /// It was read while nothing was under way: what is not there now never will be.
    pub(crate) fn settles(&mut self, seen: Seen) -> bool {
        let before = self.clone();
        let allowed = self.read(&before, seen);
        match seen {
            Seen::Absent => *self = Self::default(),
            Seen::There(content) => (self.sent, self.deletion) = (BTreeSet::from([content]), Deletion::No),
            Seen::Gone => self.deletion = Deletion::Done,
        }
        allowed
    }

    fn holds(&mut self, content: Content) -> bool {
        let fits = self.bound.is_none_or(|bound| bound == content) && self.sent.contains(&content);
        self.bound = Some(content);
        fits
    }
}
