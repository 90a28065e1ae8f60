//! Remote and virtual repositories: copies of what upstreams have, and several repositories seen as one.
//!
//! ```text
//! content       what is taken from an upstream, what is refused, and what is kept when it changes its mind
//! trouble       upstreams that fail in every way: the answer, and that nothing of it is kept
//! damage        what is done when a copy of ours is lost or has rotted
//! relayed       what is given out while it comes from the upstream
//! redirects     where upstreams may send us, and where not
//! places        addresses that nobody may name as an upstream
//! verified      the checksum database says what is true; what contradicts it is not stored
//! confusion     private names never leave, and nobody else answers for them
//! members       several repositories as one
//! rules         what may come in
//! offline       what works when the upstream is gone
//! stampede      many clients at once, and a kill in the middle
//! caches        answers that are kept ready are those of this repository, and no longer than they may be
//! differential  the go command cannot tell us from the upstream
//! ```
//!
//! The upstream is a script ([`Scripted`](crate::harness::scripted::Scripted)) or another keeper. Letters and numbers
//! only name the rows.

mod caches;
mod confusion;
mod content;
mod damage;
mod differential;
mod members;
mod offline;
mod places;
mod redirects;
mod relayed;
mod rules;
mod stampede;
mod trouble;
mod verified;

use serde_json::{Value, json};

use crate::harness::http::{self, Response};
use crate::harness::refusal::LOG;
use crate::harness::server::Server;

/// The setting under which upstreams of tests can be reached.
const NEAR: (&str, &str) = ("KEEPER_NETWORK_ALLOW", "127.0.0.1");

/// Settings without a checksum database.
fn unverified() -> Value {
    json!({ "checksum_database": "off", "verify": "off" })
}

/// A server that may reach upstreams on this machine.
struct Scene {
    server: Server,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    /// One with further settings.
    fn with(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = [LOG, NEAR].iter().chain(settings).copied().collect();
        Self { server: Server::with(&settings) }
    }

    /// Makes `go/{name}`, a copy of what this chain has, which asks for indexes each time and has no checksum database.
    fn remote(&self, name: &str, chain: &str) {
        self.remote_with(name, chain, &json!({}), &unverified());
    }

    /// The same with more to say of its upstream, and with other settings.
    fn remote_with(&self, name: &str, chain: &str, upstream: &Value, settings: &Value) {
        let mut all = json!({ "url": chain, "allow_http": true, "index_seconds": 0 });
        let more = upstream.as_object().expect("an object").clone();
        all.as_object_mut().expect("an object").extend(more);
        self.create(&json!({
            "format": "go", "name": name, "kind": "remote", "anonymous_read": true, "upstream": all,
            "settings": settings,
        }));
    }

    /// Makes a virtual `go/{name}` with these members, and more to say of it.
    fn combined(&self, name: &str, members: &[&str], more: &Value) {
        let mut all = json!({
            "format": "go", "name": name, "kind": "virtual", "anonymous_read": true, "members": members,
        });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.create(&all);
    }

    /// Makes a repository.
    fn create(&self, repository: &Value) {
        self.server.api("POST", "/api/repositories", Some(repository)).expect(201);
    }

    /// Changes a repository of Go.
    fn change(&self, name: &str, change: &Value) {
        self.server.api("PATCH", &format!("/api/repositories/go/{name}"), Some(change)).expect(200);
    }

    fn get(&self, repository: &str, path: &str) -> Response {
        http::get(&format!("{}{path}", self.server.go(repository)))
    }

    /// The actions of this name in the audit.
    fn audited(&self, action: &str) -> Vec<Value> {
        let page = self.server.api("GET", &format!("/api/audit?action={action}"), None).expect(200).json();
        page["items"].as_array().expect("items").clone()
    }
}
