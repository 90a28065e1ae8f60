//! The repositories that the guide's recipes are about, with the shapes that real ones have.
//!
//! ```text
//! mymodule  v1.0.0         everything at once: modules in subfolders, vendor folder, symbolic link, export
//!                          attributes, CRLF
//!           v1.1.0         requires dep v1.0.0
//!           v1.1.1  v1.2.3 the newest release; branch main
//!           v1.3.0-beta.1
//!           tools/v0.1.0   the module github.com/yourcompany/mymodule/tools
//!           v2.0.0         github.com/yourcompany/mymodule/v2, on branch v2
//! dep       v1.0.0  v1.0.1  v1.1.0
//! ```

use super::git::Repository;
use super::server::Server;
use super::upload::{Answer, Form};

/// The module of the guide.
pub(crate) const MYMODULE: &str = "github.com/yourcompany/mymodule";
/// The module it depends on.
pub(crate) const DEP: &str = "github.com/yourcompany/dep";

/// The clones.
pub(crate) struct Company {
    /// Of [`MYMODULE`].
    pub(crate) mymodule: Repository,
    /// Of [`DEP`].
    pub(crate) dep: Repository,
}

impl Company {
    /// Both repositories, with all their tags.
    pub(crate) fn new() -> Self {
        Self { mymodule: mymodule(), dep: dep() }
    }

    /// Publishes every version, each with the recommended archive; the newest release is what `main` means.
    pub(crate) fn publish(&self, server: &Server) {
        for version in ["v1.0.0", "v1.0.1", "v1.1.0"] {
            publish(server, &self.dep, DEP, version, version);
        }
        for version in ["v1.0.0", "v1.1.0", "v1.1.1", "v1.3.0-beta.1"] {
            publish(server, &self.mymodule, MYMODULE, version, version);
        }
        release(&self.mymodule, MYMODULE, "v1.2.3", "v1.2.3").with("label", "main").send(server).expect(201);
        publish(server, &self.mymodule, &format!("{MYMODULE}/tools"), "v0.1.0", "tools/v0.1.0");
        publish(server, &self.mymodule, &format!("{MYMODULE}/v2"), "v2.0.0", "v2.0.0");
    }
}

/// Publishes a tag of a repository for the first time.
pub(crate) fn publish(server: &Server, repository: &Repository, name: &str, version: &str, tag: &str) -> Answer {
    release(repository, name, version, tag).send(server).expect(201)
}

/// The form that publishes a tag of a repository.
pub(crate) fn release(repository: &Repository, name: &str, version: &str, tag: &str) -> Form {
    let archive = repository.archive_as_go_does(tag, &format!("{name}@{version}/"));
    let bytes = std::fs::read(archive).expect("git has just written it");
    Form::go(bytes).with("name", name).with("version", version)
}

/// The first version of the module of the guide, with all shapes that matter, in a repository of its own.
pub(crate) fn everything_at_once() -> Repository {
    let repository = Repository::new();
    repository
        .write("go.mod", format!("module {MYMODULE}\n\ngo 1.21\n"))
        .write("mymodule.go", source("mymodule", "v1.0.0"))
        .write("LICENSE", "Anybody may do anything.\n")
        .write("README.md", "# mymodule\n")
        .write("internal/impl/impl.go", "package impl\n")
        .write("cmd/hello/main.go", main_of(MYMODULE))
        // A module of its own that is published, and one that never is.
        .write("tools/go.mod", format!("module {MYMODULE}/tools\n\ngo 1.21\n"))
        .write("tools/tools.go", "// Package tools is a module of its own.\npackage tools\n\nconst Name = \"hammer\"\n")
        .write("examples/go.mod", "module example.com/examples\n")
        .write("examples/demo/demo.go", "package demo\n")
        .write("vendor/modules.txt", "# example.com/x v1.0.0\nexample.com/x\n")
        .write("vendor/example.com/x/x.go", "package x\n")
        .write(".gitattributes", "/internal-notes.txt export-ignore\n/commit.txt export-subst\n")
        .write("internal-notes.txt", "Not in a plain archive, but in what go packs.\n")
        .write("commit.txt", "$Format:%H$\n")
        .write("windows.txt", "one line\r\nand another\r\n")
        .link("linked.go", "mymodule.go");
    repository.release("v1.0.0");
    repository
}

fn mymodule() -> Repository {
    let repository = everything_at_once();
    let require = format!("\nrequire {DEP} v1.0.0\n");
    repository.write("go.mod", format!("module {MYMODULE}\n\ngo 1.21\n{require}"));
    for version in ["v1.1.0", "v1.1.1", "v1.2.3"] {
        repository.write("mymodule.go", source_with_dep("mymodule", version)).release(version);
    }
    repository.git(&["tag", "tools/v0.1.0"]);
    repository.write("mymodule.go", source_with_dep("mymodule", "v1.3.0-beta.1")).release("v1.3.0-beta.1");
    repository.git(&["switch", "--quiet", "--create", "v2"]);
    repository
        .write("go.mod", format!("module {MYMODULE}/v2\n\ngo 1.21\n{require}"))
        .write("cmd/hello/main.go", main_of(&format!("{MYMODULE}/v2")))
        .write("mymodule.go", source_with_dep("mymodule", "v2.0.0"))
        .release("v2.0.0");
    repository.git(&["switch", "--quiet", "main"]);
    repository
}

fn dep() -> Repository {
    let repository = Repository::new();
    repository.write("go.mod", format!("module {DEP}\n\ngo 1.21\n")).write("LICENSE", "Anybody may do anything.\n");
    for version in ["v1.0.0", "v1.0.1", "v1.1.0"] {
        repository.write("dep.go", source("dep", version)).release(version);
    }
    repository
}

/// A package whose `DoSomething` tells its version.
pub(crate) fn source(package: &str, version: &str) -> String {
    format!("package {package}\n\nfunc DoSomething() string {{ return \"{package} {version}\" }}\n")
}

fn source_with_dep(package: &str, version: &str) -> String {
    let does = format!("func DoSomething() string {{ return \"{package} {version} with \" + dep.DoSomething() }}");
    format!("package {package}\n\nimport \"{DEP}\"\n\n{does}\n")
}

/// A program that prints what a module's `DoSomething` says.
pub(crate) fn main_of(module: &str) -> String {
    format!("package main\n\nimport mymodule \"{module}\"\n\nfunc main() {{ println(mymodule.DoSomething()) }}\n")
}
