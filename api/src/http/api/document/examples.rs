//! Examples: one for each field and parameter, from `examples.json`, and bodies that are put together of them.
//!
//! Shape of the file: `{"*": {field: value}, "Schema": {field: value}, "parameters": {name: value}, "anything": value}`.
//! What a schema says of a field wins over `*`; `null` there means that its example leaves the field out. `anything` is
//! the body that has no schema: what a client reports of itself.

use serde_json::Value;

use super::node::Node;
use super::{operations, referred};

const FILE: &str = include_str!("examples.json");

/// Schemas may refer to each other so deep.
const DEPTH: usize = 8;

/// Adds examples to all fields, parameters and bodies.
///
/// # Panics
/// When the file is no JSON, which a test would have told.
pub(super) fn add(document: &mut Node) {
    let values: Value = serde_json::from_str(FILE).expect("examples.json is JSON");
    let Some(schemas) = document.get("components").and_then(|parts| parts.get("schemas")).cloned() else { return };
    let given = Given { values, schemas };
    if let Some(schemas) = document.get_mut("components").and_then(|parts| parts.get_mut("schemas")) {
        given.show_fields(schemas);
    }
    if let Some(answers) = document.get_mut("components").and_then(|parts| parts.get_mut("responses")) {
        answers.members_mut().for_each(|(_, answer)| given.show_content(answer));
    }
    for (_, _, operation) in operations(document) {
        given.show_parameters(operation);
        if let Some(body) = operation.get_mut("requestBody") {
            given.show_content(body);
        }
        let answers = operation.get_mut("responses").map(Node::members_mut);
        answers.into_iter().flatten().for_each(|(_, answer)| given.show_content(answer));
    }
}

struct Given {
    values: Value,
    schemas: Node,
}

impl Given {
    /// The example of a field; `None` if there is none, or it is left out.
    fn field(&self, schema: &str, name: &str) -> Option<Node> {
        let of_schema = self.values.get(schema).and_then(|fields| fields.get(name));
        let value = of_schema.or_else(|| self.values["*"].get(name)).filter(|value| !value.is_null())?;
        Some(value.into())
    }

    /// Fields with values of their own. One that is left out of examples of the whole has one all the same.
    fn show_fields(&self, schemas: &mut Node) {
        for (name, schema) in schemas.members_mut() {
            let Some(properties) = schema.get_mut("properties") else { continue };
            for (field, property) in properties.members_mut() {
                let refers = referred(property).is_some() || property.get("items").and_then(referred).is_some();
                if refers || property.get("example").is_some() {
                    continue;
                }
                let usual = || self.values["*"].get(field).filter(|value| !value.is_null()).map(Node::from);
                if let Some(example) = self.field(name, field).or_else(usual) {
                    property.set("example", example);
                }
            }
        }
    }

    fn show_parameters(&self, operation: &mut Node) {
        let Some(parameters) = operation.get_mut("parameters") else { return };
        for parameter in parameters.elements_mut() {
            let name = parameter.get("name").and_then(Node::text).unwrap_or_default();
            if let Some(example) = self.values["parameters"].get(name) {
                parameter.set("example", example.into());
            }
        }
    }

    /// The bodies of a request or an answer.
    fn show_content(&self, holder: &mut Node) {
        let Some(content) = holder.get_mut("content") else { return };
        for (kind, body) in content.members_mut() {
            if !(kind.contains("json") || kind.starts_with("multipart")) || body.get("example").is_some() {
                continue;
            }
            if let Some(example) = body.get("schema").and_then(|schema| self.whole(schema, DEPTH)) {
                body.set("example", example);
            }
        }
    }

    /// The example of a schema, put together of those of its fields.
    fn whole(&self, schema: &Node, depth: usize) -> Option<Node> {
        let depth = depth.checked_sub(1)?;
        if let Some(name) = referred(schema) {
            return self.named(name, depth);
        }
        if let Some(example) = schema.get("example") {
            return Some(example.clone());
        }
        match schema.get("type").and_then(Node::text) {
            Some("array") => Some(Node::Array(self.whole(schema.get("items")?, depth).into_iter().collect())),
            Some("object") => Some(self.fields("", schema, depth)),
            None => self.values.get("anything").map(Node::from),
            Some(_) => None,
        }
    }

    fn named(&self, name: &str, depth: usize) -> Option<Node> {
        let schema = self.schemas.get(name)?;
        match schema.get("enum").map(Node::elements).and_then(<[Node]>::first) {
            Some(first) => Some(first.clone()),
            None => Some(self.fields(name, schema, depth)),
        }
    }

    fn fields(&self, name: &str, schema: &Node, depth: usize) -> Node {
        let mut members = Vec::new();
        for (field, property) in schema.get("properties").map_or(&[][..], Node::members) {
            if self.values.get(name).and_then(|fields| fields.get(field)).is_some_and(Value::is_null) {
                continue;
            }
            let refers = referred(property).is_some() || property.get("items").and_then(referred).is_some();
            let example = match property.get("example") {
                Some(example) => Some(example.clone()),
                None if refers => self.whole(property, depth),
                None => self.field(name, field),
            };
            // The bytes of a file have no example that could be read.
            if let Some(example) = example {
                members.push((field.clone(), example));
            }
        }
        Node::Object(members)
    }
}
