//! What a route is asked with. Each request of a changing route gets things of its own, so that one that succeeds
//! leaves the next one what it needs.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http::Response;
use crate::harness::people::{Credential, PASSWORD, ask, ask_with, grant, id, person, token};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Form;

/// The module in each repository.
const MODULE: &str = "example.com/m";

/// A file that every generic repository holds.
const FILE: &str = "tool/1/a";

/// A server with the repositories `public`, `private` and `other` of each format, each with one package.
pub(super) struct Stage {
    pub(super) server: Server,
    /// The module in `go/private`: its artifact, that one's `.mod` file, its package.
    artifact: String,
    file: String,
    package: String,
    made: Cell<u32>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let server = Server::with(&[("KEEPER_ADMIN_PASSWORD", PASSWORD)]);
        for (name, anonymous_read) in [("public", true), ("private", false), ("other", false)] {
            for format in ["go", "generic"] {
                let settings = json!({"anonymous_read": anonymous_read, "kind": "hosted"});
                let mut repository = json!({"format": format, "name": name});
                repository.as_object_mut().expect("an object").extend(settings.as_object().cloned().expect("one"));
                server.create_repository(&repository);
            }
            server.send(Some(ADMIN_TOKEN), "PUT", &format!("/generic/{name}/{FILE}"), &[], b"a").expect(201);
        }
        person(&server, "visitor");
        let (artifact, file, package) = (String::new(), String::new(), String::new());
        let stage = Self { server, artifact, file, package, made: Cell::new(0) };
        let [_, artifact, _] = ["public", "private", "other"].map(|name| stage.publish(name));
        let packages = stage.server.api("GET", "/api/packages?format=go&repository=private", None).expect(200).json();
        let package = id(&packages["items"][0]);
        let files = stage.server.api("GET", &format!("/api/artifacts/{artifact}/files"), None).expect(200).json();
        let file = files["items"][0]["name"].as_str().expect("a file").to_owned();
        Self { artifact, file, package, ..stage }
    }

    /// A number that was not used before.
    fn number(&self) -> u32 {
        self.made.replace(self.made.get() + 1)
    }

    /// A new version in a repository: the id of its artifact.
    fn publish(&self, repository: &str) -> String {
        let go_mod = format!("module {MODULE}\n");
        let archive =
            archives::zip(&[("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n"), ("README.md", b"# m\n")]);
        let version = format!("v1.0.{}", self.number());
        let form = Form::go(archive).with("name", MODULE).with("version", &version).with("repository", repository);
        form.send(&self.server).expect(201).text("id").to_owned()
    }

    /// A new repository that holds nothing.
    fn empty(&self) -> String {
        let name = format!("empty-{}", self.number());
        self.server
            .create_repository(&json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": false}));
        name
    }

    /// A new version at a path with `{made}` in the place of the version, where its repository is there.
    fn made(&self, path: &str) -> String {
        let version = self.number().to_string();
        let file = format!("{}a", path.replace("{made}", &version));
        self.server.send(Some(ADMIN_TOKEN), "PUT", &file, &[], b"a");
        version
    }

    /// A new user.
    fn user(&self) -> String {
        let login = format!("user-{}", self.number());
        let body = json!({"login": login, "kind": "robot"});
        self.server.api("POST", "/api/users", Some(&body)).expect(201);
        login
    }

    /// A new group with one user.
    fn group(&self) -> (String, String) {
        let (name, login) = (format!("group-{}", self.number()), self.user());
        self.server.api("POST", "/api/groups", Some(&json!({"name": name}))).expect(201);
        self.server.api("PUT", &format!("/api/groups/{name}/members/{login}"), None).expect(204);
        (name, login)
    }

    /// Asks a route. In place of `{…}` stands something that exists, on `go/private` where it is of a repository.
    pub(super) fn perform(&self, method: &str, path: &str, who: &Credential) -> Response {
        self.perform_on("private", method, path, who)
    }

    /// The same with another repository in the place of `go/private`, where the route names one.
    pub(super) fn perform_on(&self, repository: &str, method: &str, path: &str, who: &Credential) -> Response {
        if (method, path) == ("POST", "/api/artifacts") {
            let form = RawForm::module(MODULE, "v1.9.0").text("repository", "private").text("dry_run", "true");
            let form = form.file(archives::module(b"module example.com/m\n")).finished();
            return ask_with(&self.server, method, path, who, &raw_form::content_type(), &form);
        }
        let filled = self.filled(method, &path.replace("{format}/{name}", &format!("go/{repository}")));
        let filled = filled.replace("/private/", &format!("/{repository}/"));
        if path.starts_with("/generic/") && method == "PUT" {
            return ask_with(&self.server, method, &filled, who, "application/octet-stream", b"a");
        }
        let body = self.body(method, path);
        ask(&self.server, method, &filled, who, body.as_ref())
    }

    /// The path with something in each place. A route with a place that is not known here needs a line.
    fn filled(&self, method: &str, path: &str) -> String {
        let changes = method != "GET";
        let filled = match path {
            "/api/artifacts/{id}" if changes => path.replace("{id}", &self.publish("private")),
            "/api/artifacts/{id}/file" => format!("{path}?name={}", self.file).replace("{id}", &self.artifact),
            _ if path.starts_with("/api/artifacts/{id}") => {
                path.replace("{id}", &self.artifact).replace("{file}", &self.file)
            }
            _ if path.starts_with("/api/packages/{id}") => path.replace("{id}", &self.package),
            "/api/explain" => format!("{path}?format=go&repository=private&package={MODULE}"),
            _ if path.ends_with("/refresh") => format!("{path}?package={MODULE}"),
            "/api/doctor" => format!("{path}?format=go&repository=private"),
            "/api/search" => format!("{path}?q=example"),
            _ if path.contains("{empty}") => path.replace("{empty}", &self.empty()),
            _ if path.contains("{new}") => path.replace("{new}", &self.number().to_string()),
            _ if path.contains("{made}") => path.replace("{made}", &self.made(path)),
            "/api/grants/{id}" => path.replace("{id}", &grant(&self.server, &self.user(), "go/private", "reader")),
            "/api/me/sessions/{id}" => path.replace("{id}", "0199a3b4-0000-7000-8000-000000000000"),
            "/api/tokens/{id}" => path.replace("{id}", &token(&self.server, "admin", &["read"], &["*"]).1),
            "/api/users/{login}" | "/api/users/{login}/sessions" if changes => path.replace("{login}", &self.user()),
            "/api/users/{login}" => path.replace("{login}", "visitor"),
            _ if path.starts_with("/api/groups/{name}") => {
                let (name, member) = self.group();
                let login = if method == "PUT" { self.user() } else { member };
                path.replace("{name}", &name).replace("{login}", &login)
            }
            _ => path.to_owned(),
        };
        assert!(!filled.contains('{'), "tests/matrix/requests.rs does not say what stands in {path}");
        filled
    }

    /// A body that is a good one.
    fn body(&self, method: &str, path: &str) -> Option<Value> {
        Some(match (method, path) {
            ("POST", "/api/session") => json!({"login": "visitor", "password": PASSWORD}),
            // Too short, so that nobody's password changes.
            ("PUT", "/api/me/password") => json!({"current": PASSWORD, "new": "short"}),
            ("POST", "/api/users") => json!({"login": format!("new-{}", self.number())}),
            ("PATCH", "/api/users/{login}") => json!({"display_name": "Ann"}),
            ("POST", "/api/groups") => json!({"name": format!("new-{}", self.number())}),
            ("PATCH", "/api/groups/{name}") => json!({"description": "a team"}),
            ("POST", "/api/grants") => json!({"user": self.user(), "repositories": "go/private", "role": "publisher"}),
            ("POST", "/api/tokens") => json!({"name": "new", "actions": ["read"], "repositories": ["go/private"]}),
            ("POST", "/api/repositories") => {
                json!({"format": "go", "name": format!("new-{}", self.number()), "kind": "hosted"})
            }
            ("PATCH", "/api/artifacts/{id}") => json!({"state": "yanked", "reason": "too slow"}),
            ("POST", "/api/doctor") => json!({"GOPROXY": "direct"}),
            ("PATCH", "/api/repositories/{format}/{name}") => json!({"description": "changed"}),
            // Limits and rules that nothing here comes near.
            ("PUT", "/api/repositories/{format}/{name}/quota") => json!({"max_artifacts": 1_000_000}),
            ("PUT", "/api/repositories/{format}/{name}/retention") => json!({"rules": [{"keep_last": 1000}]}),
            _ => return None,
        })
    }
}
