//! A COMMIT without an answer whose fate cannot be asked for: nobody is told what is not known, and a repeat tells.

use super::pair::{FORM, module};
use super::proxy::Proxy;
use crate::harness::postgres::{self, Database};
use crate::harness::server::Server;
use crate::harness::wait;

#[test]
fn an_outcome_that_cannot_be_found_out_is_told_as_such_and_a_repeat_is_the_truth() {
    let database = Database::new();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let server = Server::with(&[("KEEPER_DATABASE_URL", &proxy.address(database.address(), folder))]);
    let publish = || FORM.of("example.com/m", "v1.0.0", module(1)).send(&server);
    proxy.arm_and_refuse();
    let told = publish().expect(503);
    assert_eq!((told.text("code"), proxy.left()), ("outcome_unknown", 0), "L4: {told}");
    proxy.heal();
    // It was carried out; the repeat finds it.
    wait::until("the database is reached again", || publish().status == 200);
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'publish'";
    assert_eq!(postgres::shared().execute(postgres::name(database.address()), rows), "1");
    server.command("verify").succeeded();
}
