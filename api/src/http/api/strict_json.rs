//! What a JSON body must hold before anything reads its fields: each key once in its object, and no more than
//! [`DEPTH`] levels. Two readers of one text with a key twice can take two different values from it.
//!
//! Errors: `invalid_json` with line and column.

use std::collections::BTreeSet;
use std::fmt;

use keeper_core::error::{Failure, codes};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Levels of arrays and objects at most.
const DEPTH: usize = 32;

/// Judges a body that is not empty.
///
/// # Errors
/// The first place at which it is not JSON as above.
pub(super) fn check(body: &[u8]) -> Result<(), Failure> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Level(DEPTH).deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|fault| Failure::new(&codes::INVALID_JSON, format!("the body is not accepted as JSON: {fault}")))
}

/// What may stand so many levels deep yet.
struct Level(usize);

impl Level {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom(format!("more than {DEPTH} levels")))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! nothing {
    ($($visit:ident: $type:ty),+) => {
        $(fn $visit<E>(self, _value: $type) -> Result<(), E> {
            Ok(())
        })+
    };
}

impl<'de> Visitor<'de> for Level {
    type Value = ();

    nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = access.next_key::<String>()? {
            if keys.contains(&key) {
                let shown: String = key.chars().take(80).flat_map(char::escape_debug).collect();
                return Err(A::Error::custom(format!("the key \"{shown}\" stands twice in one object")));
            }
            keys.insert(key);
            access.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_stands_once_and_not_too_deep() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let rows = [
            (r#"{"a":1,"b":{"a":[true,null,-0.5,"x"]}}"#.to_owned(), None),
            (nested(DEPTH), None),
            (nested(DEPTH + 1), Some("32 levels")),
            (r#"{"a":1,"a":1}"#.to_owned(), Some("\"a\" stands twice in one object at line 1 column 10")),
            (r#"{"x":{"a":1,"\u0061":1}}"#.to_owned(), Some("twice")),
            (r#"{"a":1"#.to_owned(), Some("at line 1 column 6")),
            ("{\"a\":\nNaN}".to_owned(), Some("at line 2 column 1")),
            ("\u{feff}{}".to_owned(), Some("at line 1 column 1")),
            ("{} {}".to_owned(), Some("trailing characters")),
        ];
        for (text, expected) in rows {
            let found = check(text.as_bytes()).err().map(|failure| failure.to_string());
            match expected {
                None => assert_eq!(found, None, "{text}"),
                Some(part) => assert!(found.as_deref().is_some_and(|found| found.contains(part)), "{text}: {found:?}"),
            }
        }
    }
}
