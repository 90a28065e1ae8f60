//! The shape of a JSON body, as the document describes it: which fields, which of them must be there, what kind of
//! value each takes. Judged before poem-openapi reads the body, which stops at the first fault and does not name the
//! field.
//!
//! Codes: `field_missing`, `unknown_field`, `invalid_field`; all faults at once, each with the field's path such as
//! `rules[0].keep_last`. Ranges and rules are for those who know what the values mean.

use keeper_core::error::{Problem, codes};
use serde_json::{Map, Value};

use super::listing::shorten;
use crate::nearest::nearest;

/// Where the schemas of the document are.
const SCHEMAS: &str = "#/components/schemas/";

/// What a value must be.
#[derive(Debug)]
pub(super) enum Shape {
    /// An object of these fields; others are refused if it is closed.
    Object { fields: Vec<Field>, closed: bool },
    /// An array of such values.
    List(Box<Shape>),
    /// A value of one of these JSON types.
    Plain(Vec<Kind>),
    /// Anything.
    Any,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    name: String,
    is_required: bool,
    shape: Shape,
    meaning: String,
    example: Option<Value>,
}

/// A type of JSON that has no parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

impl Shape {
    /// The shape that a schema of the document describes. Schemas of requests refer to each other in no circles.
    pub(super) fn of(document: &Value, schema: &Value) -> Self {
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let reference = parts.chain([schema]).find_map(|part| part["$ref"].as_str()?.strip_prefix(SCHEMAS));
        if let Some(name) = reference {
            return Self::of(document, &document["components"]["schemas"][name]);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            return Self::Plain(choices.iter().filter_map(|one| Kind::parse(one["type"].as_str()?)).collect());
        }
        match schema["type"].as_str() {
            Some("object") if schema["properties"].is_object() => Self::Object {
                fields: members(&schema["properties"])
                    .map(|(name, one)| Field::of(document, schema, name, one))
                    .collect(),
                closed: schema["additionalProperties"] == false,
            },
            Some("array") => Self::List(Box::new(Self::of(document, &schema["items"]))),
            Some(kind) => Kind::parse(kind).map_or(Self::Any, |kind| Self::Plain(vec![kind])),
            None => Self::Any,
        }
    }

    /// All faults of a value.
    pub(super) fn faults(&self, value: &Value) -> Vec<Problem> {
        let mut faults = Vec::new();
        self.judge("", "", None, value, &mut faults);
        faults
    }

    fn judge(&self, path: &str, meaning: &str, example: Option<&Value>, value: &Value, faults: &mut Vec<Problem>) {
        let mut refuse = |wanted: &str| {
            let what = if path.is_empty() { "the body" } else { path };
            let example = example.map(|example| format!("; for example {example}")).unwrap_or_default();
            let problem =
                Problem::new(&codes::INVALID_FIELD, format!("{what} is {wanted}, not {}{example}", kind(value)));
            let problem = if path.is_empty() { problem } else { problem.field(path) };
            faults.push(with_hint(problem, meaning));
        };
        match (self, value) {
            (Self::Any, _) => {}
            (Self::Object { fields, closed }, Value::Object(given)) => {
                members_fit(fields, *closed, path, given, faults)
            }
            (Self::Object { .. }, _) => refuse("an object"),
            (Self::List(of), Value::Array(values)) => {
                for (place, value) in values.iter().enumerate() {
                    of.judge(&format!("{path}[{place}]"), meaning, None, value, faults);
                }
            }
            (Self::List(_), _) => refuse("a list"),
            (Self::Plain(kinds), _) if kinds.iter().any(|kind| kind.fits(value)) => {}
            (Self::Plain(kinds), _) => {
                refuse(&kinds.iter().map(|kind| kind.words()).collect::<Vec<_>>().join(", or "));
            }
        }
    }
}

fn members_fit(fields: &[Field], closed: bool, path: &str, given: &Map<String, Value>, faults: &mut Vec<Problem>) {
    let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for key in given.keys().filter(|key| closed && !fields.iter().any(|field| field.name == **key)) {
        let shown: String = shorten(key).escape_debug().collect();
        let detail = format!("the field \"{}\" is not known", inside(&shown));
        let names = fields.iter().map(|field| field.name.as_str());
        let accepted = format!("Accepted: {}.", names.clone().collect::<Vec<_>>().join(", "));
        let hint =
            nearest(key, names).map_or(accepted.clone(), |meant| format!("Did you mean \"{meant}\"? {accepted}"));
        faults.push(Problem::new(&codes::UNKNOWN_FIELD, detail).field(inside(&shown)).hint(hint));
    }
    for field in fields {
        let path = inside(&field.name);
        match given.get(&field.name) {
            // What may be absent may be null.
            Some(Value::Null) if !field.is_required => {}
            Some(value) => field.shape.judge(&path, &field.meaning, field.example.as_ref(), value, faults),
            None if field.is_required => {
                let example = field.example.as_ref().map(|example| format!("; for example {example}"));
                let detail = format!("the field \"{path}\" is missing{}", example.unwrap_or_default());
                faults.push(with_hint(Problem::new(&codes::FIELD_MISSING, detail).field(path), &field.meaning));
            }
            None => {}
        }
    }
}

/// What a value is. It is not repeated: a password in a wrong place is still one.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction or an exponent",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The meaning of a field is what to do about a wrong value.
fn with_hint(problem: Problem, meaning: &str) -> Problem {
    if meaning.is_empty() { problem } else { problem.hint(meaning) }
}

impl Field {
    fn of(document: &Value, parent: &Value, name: &str, schema: &Value) -> Self {
        let is_required = parent["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name));
        Self {
            name: name.to_owned(),
            is_required,
            shape: Shape::of(document, schema),
            meaning: schema["description"].as_str().unwrap_or_default().to_owned(),
            example: schema.get("example").cloned(),
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        let document = json!({"components": {"schemas": {
            "New": {
                "type": "object", "additionalProperties": false, "required": ["name"],
                "properties": {
                    "name": {"type": "string", "description": "What it is called.", "example": "laptop"},
                    "size": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "rules": {"type": "array", "items": {"$ref": "#/components/schemas/Rule"}},
                    "settings": {"description": "Anything."},
                },
            },
            "Rule": {"type": "object", "properties": {"last": {"type": "integer"}}},
        }}});
        Shape::of(&document, &json!({"$ref": "#/components/schemas/New"}))
    }

    #[test]
    fn all_faults_are_named_with_their_fields() {
        let rows = [
            (json!({"name": "x", "size": 1, "rules": [{"last": 1, "more": 2}], "settings": [1]}), vec![]),
            (json!({"name": "x", "size": null, "rules": null}), vec![]),
            (json!({}), vec!["field_missing name"]),
            (json!({"name": null}), vec!["invalid_field name"]),
            (json!([]), vec!["invalid_field -"]),
            (json!({"nme": "x"}), vec!["unknown_field nme", "field_missing name"]),
            (
                json!({"name": 1, "size": 1.5, "rules": [{"last": 1}, {"last": "x"}, 7]}),
                vec![
                    "invalid_field name",
                    "invalid_field size",
                    "invalid_field rules[1].last",
                    "invalid_field rules[2]",
                ],
            ),
        ];
        for (value, expected) in rows {
            let faults = shape().faults(&value);
            let told = faults.iter().map(|one| format!("{} {}", one.code.name, one.field.as_deref().unwrap_or("-")));
            let (mut told, mut expected) = (told.collect::<Vec<_>>(), expected);
            told.sort();
            expected.sort_unstable();
            assert_eq!(told, expected, "{value}");
        }
        let missing = &shape().faults(&json!({}))[0];
        assert!(missing.detail.contains("\"laptop\"") && missing.hint_text() == "What it is called.", "{missing:?}");
        assert!(shape().faults(&json!({"nme": 1, "name": ""}))[0].hint_text().contains("\"name\""));
    }
}
