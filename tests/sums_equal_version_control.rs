//! The sums in the answer to an upload are the ones that `go` computes from version control.
//!
//! For each shape that a repository can have, `go mod download -json` with GOPROXY=direct packs the module
//! from a local clone, which git takes for the public host; the upload of a `git archive` must arrive at the
//! same `h1`, the same `h1` of `go.mod`, and the same time and commit.

use serde_json::Value;

use crate::harness::git::{Repository, instead_of};
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::server::Server;
use crate::harness::upload::{Answer, Form, curl};

/// The address of the repository of all modules here.
const HOST_PATH: &str = "github.com/yourcompany/mymodule";

/// A repository, and what is published from it.
struct Shape {
    clone: Repository,
    module: String,
    version: String,
    tag: String,
}

impl Shape {
    /// The module at the top of a repository, at v1.0.0.
    fn at_the_top(clone: Repository) -> Self {
        Self::of(clone, "", "v1.0.0", "v1.0.0")
    }

    fn of(clone: Repository, below: &str, version: &str, tag: &str) -> Self {
        Self { clone, module: format!("{HOST_PATH}{below}"), version: version.to_owned(), tag: tag.to_owned() }
    }

    /// What `go` says of the version when it packs it from git.
    fn version_controls_answer(&self) -> Value {
        let machine = self.machine_with_git();
        let download = format!("mod download -json {}@{}", self.module, self.version);
        let told = machine.go(&machine.work(), &download).succeeded();
        let mut told: Value = serde_json::from_str(told.stdout()).expect("JSON");
        let info = std::fs::read(told["Info"].as_str().expect("a path")).expect("go has written it");
        told["Info"] = serde_json::from_slice(&info).expect("JSON");
        told
    }

    fn machine_with_git(&self) -> Machine {
        let url = format!("https://{HOST_PATH}");
        let settings = instead_of(&[(&url, &self.clone.path())]);
        let machine = Machine::new().with("GOPROXY", "direct").with("GONOSUMDB", "github.com/yourcompany");
        settings.into_iter().fold(machine, |machine, (name, value)| machine.with(&name, value))
    }

    fn full_prefix(&self) -> String {
        format!("{}@{}/", self.module, self.version)
    }

    /// The upload of a plain `git archive`, in all three ways of the guide, must agree.
    fn agrees_with_a_plain_archive(&self) {
        let short = format!("{}@{}/", self.module.rsplit('/').next().expect("a last element"), self.version);
        let full = self.full_prefix();
        let archives = [full.as_str(), &short, ""].map(|prefix| self.clone.archive(&self.tag, prefix));
        self.agrees(&archives.map(|path| std::fs::read(path).expect("git has written it")));
    }

    /// The upload of the archive that the guide recommends must agree.
    fn agrees_with_the_recommended_archive(&self) {
        let archive = self.clone.archive_as_go_does(&self.tag, &self.full_prefix());
        self.agrees(&[std::fs::read(archive).expect("git has written it")]);
    }

    fn agrees(&self, archives: &[Vec<u8>]) {
        let expected = self.version_controls_answer();
        let server = Server::start();
        for (at, archive) in archives.iter().enumerate() {
            let form = Form::go(archive.clone()).with("name", &self.module).with("version", &self.version);
            let answer = form.send(&server).expect(if at == 0 { 201 } else { 200 });
            assert_eq!(answer.h1(), expected["Sum"], "{answer}\n{expected:#}");
            assert_eq!(answer.go_mod_h1(), expected["GoModSum"], "{answer}\n{expected:#}");
        }
        self.has_the_same_info(&server, &expected["Info"]);
        self.comes_back_with_the_same_sums(&server, &expected);
    }

    fn has_the_same_info(&self, server: &Server, expected: &Value) {
        let escaped: String = self.module.chars().flat_map(escaped).collect();
        let info = http::get(&format!("{}/{escaped}/@v/{}.info", server.go("local"), self.version)).expect(200).json();
        assert_eq!(info["Version"], expected["Version"]);
        assert_eq!(info["Time"], expected["Time"], "{info} {expected}");
        assert_eq!(info["Origin"]["Hash"], expected["Origin"]["Hash"], "{info} {expected}");
    }

    fn comes_back_with_the_same_sums(&self, server: &Server, expected: &Value) {
        let machine = Machine::of_a_user_of(server).with("GONOSUMDB", "github.com");
        let download = format!("mod download -json {}@{}", self.module, self.version);
        let told = machine.go(&machine.work(), &download).succeeded();
        let told: Value = serde_json::from_str(told.stdout()).expect("JSON");
        assert_eq!(told["Sum"], expected["Sum"]);
        assert_eq!(told["GoModSum"], expected["GoModSum"]);
    }
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let capital = c.is_ascii_uppercase();
    capital.then_some('!').into_iter().chain([c.to_ascii_lowercase()])
}

/// A clone with a `go.mod` of this `go` line, a package and a licence; not committed yet.
fn module(go: &str) -> Repository {
    let clone = Repository::new();
    clone
        .write("go.mod", format!("module {HOST_PATH}\n\ngo {go}\n"))
        .write("mymodule.go", "package mymodule\n")
        .write("LICENSE", "Anybody may do anything.\n");
    clone
}

#[test]
fn of_a_plain_module() {
    let clone = module("1.21");
    clone.write("internal/deep/er/impl.go", "package er\n").write("empty.txt", "").release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_other_modules_in_its_subfolders() {
    let clone = module("1.21");
    clone
        .write("tools/go.mod", format!("module {HOST_PATH}/tools\n"))
        .write("tools/tools.go", "package tools\n")
        .write("examples/a/go.mod", "")
        .write("examples/a/a.go", "package a\n")
        .write("examples/b/b.go", "package b\n")
        .release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_in_a_subfolder_that_has_no_licence_of_its_own() {
    let clone = module("1.21");
    clone
        .write("tools/go.mod", format!("module {HOST_PATH}/tools\n\ngo 1.21\n"))
        .write("tools/tools.go", "package tools\n");
    clone.release("tools/v0.1.0");
    Shape::of(clone, "/tools", "v0.1.0", "tools/v0.1.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_in_a_subfolder_with_a_licence_of_its_own() {
    let clone = module("1.21");
    clone
        .write("tools/go.mod", format!("module {HOST_PATH}/tools\n\ngo 1.21\n"))
        .write("tools/tools.go", "package tools\n");
    clone.write("tools/LICENSE", "Nobody may do anything.\n").release("tools/v0.1.0");
    Shape::of(clone, "/tools", "v0.1.0", "tools/v0.1.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_vendored_packages_and_an_old_go_line() {
    vendored(module("1.21")).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_vendored_packages_and_a_new_go_line() {
    vendored(module("1.24")).agrees_with_a_plain_archive();
}

/// The rule for what is vendored changed with Go 1.24, and only for modules that say so.
fn vendored(clone: Repository) -> Shape {
    clone
        .write("vendor/modules.txt", "# example.com/x v1.0.0\n")
        .write("vendor/top.go", "package vendor\n")
        .write("vendor/example.com/x/x.go", "package x\n")
        .write("pkg/vendor/v.go", "package vendor\n")
        .write("pkg/vendor/modules.txt", "no\n")
        .write("pkg/vendor/foo/f.go", "package foo\n")
        .write("vendored/y/z.go", "package y\n")
        .release("v1.0.0");
    Shape::at_the_top(clone)
}

#[test]
fn of_a_module_with_symbolic_links() {
    let clone = module("1.21");
    clone.write("sub/real.go", "package sub\n");
    clone
        .link("linked.go", "mymodule.go")
        .link("linked-folder", "sub")
        .link("dangling", "nowhere")
        .link("sub/up", "..");
    clone.release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_files_that_end_their_lines_as_windows_does() {
    let clone = module("1.21");
    clone
        .write("windows.txt", "one\r\ntwo\r\n")
        .write("mixed.txt", "one\r\ntwo\n")
        .write("converted.bat", "echo one\necho two\n")
        .write(".gitattributes", "*.bat text eol=crlf\n")
        .release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_whose_go_mod_ends_its_lines_as_windows_does() {
    let clone = module("1.21");
    clone.write("go.mod", format!("module {HOST_PATH}\r\n\r\ngo 1.21\r\n")).release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_names_from_all_over_the_world() {
    let clone = module("1.21");
    clone
        .write("日本語/ファイル.txt", "1")
        .write("über/größe.txt", "2")
        .write("with blank.txt", "3")
        .write("-dash.txt", "4")
        .write(".hidden/.file", "5")
        .write("a~1.go", "package mymodule\n")
        .write("!#$%&()+,;=@[]^_{}~.txt".replace(';', "").as_str(), "6")
        .release("v1.0.0");
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_programs_and_a_submodule() {
    let clone = module("1.21");
    clone.write("run.sh", "#!/bin/sh\n").git(&["add", "--chmod=+x", "run.sh"]);
    clone.git(&["update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,other"]);
    clone.git(&["add", "--all", "--", "*.go", "go.mod", "LICENSE"]);
    clone.git(&["commit", "--quiet", "--message", "v1.0.0"]);
    clone.git(&["tag", "v1.0.0"]);
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_whose_path_has_capitals() {
    let clone = Repository::new();
    clone
        .write("go.mod", format!("module {HOST_PATH}/SubFolder\n\ngo 1.21\n"))
        .write("LICENSE", "Anybody may do anything.\n");
    clone.git(&["rm", "--quiet", "-r", "--cached", "--ignore-unmatch", "."]);
    std::fs::remove_file(clone.path().join("go.mod")).expect("just written");
    clone
        .write("SubFolder/go.mod", format!("module {HOST_PATH}/SubFolder\n\ngo 1.21\n"))
        .write("SubFolder/ReadMe.md", "# Capitals\n")
        .release("SubFolder/v1.0.0");
    Shape::of(clone, "/SubFolder", "v1.0.0", "SubFolder/v1.0.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_second_major_version_on_a_branch() {
    let clone = module("1.21");
    clone.release("v1.0.0");
    clone.write("go.mod", format!("module {HOST_PATH}/v2\n\ngo 1.21\n")).release("v2.0.0");
    Shape::of(clone, "/v2", "v2.0.0", "v2.0.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_second_major_version_in_a_subfolder() {
    let clone = module("1.21");
    clone
        .write("v2/go.mod", format!("module {HOST_PATH}/v2\n\ngo 1.21\n"))
        .write("v2/mymodule.go", "package mymodule\n");
    clone.release("v2.0.0");
    Shape::of(clone, "/v2", "v2.0.0", "v2.0.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_from_before_modules() {
    let clone = Repository::new();
    clone.write("mymodule.go", "package mymodule\n").write("LICENSE", "Anybody may do anything.\n").release("v1.0.0");
    clone.git(&["tag", "v2.0.0"]);
    Shape::of(clone, "", "v1.0.0", "v1.0.0").agrees_with_a_plain_archive();
}

#[test]
fn of_an_incompatible_version() {
    let clone = Repository::new();
    clone.write("mymodule.go", "package mymodule\n").write("LICENSE", "Anybody may do anything.\n").release("v2.0.0");
    Shape::of(clone, "", "v2.0.0+incompatible", "v2.0.0").agrees_with_a_plain_archive();
}

#[test]
fn of_a_pre_release() {
    let clone = module("1.21");
    clone.release("v1.1.0-beta.1");
    Shape::of(clone, "", "v1.1.0-beta.1", "v1.1.0-beta.1").agrees_with_a_plain_archive();
}

#[test]
fn of_a_commit_without_a_tag() {
    let clone = module("1.21");
    clone.release("v1.0.0");
    let commit = clone.write("more.go", "package mymodule\n").commit("more");
    // The second commit's time, two hours after the first's date, and twelve digits of its name.
    let version = format!("v1.0.1-0.20240304050607-{}", &commit[..12]);
    Shape::of(clone, "", &version, &commit).agrees_with_a_plain_archive();
}

#[test]
fn of_an_annotated_tag() {
    let clone = module("1.21");
    clone.commit("all");
    clone.git(&["tag", "--annotate", "--message", "A release", "v1.0.0"]);
    Shape::at_the_top(clone).agrees_with_a_plain_archive();
}

#[test]
fn of_a_module_with_export_attributes_and_the_recommended_archive() {
    with_export_attributes().agrees_with_the_recommended_archive();
}

#[test]
fn of_a_clone_that_converts_line_ends_and_the_recommended_archive() {
    let clone = module("1.21");
    clone.release("v1.0.0");
    clone.git(&["config", "core.autocrlf", "true"]);
    let shape = Shape::at_the_top(clone);
    let plain = shape.clone.archive("v1.0.0", "");
    let warned = upload(&plain);
    assert!(warned.warnings().contains(&"crlf_text"), "{warned}");
    shape.agrees_with_the_recommended_archive();
    assert_ne!(warned.h1(), shape.version_controls_answer()["Sum"]);
}

#[test]
fn a_plain_archive_of_a_module_with_export_attributes_is_accepted_with_a_warning() {
    let shape = with_export_attributes();
    let warned = upload(&shape.clone.archive("v1.0.0", ""));
    assert!(warned.warnings().contains(&"export_attributes"), "{warned}");
    assert_ne!(warned.h1(), shape.version_controls_answer()["Sum"]);
}

fn with_export_attributes() -> Shape {
    let clone = module("1.21");
    clone
        .write(".gitattributes", "/notes export-ignore\n/commit.txt export-subst\n")
        .write("notes/internal.txt", "left out by a plain archive\n")
        .write("commit.txt", "$Format:%H$\n")
        .release("v1.0.0");
    Shape::at_the_top(clone)
}

fn upload(archive: &std::path::Path) -> Answer {
    let server = Server::start();
    curl(&Machine::new(), &server, archive, &[("name", HOST_PATH), ("version", "v1.0.0")]).expect(201)
}
