//! What the OpenAPI document says beyond what poem-openapi derives from the handlers.
//!
//! - Each refusal is described once, with its codes, and an operation refers to those that it can give.
//! - Each field and each parameter has an example, from `document/examples.json`; each body has one that is put
//!   together of them.
//! - What a body of a request may hold is closed: other keys are refused.
//! - An operation that asks for no credential says so.
//!
//! The checks of all this are in the tests below and in the black-box tests, which compare what the server answers
//! with what the document declares.

mod examples;
mod node;

use keeper_core::error::codes;
use node::Node;

use super::super::error::status;

/// Where the schemas of the document are.
const SCHEMAS: &str = "#/components/schemas/";

/// The methods that an address can have in the document.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The whole document, in pretty JSON.
///
/// # Panics
/// When poem-openapi prints no JSON.
pub(super) fn complete(derived: &str) -> String {
    let mut document: Node = serde_json::from_str(derived).expect("poem-openapi prints JSON");
    close_bodies(&mut document);
    describe_answers(&mut document);
    share_refusals(&mut document);
    examples::add(&mut document);
    serde_json::to_string_pretty(&document).expect("JSON can be printed") + "\n"
}

/// Every operation, with its path and method.
fn operations(document: &mut Node) -> impl Iterator<Item = (String, String, &mut Node)> {
    let paths = document.get_mut("paths").map(Node::members_mut);
    paths.into_iter().flatten().flat_map(|(path, item)| {
        let path = path.to_owned();
        let operations = item.members_mut().filter(|(method, _)| METHODS.contains(method));
        operations.map(move |(method, operation)| (path.clone(), method.to_owned(), operation))
    })
}

/// The name of the schema that a schema refers to: directly, or with words of its own beside it.
fn referred(schema: &Node) -> Option<&str> {
    let beside = schema.get("allOf").map_or(&[][..], Node::elements);
    std::iter::once(schema).chain(beside).find_map(|one| one.get("$ref")?.text()?.strip_prefix(SCHEMAS))
}

/// The names of all schemas that one refers to, itself included.
fn reachable(document: &Node, schema: &Node, found: &mut Vec<String>) {
    match schema {
        Node::Object(members) => {
            if let Some(name) = referred(schema).filter(|name| !found.iter().any(|known| known == name)) {
                found.push(name.to_owned());
                if let Some(schema) = document.at(["components", "schemas", name]) {
                    reachable(document, schema, found);
                }
            }
            members.iter().for_each(|(_, member)| reachable(document, member, found));
        }
        Node::Array(elements) => elements.iter().for_each(|element| reachable(document, element, found)),
        Node::Plain(_) => {}
    }
}

/// The objects of bodies that are sent hold what they declare and nothing else.
fn close_bodies(document: &mut Node) {
    let mut sent = Vec::new();
    for (_, item) in document.get("paths").map_or(&[][..], Node::members) {
        for (_, operation) in item.members() {
            if let Some(body) = operation.get("requestBody") {
                reachable(document, body, &mut sent);
            }
        }
    }
    let Some(schemas) = document.get_mut("components").and_then(|parts| parts.get_mut("schemas")) else { return };
    for (name, schema) in schemas.members_mut() {
        if sent.iter().any(|sent| sent == name) && schema.get("properties").is_some() {
            schema.set("additionalProperties", Node::Plain(false.into()));
        }
    }
}

/// An answer that its handler does not describe is what its schema says. An operation without credentials needs
/// none.
fn describe_answers(document: &mut Node) {
    let texts: Vec<_> = document.at(["components", "schemas"]).map_or(&[][..], Node::members).to_vec();
    let described = |name: &str| {
        texts.iter().find(|(known, _)| known == name).and_then(|(_, schema)| schema.get("description")?.text())
    };
    for (_, _, operation) in operations(document) {
        if operation.get("security").is_none() {
            operation.set("security", Node::Array(Vec::new()));
        }
        let answers = operation.get_mut("responses").map(Node::members_mut);
        for (_, answer) in answers.into_iter().flatten() {
            let content = answer.get("content").and_then(|content| content.members().first());
            let name = content.and_then(|(_, content)| content.get("schema")).and_then(referred);
            let text = name.and_then(described).unwrap_or("The answer.").to_owned();
            if answer.get("description").and_then(Node::text) == Some("") {
                answer.set("description", text.as_str().into());
            }
        }
    }
}

/// Whether an operation can refuse with a status. What is not named here every operation can.
fn refuses(status: u16, path: &str, method: &str, operation: &Node) -> bool {
    let has_body = operation.get("requestBody").is_some();
    let changes = method != "get";
    let parameters = operation.get("parameters").map_or(&[][..], Node::elements);
    let is_conditional = parameters.iter().any(|one| one.get("name").and_then(Node::text) == Some("If-Match"));
    let is_artifact = path.starts_with("/artifacts");
    match status {
        405 => path == "/artifacts" && method == "post",
        408 | 413 | 415 => has_body,
        409 | 507 => changes,
        410 => is_artifact,
        412 => is_conditional || path.ends_with("/files/{file}"),
        422 => is_artifact || has_body,
        _ => true,
    }
}

/// Puts each refusal into the components once, with the codes that it can have, and refers to it.
fn share_refusals(document: &mut Node) {
    let mut shared: Vec<(String, Node)> = Vec::new();
    for (path, method, operation) in operations(document) {
        let is_problem = |answer: &Node| answer.at(["content", "application/problem+json"]).is_some();
        let (known, refused): (Vec<_>, Vec<_>) = match operation.get("responses") {
            Some(Node::Object(answers)) => answers.iter().cloned().partition(|(_, answer)| !is_problem(answer)),
            _ => continue,
        };
        let possible = refused
            .into_iter()
            .filter(|(status, _)| status.parse().is_ok_and(|status| refuses(status, &path, &method, operation)));
        let mut answers = known;
        for (status, mut answer) in possible {
            let name = format!("Refused{status}");
            if !shared.iter().any(|(known, _)| *known == name) {
                let words = answer.get("description").and_then(Node::text).unwrap_or_default();
                let words = format!("{words}. Codes: {}", codes_of(&status));
                answer.set("description", words.as_str().into());
                shared.push((name.clone(), answer));
            }
            let reference = format!("#/components/responses/{name}");
            answers.push((status, Node::object([("$ref", reference.as_str().into())])));
        }
        operation.set("responses", Node::Object(answers));
    }
    shared.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(components) = document.get_mut("components") {
        components.set("responses", Node::Object(shared));
    }
}

/// The codes of the platform and of the formats in this build that a status can mean.
fn codes_of(wanted: &str) -> String {
    let formats = keeper_formats::registry();
    let of_formats = formats.iter().flat_map(|all| all.iter()).flat_map(|(_, handler)| handler.info().codes);
    let all = codes::ALL.iter().chain(of_formats);
    let fitting = all.filter(|code| status(code.class).as_str() == wanted);
    let mut names: Vec<_> = fitting.map(|code| format!("`{}`", code.name)).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::openapi;

    /// Every operation of the document, with its path and method.
    fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
        let paths = document["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let operations = item.as_object().expect("operations");
            operations.iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
    }

    fn is_said(value: &Value) -> bool {
        value.as_str().is_some_and(|text| !text.trim().is_empty())
    }

    fn has_example(value: &Value) -> bool {
        value.get("example").is_some_and(|example| !example.is_null())
    }

    #[test]
    fn every_operation_says_what_it_is_takes_and_answers() {
        let document: Value = serde_json::from_str(&openapi()).expect("JSON");
        let mut ids = Vec::new();
        for (name, operation) in operations(&document) {
            assert!(is_said(&operation["summary"]), "{name} has no summary");
            assert!(is_said(&operation["operationId"]), "{name} has no operationId");
            assert!(operation["security"].is_array(), "{name} does not say which credentials it takes");
            ids.push(operation["operationId"].clone());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(is_said(&parameter["description"]), "{name}: {} is not described", parameter["name"]);
                assert!(has_example(parameter), "{name}: {} has no example", parameter["name"]);
            }
            let bodies = operation["requestBody"]["content"].as_object();
            for (kind, body) in bodies.into_iter().flatten() {
                assert!(has_example(body), "{name}: its body as {kind} has no example");
            }
            let answers = operation["responses"].as_object().expect("answers");
            assert!(answers.keys().any(|status| status.starts_with('2')), "{name} never succeeds");
            for needed in ["400", "401", "403", "404", "500", "503"] {
                assert!(answers.contains_key(needed), "{name} does not declare {needed}");
            }
            for (status, answer) in answers {
                let pointer = answer["$ref"].as_str().map(|text| text.trim_start_matches('#'));
                let answer = pointer.map_or(answer, |pointer| document.pointer(pointer).expect("a shared answer"));
                assert!(is_said(&answer["description"]), "{name}: {status} is not described");
                for (kind, content) in answer["content"].as_object().into_iter().flatten() {
                    let shown = has_example(content) || !kind.contains("json") || kind.contains("ndjson");
                    assert!(shown, "{name}: {status} as {kind} has no example");
                }
            }
        }
        let count = ids.len();
        ids.sort_by_key(ToString::to_string);
        ids.dedup();
        assert_eq!(ids.len(), count, "two operations have one id");
    }

    #[test]
    fn every_field_is_described_and_has_an_example_unless_it_refers_to_another() {
        let document: Value = serde_json::from_str(&openapi()).expect("JSON");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        for (name, schema) in schemas {
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                let described = is_said(&property["description"])
                    || property["allOf"].as_array().into_iter().flatten().any(|one| is_said(&one["description"]));
                assert!(described, "{name}.{field} is not described");
                let refers = property.get("allOf").is_some() || property["items"].get("$ref").is_some();
                assert!(refers || property.get("example").is_some(), "{name}.{field} has no example");
            }
        }
    }

    #[test]
    fn a_refusal_names_its_codes_and_an_operation_only_what_it_can_give() {
        let document: Value = serde_json::from_str(&openapi()).expect("JSON");
        let bad = document["components"]["responses"]["Refused400"]["description"].as_str().expect("a text");
        assert!(bad.contains("`invalid_field`") && !bad.contains("`not_found`"), "{bad}");
        let answers = |path: &str, method: &str| document["paths"][path][method]["responses"].clone();
        assert!(answers("/artifacts", "get").get("507").is_none());
        assert!(answers("/artifacts", "post").get("507").is_some());
        assert_eq!(document["components"]["schemas"]["NewRepository"]["additionalProperties"], false);
        assert!(document["components"]["schemas"]["RepositoryView"].get("additionalProperties").is_none());
    }
}
