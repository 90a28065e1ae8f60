//! Who asks. Rights are on `*/private`; `wrong` has all of an owner's rights, on other repositories.

use std::collections::BTreeMap;

use crate::harness::database::sql;
use crate::harness::people::{Credential, ask, grant, person, session, token};
use crate::harness::server::Server;

/// The kinds of principals, in the order of the table's columns.
pub(super) const KINDS: [&str; 8] =
    ["reader", "publisher", "maintainer", "owner", "admin", "expired", "revoked", "wrong"];

/// What carries a credential, in the order of the table's columns.
pub(super) const CARRIERS: [&str; 3] = ["Bearer", "Basic", "cookie"];

/// Everybody, with a token and a cookie.
pub(super) struct Cast {
    tokens: BTreeMap<&'static str, String>,
    cookies: BTreeMap<&'static str, String>,
}

impl Cast {
    /// Makes everybody.
    pub(super) fn on(server: &Server) -> Self {
        let (mut tokens, mut cookies) = (BTreeMap::new(), BTreeMap::new());
        for kind in KINDS {
            let (role, repository) = match kind {
                "wrong" => ("owner", "*/other"),
                "expired" | "revoked" => ("owner", "*/private"),
                role => (role, "*/private"),
            };
            if kind != "admin" {
                person(server, kind);
                grant(server, kind, repository, role);
            }
            let (actions, repositories): (&[&str], _) = match kind {
                "reader" => (&["read"], "*/private"),
                "publisher" => (&["read", "publish"], "*/private"),
                "maintainer" => (&["read", "publish", "delete"], "*/private"),
                "admin" => (&["admin"], "*"),
                _ => (&["read", "publish", "delete", "manage"], repository),
            };
            let (text, id) = token(server, kind, actions, &[repositories]);
            let cookie = session(server, kind);
            match kind {
                "expired" => {
                    sql(server, &format!("UPDATE tokens SET expires_at = 1 WHERE uid = '{id}'"));
                    let of_user = "user_id = (SELECT id FROM users WHERE login = 'expired')";
                    sql(server, &format!("UPDATE sessions SET expires_at = 1 WHERE {of_user}"));
                }
                "revoked" => {
                    server.api("DELETE", &format!("/api/tokens/{id}"), None).expect(204);
                    let signed_in = Credential::Cookie(cookie.clone());
                    ask(server, "DELETE", "/api/session", &signed_in, None).expect(204);
                }
                _ => {}
            }
            tokens.insert(kind, text);
            cookies.insert(kind, cookie);
        }
        Self { tokens, cookies }
    }

    /// What somebody sends. Signing in or out ends the session that comes along, so those routes get a new one.
    pub(super) fn credential(&self, server: &Server, kind: &str, carrier: &str, path: &str) -> Credential {
        match (kind, carrier) {
            ("anonymous", _) => Credential::None,
            (kind, "Bearer") => Credential::Bearer(self.tokens[kind].clone()),
            (kind, "Basic") => Credential::Basic(self.tokens[kind].clone()),
            ("expired" | "revoked", _) => Credential::Cookie(self.cookies[kind].clone()),
            (kind, _) if path == "/api/session" => Credential::Cookie(session(server, kind)),
            (kind, _) => Credential::Cookie(self.cookies[kind].clone()),
        }
    }
}
