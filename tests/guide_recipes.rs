//! The recipes of the guide: a module is published with `git archive` and curl, and comes back through `go`.
//!
//! Each test has its own server and a machine with an empty module cache.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::company::{Company, DEP, MYMODULE, everything_at_once, main_of, publish, release, source};
use crate::harness::git::Repository;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::curl;

/// The script that the older guide gives, its lines as they were.
const OLDER_SCRIPT: &str = include_str!("fixtures/older-publish.sh");

/// The version of a module that a project uses.
fn used(machine: &Machine, project: &Path, module: &str) -> String {
    let line = machine.go(project, &format!("list -m {module}")).succeeded();
    line.stdout().rsplit(' ').next().expect("a word").to_owned()
}

/// A project that uses the guide's module, and the machine it is on.
fn project_using(server: &Server, version: &str) -> (Machine, std::path::PathBuf) {
    let machine = Machine::of_a_user_of(server);
    let project = machine.project("app");
    machine.write(&project, "main.go", &main_of(MYMODULE));
    machine.go(&project, &format!("get {MYMODULE}@{version}")).succeeded();
    (machine, project)
}

#[test]
fn an_archive_is_accepted_with_the_short_the_full_and_no_prefix_and_each_again() {
    let server = Server::start();
    let machine = Machine::new();
    let clone = everything_at_once();
    let mut sums = Vec::new();
    for (repository, prefix) in [("short", "mymodule@v1.0.0/"), ("full", &format!("{MYMODULE}@v1.0.0/")), ("none", "")]
    {
        server.create_repository(&json!({"format": "go", "name": repository, "kind": "hosted"}));
        let archive = clone.archive("v1.0.0", prefix);
        let fields = [("name", MYMODULE), ("version", "v1.0.0"), ("repository", repository)];
        let first = curl(&machine, &server, &archive, &fields).expect(201);
        let again = curl(&machine, &server, &archive, &fields).expect(200);
        assert_eq!(first.body["id"], again.body["id"]);
        assert_eq!(first.h1(), again.h1());
        assert!(first.warnings().contains(&"files_omitted"), "{first}");
        assert!(first.warnings().contains(&"export_attributes"), "{first}");
        sums.push(first.h1().to_owned());
    }
    assert_eq!(sums, [sums[0].as_str(); 3]);
}

#[test]
fn the_four_fields_of_the_guide_reach_the_usual_repository() {
    let server = Server::start();
    let machine = Machine::of_a_user_of(&server);
    let clone = everything_at_once();
    let archive = clone.archive("v1.0.0", "mymodule@v1.0.0/");
    let answer = curl(&machine, &server, &archive, &[("name", MYMODULE), ("version", "v1.0.0")]).expect(201);
    assert_eq!(answer.text("repository"), "local");
    let project = machine.project("app");
    machine.go(&project, &format!("get {MYMODULE}@v1.0.0")).succeeded();
    let sums = std::fs::read_to_string(project.join("go.sum")).expect("go has written it");
    assert!(sums.contains(&format!("{MYMODULE} v1.0.0 {}\n", answer.h1())), "{sums}{answer}");
    assert!(sums.contains(&format!("{MYMODULE} v1.0.0/go.mod {}\n", answer.go_mod_h1())), "{sums}{answer}");
}

#[test]
fn a_version_is_found_by_number_query_commit_and_branch() {
    let server = Server::start();
    let company = Company::new();
    company.publish(&server);
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    let commit = company.mymodule.git(&["rev-parse", "v1.1.0"]);
    let queries = [
        ("latest", "v1.2.3"),
        ("v1.0.0", "v1.0.0"),
        ("v1.1", "v1.1.1"),
        ("v1", "v1.2.3"),
        ("v1.3.0-beta.1", "v1.3.0-beta.1"),
        ("<v1.1.1", "v1.1.0"),
        (">v1.1.0", "v1.1.1"),
        (&commit, "v1.1.0"),
        ("patch", "v1.1.1"),
        (&commit[..12], "v1.1.0"),
        (&commit[..7], "v1.1.0"),
        ("upgrade", "v1.2.3"),
        ("v1.0.0", "v1.0.0"),
        ("main", "v1.2.3"),
    ];
    for (query, version) in queries {
        machine.go(&project, &format!("get {MYMODULE}@{query}")).succeeded();
        assert_eq!(used(&machine, &project, MYMODULE), version, "@{query}");
    }
}

#[test]
fn a_query_that_nothing_answers_says_what_there_is() {
    let server = Server::start();
    let company = Company::new();
    company.publish(&server);
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    let absent = [
        ("v1.9.9", "code=version_not_found"),
        ("no-such-branch", "code=version_not_found"),
        ("0123456789ab", "code=version_not_found"),
    ];
    for (query, text) in absent {
        machine.go(&project, &format!("get {MYMODULE}@{query}")).failed().says(&[
            "server response:",
            "not found: ",
            text,
        ]);
    }
    machine.go(&project, "get github.com/yourcompany/typo@latest").failed().says(&["code=module_not_found"]);
}

#[test]
fn packages_and_programs_are_found_below_their_module() {
    let server = Server::start();
    Company::new().publish(&server);
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    machine.go(&project, &format!("get {MYMODULE}/cmd/hello@latest")).succeeded();
    assert_eq!(used(&machine, &project, MYMODULE), "v1.2.3");
    let run = machine.go(&project, &format!("run {MYMODULE}/cmd/hello@v1.1.0")).succeeded();
    assert_eq!(run.stderr().lines().last(), Some("mymodule v1.1.0 with dep v1.0.0"));
    machine.go(&project, &format!("install {MYMODULE}/cmd/hello@latest")).succeeded();
    let installed = machine.run(&project, &machine.home().join("go/bin/hello").display().to_string(), &[]).succeeded();
    assert_eq!(installed.stderr().trim_end(), "mymodule v1.2.3 with dep v1.0.0");
}

#[test]
fn major_versions_and_modules_in_subfolders_live_side_by_side() {
    let server = Server::start();
    Company::new().publish(&server);
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    let program = format!(
        "package main\n\nimport (\n\tfirst \"{MYMODULE}\"\n\t\"{MYMODULE}/tools\"\n\tsecond \"{MYMODULE}/v2\"\n)\n\n\
         func main() {{ println(first.DoSomething(), second.DoSomething(), tools.Name) }}\n"
    );
    machine.write(&project, "main.go", &program);
    machine.go(&project, "mod tidy").succeeded();
    assert_eq!(used(&machine, &project, MYMODULE), "v1.2.3");
    assert_eq!(used(&machine, &project, &format!("{MYMODULE}/v2")), "v2.0.0");
    assert_eq!(used(&machine, &project, &format!("{MYMODULE}/tools")), "v0.1.0");
    let run = machine.go(&project, "run .").succeeded();
    assert_eq!(run.stderr().trim_end(), "mymodule v1.2.3 with dep v1.0.0 mymodule v2.0.0 with dep v1.0.0 hammer");
    machine.go(&project, &format!("get {MYMODULE}/v2@latest {MYMODULE}/tools@v0.1.0")).succeeded();
}

#[test]
fn a_retracted_version_is_hidden_explained_and_still_there() {
    let server = Server::start();
    let company = Company::new();
    company.publish(&server);
    let (machine, project) = project_using(&server, "v1.2.3");

    let go_mod =
        format!("module {MYMODULE}\n\ngo 1.21\n\nrequire {DEP} v1.0.0\n\nretract v1.2.3 // Greets the wrong person.\n");
    company.mymodule.write("go.mod", go_mod).release("v1.2.4");
    publish(&server, &company.mymodule, MYMODULE, "v1.2.4", "v1.2.4");

    let list = |flags: &str| machine.go(&project, &format!("list -m {flags} {MYMODULE}")).succeeded();
    assert_eq!(list("-versions").stdout(), format!("{MYMODULE} v1.0.0 v1.1.0 v1.1.1 v1.2.4 v1.3.0-beta.1"));
    let all = format!("{MYMODULE} v1.0.0 v1.1.0 v1.1.1 v1.2.3 v1.2.4 v1.3.0-beta.1");
    assert_eq!(list("-versions -retracted").stdout(), all);
    let told: Value = serde_json::from_str(list("-u -json").stdout()).expect("JSON");
    assert_eq!(told["Retracted"], json!(["Greets the wrong person."]));
    assert_eq!(told["Update"]["Version"], "v1.2.4");
    assert_eq!(told["Version"], "v1.2.3");

    // Whoever names it still gets it, with the reason; everybody else gets the next one.
    machine
        .go(&project, &format!("get {MYMODULE}@v1.2.3"))
        .succeeded()
        .says(&["retracted by module author: Greets the wrong person."]);
    machine.go(&project, &format!("get {MYMODULE}@latest")).succeeded();
    assert_eq!(used(&machine, &project, MYMODULE), "v1.2.4");
}

#[test]
fn a_deprecated_module_is_announced_with_its_reason() {
    let server = Server::start();
    let old = Repository::new();
    old.write("go.mod", format!("// Deprecated: use {MYMODULE}/v2.\nmodule {DEP}\n\ngo 1.21\n"));
    old.write("dep.go", source("dep", "v1.0.0")).release("v1.0.0");
    publish(&server, &old, DEP, "v1.0.0", "v1.0.0");
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    machine
        .go(&project, &format!("get {DEP}"))
        .succeeded()
        .says(&["is deprecated: use github.com/yourcompany/mymodule/v2."]);
}

#[test]
fn a_project_is_downloaded_tidied_vendored_verified_and_listed() {
    let server = Server::start();
    Company::new().publish(&server);
    let (machine, project) = project_using(&server, "v1.1.0");
    let go = |arguments: &str| machine.go(&project, arguments).succeeded();
    let modules = format!("example.com/app\n{DEP} v1.0.0\n{MYMODULE} v1.1.0");
    go("mod tidy");
    assert_eq!(go("list -m all").stdout(), modules);
    assert_eq!(
        go("mod graph")
            .stdout()
            .lines()
            .filter(|line| !line.contains("go@") && !line.contains("toolchain@"))
            .collect::<Vec<_>>(),
        [
            format!("example.com/app {DEP}@v1.0.0"),
            format!("example.com/app {MYMODULE}@v1.1.0"),
            format!("{MYMODULE}@v1.1.0 {DEP}@v1.0.0"),
        ]
    );
    assert_eq!(go("mod verify").stdout(), "all modules verified");
    assert_eq!(go("run .").stderr().trim_end(), "mymodule v1.1.0 with dep v1.0.0");

    go("mod vendor");
    assert!(project.join("vendor").join(MYMODULE).join("mymodule.go").is_file());
    assert!(!project.join("vendor").join(MYMODULE).join("tools").exists());
    go("build -mod=vendor -o app .");

    // Another machine, with nothing but the project's own files: what is in go.sum is what arrives.
    let colleague = Machine::of_a_user_of(&server);
    std::fs::remove_dir_all(project.join("vendor")).expect("it was made above");
    colleague.go(&project, "mod download").succeeded();
    let told: Value = serde_json::from_str(
        colleague.go(&project, &format!("mod download -json {MYMODULE}@v1.2.3")).succeeded().stdout(),
    )
    .expect("JSON");
    assert_eq!(told["Version"], "v1.2.3");
    assert_eq!(told["Origin"]["VCS"], "git");
    colleague.go(&project, "mod verify").succeeded();
    assert_eq!(colleague.go(&project, "run .").succeeded().stderr().trim_end(), "mymodule v1.1.0 with dep v1.0.0");
}

#[test]
fn an_update_goes_as_far_as_was_asked_and_never_to_another_major_version() {
    let server = Server::start();
    Company::new().publish(&server);
    let steps = [
        ("get -u=patch ./...", "v1.1.1", "v1.0.1"),
        (&format!("get -u=patch {MYMODULE}"), "v1.1.1", "v1.0.1"),
        (&format!("get -u {MYMODULE}"), "v1.2.3", "v1.1.0"),
        ("get -u ./...", "v1.2.3", "v1.1.0"),
    ];
    let (machine, project) = project_using(&server, "v1.1.0");
    let outdated = machine.go(&project, "list -m -u all").succeeded();
    assert_eq!(outdated.stdout(), format!("example.com/app\n{DEP} v1.0.0 [v1.1.0]\n{MYMODULE} v1.1.0 [v1.2.3]"));
    for (step, mymodule, dep) in steps {
        machine.go(&project, &format!("get {MYMODULE}@v1.1.0 {DEP}@v1.0.0")).succeeded();
        machine.go(&project, step).succeeded();
        assert_eq!(used(&machine, &project, MYMODULE), mymodule, "{step}");
        assert_eq!(used(&machine, &project, DEP), dep, "{step}");
    }
}

#[test]
fn a_fork_takes_the_place_of_the_original_by_replace_alone() {
    let server = Server::start();
    let company = Company::new();
    company.publish(&server);
    let (machine, project) = project_using(&server, "v1.2.3");
    company.mymodule.git(&["switch", "--quiet", "--create", "fork", "v1.2.3"]);
    company.mymodule.write("mymodule.go", source("mymodule", "of the fork")).release("v1.2.4");

    // The fork keeps the path of the original in its go.mod; that has to be said on purpose.
    let form = release(&company.mymodule, "github.com/yourname/mymodule", "v1.2.4", "v1.2.4");
    let refused = form.send(&server).expect(422);
    assert_eq!(refused.text("code"), "module_mismatch");
    let accepted = form.with("fork", "true").send(&server).expect(201);
    assert!(accepted.warnings().contains(&"fork"), "{accepted}");

    let go = |arguments: &str| machine.go(&project, arguments);
    go(&format!("mod edit -replace={MYMODULE}=github.com/yourname/mymodule@v1.2.4")).succeeded();
    go("mod tidy").succeeded();
    assert_eq!(go("run .").succeeded().stderr().trim_end(), "mymodule of the fork");
    go(&format!("mod edit -dropreplace={MYMODULE}")).succeeded();
    go("mod tidy").succeeded();
    assert_eq!(go("run .").succeeded().stderr().trim_end(), "mymodule v1.2.3 with dep v1.0.0");
    go("get github.com/yourname/mymodule@v1.2.4")
        .failed()
        .says(&["module declares its path as: github.com/yourcompany/mymodule"]);
}

#[test]
fn the_script_of_the_older_guide_publishes_a_tag() {
    let server = Server::start();
    let machine = Machine::of_a_user_of(&server).with("ARTIFACT_KEEPER_TOKEN", ADMIN_TOKEN);
    let clone = everything_at_once();
    // Only the address is another one, and the folder, which other runs of this test use too.
    let temporary = machine.work().display().to_string();
    let script = OLDER_SCRIPT
        .replace("https://registry.example.com", &server.url)
        .replace("\"/tmp/", &format!("\"{temporary}/"))
        .replace("@/tmp/", &format!("@{temporary}/"));
    machine.write(&machine.work(), "publish.sh", &script);
    let script = machine.work().join("publish.sh").display().to_string();
    for arguments in [vec![script.as_str()], vec![&script, "v1.0.0"]] {
        let run = machine.run(&clone.path(), "bash", &arguments).succeeded();
        run.says(&["Successfully published github.com/yourcompany/mymodule@v1.0.0", "\"checksums\""]);
    }
    let project = machine.project("app");
    machine.go(&project, &format!("get {MYMODULE}@latest")).succeeded();
    assert_eq!(used(&machine, &project, MYMODULE), "v1.0.0");
}

#[test]
fn the_address_and_the_list_answer_to_curl() {
    let server = Server::start();
    Company::new().publish(&server);
    let machine = Machine::new();
    let curl = |arguments: &[&str]| {
        machine.run(&machine.work(), "curl", &[&["-sS", "--fail-with-body"], arguments].concat()).succeeded()
    };
    let head = curl(&["-I", &server.go("local")]);
    assert!(head.stdout().starts_with("HTTP/1.1 200 "), "{head}");
    let list = curl(&[&format!("{}/{MYMODULE}/@v/list", server.go("local"))]);
    assert_eq!(list.stdout(), "v1.0.0\nv1.1.0\nv1.1.1\nv1.2.3\nv1.3.0-beta.1");
    let info = http::get(&format!("{}/{MYMODULE}/@latest", server.go("local"))).expect(200).json();
    assert_eq!(info["Version"], "v1.2.3");
}

#[test]
fn a_deleted_version_is_gone_for_go_and_its_number_stays_taken() {
    let server = Server::start();
    let company = Company::new();
    company.publish(&server);
    let query = format!("/api/artifacts?format=go&name={MYMODULE}&version=v1.1.1");
    let found = server.api("GET", &query, None).expect(200).json();
    let id = found["items"][0]["id"].as_str().expect("an id").to_owned();
    let deleted = server.api("DELETE", &format!("/api/artifacts/{id}"), None);
    assert!(deleted.status < 300, "{deleted:?}");

    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    machine.go(&project, &format!("get {MYMODULE}@v1.1.1")).failed().says(&["410 Gone", "code=deleted"]);
    let versions = machine.go(&project, &format!("list -m -versions {MYMODULE}")).succeeded();
    assert_eq!(versions.stdout(), format!("{MYMODULE} v1.0.0 v1.1.0 v1.2.3 v1.3.0-beta.1"));
    let again = release(&company.mymodule, MYMODULE, "v1.1.1", "v1.1.1").send(&server).expect(410);
    assert_eq!(again.text("code"), "version_deleted");
}

#[test]
fn without_gonosumdb_the_user_reads_the_remedy_and_no_private_name_leaves_the_machine() {
    let server = Server::start();
    Company::new().publish(&server);
    let internet = Outside::answering(502, "");
    let machine = Machine::new()
        .with("GOPROXY", format!("{},direct", server.go("local")))
        .with("HTTP_PROXY", &internet.url)
        .with("HTTPS_PROXY", &internet.url)
        .with("https_proxy", &internet.url);
    let project = machine.project("app");
    let remedy = "go env -w GONOSUMDB=github.com/yourcompany";

    // This asks for the module and nothing else, so not one connection may be made.
    let refused = machine.go(&project, &format!("mod download {MYMODULE}@v1.0.0")).failed();
    refused.says(&["403 Forbidden", "server response:", "forbidden: ", remedy, "code=module_private"]);
    assert_eq!(internet.requests(), [""; 0]);

    // This also asks for what could be a module above it: github.com itself, which is no secret.
    let refused = machine.go(&project, &format!("get -x {MYMODULE}@latest")).failed();
    refused.says(&[remedy]).never_says(&["git ls-remote"]);
    let requests = internet.requests();
    assert!(requests.iter().all(|request| request == "CONNECT github.com:443"), "{requests:?}");

    // The remedy as printed; it holds for everything of the same owner.
    machine.sh(&project, remedy).succeeded();
    machine.go(&project, &format!("mod download {MYMODULE}@v1.0.0")).succeeded();
    machine.go(&project, &format!("get {MYMODULE}@latest {DEP}@latest")).succeeded();
    assert_eq!(used(&machine, &project, MYMODULE), "v1.2.3");
}

#[test]
fn the_server_does_not_tell_the_checksum_database_a_private_name_either() {
    let database = Outside::answering(200, "an answer of the database");
    let server = Server::with(&[("KEEPER_NETWORK_ALLOW", "127.0.0.1")]);
    let settings =
        json!({"checksum_database": format!("sum.golang.org {}", database.url), "nosumdb": ["*.yourcompany.com"]});
    server.api("PATCH", "/api/repositories/go/local", Some(&json!({"settings": settings}))).expect(200);
    Company::new().publish(&server);
    let ask = |path: &str| http::get(&format!("{}/sumdb/sum.golang.org/{path}", server.go("local")));

    ask("supported").expect(200);
    let private = [
        format!("lookup/{MYMODULE}@v1.0.0"),
        format!("lookup/{MYMODULE}@v9.9.9"),
        format!("lookup/{MYMODULE}/v7@v7.0.0"),
        format!("lookup/{MYMODULE}/tools@v0.1.0"),
        "lookup/git.yourcompany.com/secret@v1.0.0".to_owned(),
    ];
    for path in &private {
        assert_eq!(ask(path).expect(403).header("x-error-code"), Some("module_private"), "{path}");
    }
    assert_eq!(database.requests(), [""; 0]);

    // What is public is passed on, or the test above would prove nothing.
    assert_eq!(ask("lookup/example.com/public@v1.0.0").expect(200).text(), "an answer of the database");
    assert_eq!(database.requests(), ["GET /lookup/example.com/public@v1.0.0"]);
}
