//! A size in a JSON body: a number of bytes, or a text with its unit.
//!
//! Shape: `10737418240` or `"10GiB"`; units are `KiB`, `MiB`, `GiB`, `TiB`. It is checked by the operation and
//! not while the body is parsed, so that its fault is told with those of the other fields.

use std::borrow::Cow;

use keeper_core::error::{Problem, codes};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;

/// What was sent.
#[derive(Debug)]
pub(super) struct Size(Value);

impl Size {
    /// The size in bytes.
    pub(super) fn bytes(&self, field: &str, problems: &mut Vec<Problem>) -> Option<u64> {
        let bytes = match &self.0 {
            Value::Number(number) => number.as_u64().filter(|bytes| i64::try_from(*bytes).is_ok()),
            Value::String(text) => crate::config::parse_size(text).ok(),
            _ => None,
        };
        if bytes.is_none() {
            let given: String = self.0.to_string().chars().take(40).collect();
            let detail = format!("{given} is not a size: a number of bytes such as 10737418240, or \"10GiB\"");
            problems.push(Problem::new(&codes::INVALID_FIELD, detail).field(field));
        }
        bytes
    }
}

impl Type for Size {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "size".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
        let number = MetaSchema::new_with_format("integer", "int64");
        let text = MetaSchema { pattern: Some("^[0-9]+(KiB|MiB|GiB|TiB)?$".into()), ..MetaSchema::new("string") };
        let any_of = vec![inline(number), inline(text)];
        inline(MetaSchema { any_of, example: Some("10GiB".into()), ..MetaSchema::ANY })
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Size {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Ok(Self(value.unwrap_or_default()))
    }
}

/// The derived body asks for it.
impl ToJSON for Size {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_size_is_bytes_or_a_text_with_its_unit() {
        let rows = [
            (json!(10_737_418_240_u64), Some(10 << 30)),
            (json!("10GiB"), Some(10 << 30)),
            (json!("512"), Some(512)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!(1e30), None),
            (json!(u64::MAX), None),
            (json!("10GB"), None),
            (json!(true), None),
            (json!([1]), None),
        ];
        for (value, expected) in rows {
            let mut problems = Vec::new();
            assert_eq!(Size(value.clone()).bytes("max_bytes", &mut problems), expected, "{value}");
            assert_eq!(problems.len(), usize::from(expected.is_none()), "{value}");
        }
    }
}
