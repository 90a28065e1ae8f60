//! A private repository over https: it works with a token, and without one the user reads why.
//!
//! The go command sends credentials over https only, so these servers make a certificate of their own and the
//! clients trust its authority.

use serde_json::json;

use crate::harness::command::Finished;
use crate::harness::company::{MYMODULE, everything_at_once};
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// A private server with one version of the guide's module, published with curl over https.
fn private_server() -> Server {
    let server = Server::with(&[("KEEPER_TLS_SELF_SIGNED", "true"), ("KEEPER_ANONYMOUS_READ", "false")]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let token = server.token("--name publisher --actions publish --repositories go/local");
    let clone = everything_at_once();
    let archive = clone.archive("v1.0.0", "mymodule@v1.0.0/");
    let script = format!(
        "curl -sS --fail-with-body -X POST -H \"Authorization: Bearer {token}\" -F \"file=@{}\" -F \"format=go\" \
         -F \"name={MYMODULE}\" -F \"version=v1.0.0\" {}/api/artifacts",
        archive.display(),
        server.url
    );
    let machine = user_of(&server);
    machine.sh(&machine.work(), &script).succeeded().says(&["\"h1\""]);
    server
}

/// A user who trusts the server's authority and has no credential.
fn user_of(server: &Server) -> Machine {
    let authority = server.authority();
    Machine::of_a_user_of(server).with("SSL_CERT_FILE", &authority).with("CURL_CA_BUNDLE", &authority)
}

/// Puts a token into `.netrc` as the guide says.
fn write_netrc(machine: &Machine, server: &Server, token: &str) {
    let script = format!(
        "cat >> ~/.netrc <<EOF\nmachine {}\nlogin your-username\npassword {token}\nEOF\nchmod 600 ~/.netrc",
        server.host()
    );
    machine.sh(&machine.work(), &script).succeeded();
}

/// The token with another last character.
fn mistyped(token: &str) -> String {
    let (start, last) = token.split_at(token.len() - 1);
    format!("{start}{}", if last == "x" { "y" } else { "x" })
}

/// The repository `go/open`, which everybody may read.
fn create_open_repository(machine: &Machine, server: &Server) {
    let repository = json!({"format": "go", "name": "open", "kind": "hosted", "anonymous_read": true}).to_string();
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let url = format!("{}/api/repositories", server.url);
    let json = "Content-Type: application/json";
    let arguments = ["-sS", "--fail-with-body", "-H", &authorization, "-H", json, "-d", &repository, &url];
    machine.run(&machine.work(), "curl", &arguments).succeeded();
}

/// The `go` command that every test here runs.
fn get(machine: &Machine) -> Finished {
    let project = machine.work().join("app");
    let project = if project.exists() { project } else { machine.project("app") };
    machine.go(&project, &format!("get {MYMODULE}@latest"))
}

#[test]
fn a_reading_token_in_netrc_is_enough() {
    let server = private_server();
    let machine = user_of(&server);
    write_netrc(&machine, &server, &server.token("--name reader --actions read --repositories go/local"));
    get(&machine).succeeded();
    let project = machine.work().join("app");
    machine.go(&project, "mod verify").succeeded();
    machine.go(&project, &format!("get {MYMODULE}/nowhere@latest")).failed().says(&["does not contain package"]);
}

#[test]
fn a_program_named_by_goauth_can_supply_a_bearer_token() {
    let server = private_server();
    let machine = user_of(&server);
    let token = server.token("--name reader --actions read --repositories go/local");
    let program = machine.home().join("keeper-auth");
    machine.write(
        &machine.home(),
        "keeper-auth",
        &format!("#!/bin/sh\nprintf '{}\\n\\nAuthorization: Bearer {token}\\n\\n'\n", server.url),
    );
    machine.sh(&machine.work(), "chmod +x ~/keeper-auth").succeeded();
    get(&machine.with("GOAUTH", program)).succeeded();
}

#[test]
fn a_login_and_token_within_goproxy_work_and_are_not_shown() {
    let server = private_server();
    let token = server.token("--name reader --actions read --repositories go/local");
    let with_login = |password: &str| server.go("local").replacen("https://", &format!("https://ci:{password}@"), 1);
    let machine = user_of(&server);
    get(&machine).failed();
    get(&user_of(&server).with("GOPROXY", with_login(&token))).succeeded();
    let wrong = mistyped(&token);
    get(&user_of(&server).with("GOPROXY", with_login(&wrong))).failed().never_says(&[&wrong]);
}

#[test]
fn without_a_credential_the_user_reads_our_text_whole() {
    let server = private_server();
    let machine = user_of(&server);
    let url = format!("{}/{MYMODULE}/@v/list", server.go("local"));
    let answer = machine.run(&machine.work(), "curl", &["-sS", "-D", "-", &url]).succeeded();
    let (head, body) = answer.stdout().split_once("\r\n\r\n").expect("a head and a body");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/2 401") || head.starts_with("http/1.1 401"), "{answer}");
    assert!(head.contains("www-authenticate: basic realm=\"artifact-keeper\""), "{answer}");
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{answer}");
    assert!(body.contains(".netrc") && body.contains(&format!("machine {}", server.host())), "{body}");

    // Every line of the body but the last, whose request number is new each time, as go prints it.
    let refused = get(&machine).failed();
    let mut lines: Vec<_> = body.lines().collect();
    let last = lines.pop().expect("a last line");
    assert!(last.starts_with("code=login_required request="), "{body}");
    for line in lines {
        assert!(refused.stderr().contains(&format!("\t{line}\n")), "{line:?} is missing in: {refused}");
    }
    refused.says(&["401 Unauthorized", "server response:", "\tcode=login_required request="]);
}

#[test]
fn a_credential_that_does_not_count_is_told_apart() {
    let server = private_server();
    let good = server.token("--name reader --actions read --repositories go/local");
    let of_another = server.token("--name other --actions read --repositories go/other*");
    let rows = [
        (mistyped(&good), "401 Unauthorized", "code=token_malformed"),
        (good[..30].to_owned(), "401 Unauthorized", "code=token_malformed"),
        ("a-password-of-somebody".to_owned(), "401 Unauthorized", "code=password_not_accepted"),
        (of_another, "403 Forbidden", "code=repository_unavailable"),
    ];
    for (password, status, code) in rows {
        let machine = user_of(&server);
        write_netrc(&machine, &server, &password);
        get(&machine).failed().says(&[status, "server response:", code]).never_says(&[&password]);
    }
}

#[test]
fn a_line_in_netrc_without_the_port_is_not_sent() {
    let server = private_server();
    let machine = user_of(&server);
    let token = server.token("--name reader --actions read --repositories go/local");
    machine.write(&machine.home(), ".netrc", &format!("machine 127.0.0.1\nlogin ci\npassword {token}\n"));
    get(&machine).failed().says(&["code=login_required"]);
}

#[test]
fn an_absent_repository_answers_like_a_private_one_and_names_those_that_can_be_read() {
    let server = private_server();
    let machine = user_of(&server);
    create_open_repository(&machine, &server);
    // The two names are of equal length, so that not even the length may differ.
    let answer = |repository: &str| {
        let url = format!("{}/{MYMODULE}/@v/list", server.go(repository));
        let answer = machine.run(&machine.work(), "curl", &["-sS", "-D", "-", &url]).succeeded();
        let lines = answer.stdout().lines().filter(|line| !line.contains("request") && !line.starts_with("date:"));
        lines.collect::<Vec<_>>().join("\n").replace(&format!("go/{repository}"), "go/REPOSITORY")
    };
    assert_eq!(answer("local"), answer("absnt"));
    assert!(answer("absnt").contains("readable without one: go/open"), "{}", answer("absnt"));

    // With a credential as well: somebody who types the guide's name finds the one that is there.
    let token = server.token("--name reader --actions read --repositories go/local");
    let machine = user_of(&server).with("GOPROXY", server.go("myrepo"));
    write_netrc(&machine, &server, &token);
    get(&machine).failed().says(&["403 Forbidden", "code=repository_unavailable", "go/local"]);
}

#[test]
fn a_private_name_never_goes_on_to_the_next_proxy() {
    let server = private_server();
    let mirror = Outside::without_modules();
    let machine = user_of(&server).with("GOPROXY", format!("{},{}", server.go("local"), mirror.url));
    get(&machine).failed().says(&["code=login_required"]);
    assert_eq!(mirror.requests(), [""; 0]);
}

#[test]
fn over_plain_http_the_text_says_that_go_sends_credentials_over_https_only() {
    let server = Server::with(&[("KEEPER_ANONYMOUS_READ", "false")]);
    let machine = Machine::of_a_user_of(&server);
    let token = server.token("--name reader --actions read --repositories go/local");
    write_netrc(&machine, &server, &token);
    get(&machine).failed().says(&["401 Unauthorized", "code=login_required", "https"]);

    // A program that does send it, such as curl, is answered.
    let list = format!("{}/{MYMODULE}/@v/list", server.go("local"));
    assert_eq!(http::get(&list).status, 401);
    machine
        .run(&machine.work(), "curl", &["-sS", "-u", &format!("ci:{token}"), &list])
        .succeeded()
        .says(&["code=module_not_found"]);
}
