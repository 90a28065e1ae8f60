//! Into a server whose database and files are on other machines.

use super::{Athens, NEAR, audited, holds, import};
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::postgres::Database;
use crate::harness::s3::S3;
use crate::harness::scripted::Scripted;
use crate::harness::server::Server;

#[test]
fn with_its_database_and_its_files_elsewhere_a_server_takes_over_the_same() {
    let (database, s3) = (Database::new(), S3::start());
    let mut settings = s3.settings("files");
    settings.push(("KEEPER_DATABASE_URL".to_owned(), database.address().to_owned()));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut server = Server::with(&settings);
    let [first, second, only_known] = ["first", "second", "known"]
        .map(|name| Module::new(&format!("example.com/{name}"), "v1.0.0").with("noise.bin", archives::noise(300_000)));
    let disk = Athens::with(&[&first]);
    let upstream = Scripted::start();
    upstream.offer(&[&second]);
    // Through the server, from a folder and from another server.
    drop(import(&server, disk.at(), "").succeeded().says(&["taken over: 1\n"]));
    let more = format!("{NEAR} --module example.com/second");
    drop(import(&server, &upstream.url, &more).succeeded().says(&["taken over: 1\n"]));
    // And by the command alone.
    server.stop();
    disk.put(&only_known);
    let taken = import(&server, disk.at(), "").succeeded();
    drop(taken.says(&["taken over: 1\n", "there already: 1\n", "refused: 0\n"]));
    drop(import(&server, &upstream.url, &more).succeeded().says(&["there already: 1\n", "read: 0 bytes"]));
    server.start_again();
    [&first, &second, &only_known].into_iter().for_each(|module| holds(&server, module));
    assert_eq!(s3.keys().iter().filter(|key| key.contains("sha256/")).count(), 3, "a zip each, and no copies");
    assert_eq!(audited(&server, "publish").len(), 3, "each version is in the audit, once");
    server.command("verify").succeeded();
}
