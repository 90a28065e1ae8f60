//! Cursors of lists: the last key shown, bound to the list, its filter and who asked; and how an answer carries one.
//!
//! Shape: URL-safe base64 of the key (most often 16 bytes of an id) and 8 bytes of a digest over login, list name, filter and key.
//! The digest is no secret: it only tells a cursor of another caller, list or filter, or a damaged one, from a right
//! one. A cursor grants nothing; rights are asked for on every page.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use keeper_core::artifact::Page;
use keeper_core::digest::Digest;
use keeper_core::error::{Failure, codes};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use uuid::Uuid;

const CHECK_BYTES: usize = 8;

/// A list, the filter it is asked with, and who asks.
pub(super) struct Filter(String);

impl Filter {
    /// The list of this name with these filter values in their fixed order.
    pub(super) fn new(login: &str, list: &str, values: &[&Option<String>]) -> Self {
        Self(format!("{login:?} {list}{values:?}"))
    }

    /// The cursor that continues after `key`.
    pub(super) fn seal(&self, key: Uuid) -> String {
        self.seal_bytes(key.as_bytes())
    }

    /// The key that a cursor continues after.
    ///
    /// # Errors
    /// `invalid_cursor` for one that is damaged or belongs elsewhere.
    pub(super) fn open(&self, cursor: &str) -> Result<Uuid, Failure> {
        self.open_bytes(cursor, |key| Uuid::from_slice(key).ok())
    }

    /// The cursor that continues after a key of another shape.
    pub(super) fn seal_bytes(&self, key: &[u8]) -> String {
        BASE64URL_NOPAD.encode(&[key, &self.check(key)].concat())
    }

    /// The key that a cursor continues after, as `parse` reads it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_bytes<T>(&self, cursor: &str, parse: impl Fn(&[u8]) -> Option<T>) -> Result<T, Failure> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap_or_default();
        let parts = bytes.len().checked_sub(CHECK_BYTES).map(|at| bytes.split_at(at));
        let key = parts.filter(|(key, check)| *check == self.check(key)).and_then(|(key, _)| parse(key));
        key.ok_or_else(|| {
            Failure::new(&codes::INVALID_CURSOR, "the cursor is damaged, or belongs to another list or filter")
                .field("cursor")
        })
    }

    fn check(&self, key: &[u8]) -> [u8; CHECK_BYTES] {
        let digest = Digest::of(&[self.0.as_bytes(), b"|", key].concat());
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&digest.as_bytes()[..CHECK_BYTES]);
        check
    }
}

/// `next_cursor` of a page: always there, `null` on the last one, so that a client's loop has one question.
/// An `Option` would be described as a field that may be absent.
#[derive(Debug)]
pub(super) struct NextCursor(pub(super) Option<String>);

impl NextCursor {
    /// The cursor of a page, sealed from its last entry if more follow.
    pub(super) fn of<T>(page: &Page<T>, seal: impl FnOnce(&T) -> String) -> Self {
        Self(page.items.last().filter(|_| page.more).map(seal))
    }
}

impl Type for NextCursor {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "next_cursor".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema { nullable: true, ..MetaSchema::new("string") }))
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for NextCursor {
    fn to_json(&self) -> Option<Value> {
        Some(Value::from(self.0.clone()))
    }
}

/// Nobody sends one; the derived page asks for it.
impl ParseFromJSON for NextCursor {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Option::parse_from_json(value).map(Self).map_err(poem_openapi::types::ParseError::propagate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_caller_list_and_filter_only() {
        let key = Uuid::from_u128(7);
        let of = |login, list, value: &str| Filter::new(login, list, &[&Some(value.to_owned()), &None]);
        let filter = |list, value: &str| of("ann", list, value);
        let cursor = filter("artifacts", "go").seal(key);
        assert!(of("ben", "artifacts", "go").open(&cursor).is_err(), "of another user");
        assert_eq!(filter("artifacts", "go").open(&cursor).expect("its own"), key);
        assert!(filter("artifacts", "npm").open(&cursor).is_err());
        assert!(filter("packages", "go").open(&cursor).is_err());
        for damaged in ["", "x", &cursor[1..], &format!("{cursor}A")] {
            assert!(filter("artifacts", "go").open(damaged).is_err(), "{damaged}");
        }
    }
}
