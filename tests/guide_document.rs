//! The guides are followed word by word.
//!
//! Every ```` ```sh ```` block of `docs/go-modules.md` runs in order in one bash, on a machine with nothing on
//! it but the tools; blocks of other kinds (`console`, `yaml`, `text`) are for reading. So do those of the
//! README's five minutes, once the server runs. The older guide's
//! commands (`fixtures/older-guide.sh`) run as they were written, with nothing changed but addresses.

use serde_json::json;

use crate::harness::command::Finished;
use crate::harness::git::instead_of;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::server::{ADMIN_TOKEN, PROGRAM, Server};

const GUIDE: &str = include_str!("../docs/go-modules.md");
const README: &str = include_str!("../README.md");
const OLDER_GUIDE: &str = include_str!("fixtures/older-guide.sh");
/// The script that the older guide has its readers save.
const OLDER_SCRIPT: &str = include_str!("fixtures/older-publish.sh");

/// The shell blocks of a page, each behind a line that names it in the output.
fn shell_blocks(page: &str) -> (usize, String) {
    let (mut count, mut script, mut inside) = (0, String::new(), false);
    for (at, line) in page.lines().enumerate() {
        match line {
            "```sh" => {
                inside = true;
                count += 1;
                script.push_str(&format!("echo '### the block at line {}'\n", at + 1));
            }
            "```" => inside = false,
            line if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    assert!(!inside, "the last block is not closed");
    (count, script)
}

/// Runs a script with the two variables that a guide's reader has set.
fn follow(machine: &Machine, keeper: &str, token: &str, script: &str) -> Finished {
    machine.sh(&machine.work(), &format!("KEEPER={keeper}; TOKEN={token}\n{script}"))
}

#[test]
fn every_shell_block_of_the_guide_works_in_order() {
    let (count, script) = shell_blocks(GUIDE);
    assert!(count >= 30, "only {count} blocks were found");
    // The internet of this test: whatever the server wants from outside arrives there and is refused.
    let internet = Outside::answering(403, "closed\n");
    let server = Server::with(&[("KEEPER_NETWORK_PROXY", &internet.url)]);
    let token = server.token("--name guide --actions read,publish --repositories go/*");
    let followed = follow(&Machine::new(), &server.url, &token, &script).succeeded();
    followed.says(&["hello from the fork", "hello from v2.0", "same sum: h1:"]).never_says(&[&token]);
    let strange: Vec<_> = internet.requests();
    assert!(strange.iter().all(|asked| asked == "CONNECT proxy.golang.org:443"), "{strange:?}");
}

#[test]
fn the_five_minutes_of_the_readme_work_word_by_word() {
    let chapter = README.split("\n## ").find(|chapter| chapter.starts_with("Five minutes\n")).expect("the chapter");
    let (count, script) = shell_blocks(chapter);
    assert_eq!(count, 3, "make a token, publish, use");
    // The internet of this test: whatever the server wants from outside arrives there and is refused.
    let internet = Outside::answering(403, "closed\n");
    let server = Server::with(&[("KEEPER_NETWORK_PROXY", &internet.url)]);
    let mut machine = Machine::new();
    // The reader is in the folder of a server that was started without settings.
    machine.put("KEEPER_DATA_DIR", server.data());
    let temporary = machine.home().display().to_string();
    let script = script
        .replace("/tmp/", &format!("{temporary}/"))
        .replace("target/release/artifact-keeper", PROGRAM)
        .replace("http://localhost:8080", &server.url);
    machine.sh(&machine.work(), &script).succeeded().says(&["added github.com/yourcompany/greetings v1.0.0", "\"h1\""]);
    let strange: Vec<_> = internet.requests();
    assert!(strange.iter().all(|asked| asked == "CONNECT proxy.golang.org:443"), "{strange:?}");
}

#[test]
fn a_guide_that_fails_is_noticed() {
    let (count, script) = shell_blocks("text\n```sh\nfalse | cat\n```\n```console\nexit 0\n```\n");
    assert_eq!(count, 1);
    follow(&Machine::new(), "", "", &script).failed().says(&["### the block at line 2"]);
}

#[test]
fn the_commands_of_the_older_guide_work_as_they_were_written() {
    let server = Server::start();
    for (name, usual) in [("myrepo", true), ("private", false)] {
        let repository =
            json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": true, "default_upload": usual});
        server.create_repository(&repository);
    }
    let mut machine = Machine::new();
    // The repository that the commands assume, where git finds it for the public host: for `git push`, and
    // because that guide's GOPRIVATE makes go ask version control and not the server.
    let public = machine.home().join("public/mymodule");
    for (name, value) in instead_of(&[("https://github.com/yourcompany/mymodule", &public)]) {
        machine.put(&name, value);
    }
    machine.put("ARTIFACT_KEEPER_TOKEN", ADMIN_TOKEN);
    let temporary = machine.home().join("tmp").display().to_string();
    let here = |text: &str| {
        text.replace("https://registry.example.com", &server.url)
            .replace("http://localhost:8080", &server.url)
            .replace("your-auth-token", ADMIN_TOKEN)
            .replace("/tmp/", &format!("{temporary}/"))
    };
    machine.write(&machine.home(), "publish.sh", &here(OLDER_SCRIPT));
    let followed = machine.sh(&machine.work(), &format!("mkdir {temporary}\n{}", here(OLDER_GUIDE))).succeeded();
    followed.says(&["Successfully published github.com/yourcompany/mymodule@v1.2.0"]);
}
