//! The addresses of the API as its document describes them: their methods, the keys of their queries, the shapes of
//! their bodies. poem knows all of this and tells none of it.
//!
//! ```text
//! GET /api/packages?limt=5    →  unknown_field: the query has no key "limt"; did you mean "limit"?
//! ```
//!
//! A key that nothing reads is refused, for a mistyped filter would show what it was meant to hide.

use std::collections::BTreeSet;

use keeper_core::error::{Failure, Problem, codes};
use poem::http::Method;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::listing::shorten;
use super::shape::Shape;
use crate::nearest::nearest;

/// All addresses below `/api`.
pub(in crate::http) struct Addresses(Vec<Address>);

/// One address with everything that can be done there.
struct Address {
    /// Its segments; one that begins with a brace stands for any.
    segments: Vec<String>,
    /// The value of `Allow`.
    allow: String,
    operations: Vec<(Method, Operation)>,
}

/// What one operation reads.
#[derive(Default)]
pub(in crate::http) struct Operation {
    /// The keys of its query with what each means.
    query: Vec<(String, String)>,
    /// The other parameters with what each means.
    others: Vec<(String, String)>,
    /// What its body is, if it is JSON.
    body: Option<Shape>,
    /// Whether its answer is a file of any type.
    is_download: bool,
}

impl Addresses {
    /// Those of an OpenAPI document.
    ///
    /// # Panics
    /// When the document is none; it is this program's own.
    pub(in crate::http) fn of(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).expect("the document is JSON");
        let paths = members(&document["paths"]);
        Self(paths.map(|(path, item)| Address::of(&document, path, item)).collect())
    }

    fn find(&self, path: &str) -> Option<&Address> {
        let asked: Vec<_> = path.strip_prefix("/api")?.split('/').skip(1).collect();
        self.0.iter().find(|address| address.fits(&asked))
    }

    /// The methods that this address has, as `Allow` tells them.
    pub(in crate::http) fn methods(&self, path: &str) -> Option<&str> {
        self.find(path).map(|address| address.allow.as_str())
    }

    /// What is done by this method at this address, if there is anything.
    pub(in crate::http) fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let operations = &self.find(path)?.operations;
        operations.iter().find(|(known, _)| known == method).map(|(_, operation)| operation)
    }
}

impl Address {
    fn of(document: &Value, path: &str, item: &Value) -> Self {
        let operations: Vec<_> = members(item)
            .filter_map(|(method, operation)| {
                let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
                Some((method, Operation::of(document, operation)))
            })
            .collect();
        // poem answers HEAD wherever it answers GET.
        let head = operations.iter().any(|(method, _)| *method == Method::GET).then_some("HEAD");
        let methods: Vec<_> = operations.iter().map(|(method, _)| method.as_str()).chain(head).collect();
        Self { segments: path.split('/').skip(1).map(str::to_owned).collect(), allow: methods.join(", "), operations }
    }

    fn fits(&self, asked: &[&str]) -> bool {
        let mut pairs = self.segments.iter().zip(asked);
        self.segments.len() == asked.len() && pairs.all(|(known, asked)| known.starts_with('{') || known == asked)
    }
}

impl Operation {
    fn of(document: &Value, operation: &Value) -> Self {
        let mut read = Self::default();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let text = |key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
            let list = if parameter["in"] == "query" { &mut read.query } else { &mut read.others };
            list.push((text("name"), text("description")));
        }
        let bodies = members(&operation["requestBody"]["content"]);
        let json = bodies.into_iter().find(|(kind, _)| kind.starts_with("application/json"));
        read.body = json.map(|(_, body)| Shape::of(document, &body["schema"]));
        read.is_download = operation["responses"]["200"]["content"].get("*/*").is_some();
        read
    }

    /// Whether `Accept` decides nothing: the type of the answer is that of a file.
    pub(in crate::http) fn is_download(&self) -> bool {
        self.is_download
    }

    /// Judges a query: every key is known, and given once, and no value holds a NUL, which no database has in a text.
    ///
    /// # Errors
    /// All keys that are not.
    pub(in crate::http) fn check_query(&self, query: &str) -> Result<(), Failure> {
        let mut problems = Vec::new();
        let mut given = BTreeSet::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if !self.query.iter().any(|(known, _)| *known == key) {
                problems.push(unknown(&key, self.query.iter().map(|(known, _)| known.as_str())));
            } else if !given.insert(key.clone()) {
                let detail = format!("the query has the key \"{key}\" more than once");
                problems.push(Problem::new(&codes::DUPLICATE_FIELD, detail).field(key));
            } else if value.contains('\0') && !JUDGED_APART.contains(&&*key) {
                let detail = format!("the value of \"{key}\" holds the character NUL");
                problems.push(Problem::new(&codes::INVALID_FIELD, detail).field(key));
            }
        }
        Failure::from_problems(problems).map_or(Ok(()), Err)
    }

    /// What a parameter means, for whoever gave it a wrong value.
    pub(in crate::http) fn meaning(&self, parameter: &str) -> Option<&str> {
        let mut all = self.query.iter().chain(&self.others);
        all.find(|(known, _)| known == parameter).map(|(_, meaning)| meaning.as_str())
    }

    /// Judges a JSON body by its shape.
    ///
    /// # Errors
    /// All faults of its fields.
    pub(in crate::http) fn check_body(&self, body: &Value) -> Result<(), Failure> {
        let faults = self.body.as_ref().map(|shape| shape.faults(body)).unwrap_or_default();
        Failure::from_problems(faults).map_or(Ok(()), Err)
    }
}

/// Keys whose values are refused with a code of their own.
const JUDGED_APART: [&str; 2] = ["q", "cursor"];

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let shown: String = shorten(key).escape_debug().collect();
    let problem = Problem::new(&codes::UNKNOWN_FIELD, format!("the query has no key \"{shown}\"")).field(shown);
    let all = known.clone().collect::<Vec<_>>().join(", ");
    match nearest(key, known) {
        Some(meant) => problem.hint(format!("Did you mean \"{meant}\"? Accepted: {all}.")),
        None if all.is_empty() => problem.hint("Nothing is accepted here."),
        None => problem.hint(format!("Accepted: {all}.")),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::super::openapi;
    use super::*;

    fn addresses() -> Addresses {
        Addresses::of(&openapi())
    }

    #[test]
    fn an_address_has_the_methods_of_the_document() {
        let addresses = addresses();
        let mut allowed: Vec<_> = addresses.methods("/api/artifacts/1").expect("known").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH"]);
        assert_eq!(addresses.methods("/api/artifacts/1/2"), None);
        assert!(addresses.operation(&Method::HEAD, "/api/packages").is_some());
        assert!(addresses.operation(&Method::POST, "/api/packages").is_none());
    }

    #[test]
    fn a_query_has_known_keys_each_once() {
        let addresses = addresses();
        let list = addresses.operation(&Method::GET, "/api/packages").expect("a list");
        let codes = |query: &str| {
            let refused = list.check_query(query).err();
            refused.iter().flat_map(Failure::problems).map(|problem| problem.code.name).collect::<Vec<_>>()
        };
        assert_eq!(codes("limit=5&q=&format=go"), [""; 0]);
        assert_eq!(codes("limt=5&limit=1&limit=2&li%6dit=3"), ["unknown_field", "duplicate_field", "duplicate_field"]);
        assert_eq!(codes("q=a%00b&format=g%00o"), ["invalid_field"]);
        let refused = list.check_query("limt=5").expect_err("mistyped");
        assert!(refused.first().hint_text().contains("\"limit\""), "{}", refused.first().hint_text());
        assert!(list.meaning("limit").expect("described").contains("1 to 200"));
    }
}
