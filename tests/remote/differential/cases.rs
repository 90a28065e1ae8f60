//! The commands: a table of queries and modules, and what else go can do with a proxy.

/// A project that a command runs in.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) name: &'static str,
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// A command.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) project: &'static Project,
    /// Of `go`, separated by blanks; `{commit}` and `{short}` name the commit of mymodule v1.2.3.
    pub(super) arguments: String,
    pub(super) is_meant_to_succeed: bool,
}

/// Nothing but a name.
const EMPTY: &Project = &Project { name: "empty", files: &[] };

/// Uses what its `go.mod` does not name yet.
const UNTIDY: &Project = &Project {
    name: "untidy",
    files: &[(
        "main.go",
        "package main\n\nimport (\n\tmymodule \"github.com/yourcompany/mymodule\"\n\t_ \"example.com/nested/inner\"\n\t_ \
         \"example.com/old\"\n)\n\nfunc main() { println(mymodule.DoSomething()) }\n",
    )],
};

/// Needs older versions, and has no `go.sum`.
const BEHIND: &Project = &Project {
    name: "behind",
    files: &[
        (
            "go.mod",
            "module example.com/app\n\ngo 1.21\n\nrequire (\n\tgithub.com/yourcompany/dep v1.0.0\n\t\
             github.com/yourcompany/mymodule v1.1.0\n\texample.com/retracted v1.1.0\n)\n",
        ),
        (
            "main.go",
            "package main\n\nimport (\n\tmymodule \"github.com/yourcompany/mymodule\"\n\t_ \
             \"github.com/yourcompany/dep\"\n\t_ \"example.com/retracted\"\n)\n\nfunc main() { println(mymodule.DoSomething()) }\n",
        ),
    ],
};

/// Needs what nobody has.
const LOST: &Project = &Project {
    name: "lost",
    files: &[
        ("go.mod", "module example.com/app\n\ngo 1.21\n\nrequire example.com/broken v1.0.0\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t_ \"example.com/broken\"\n\t_ \"example.com/nobody/pkg\"\n)\n\nfunc main() {}\n",
        ),
    ],
};

pub(super) const PROJECTS: &[&Project] = &[EMPTY, UNTIDY, BEHIND];

/// Queries for mymodule that lead to a version.
const GOOD_QUERIES: &[&str] = &[
    "",
    "@latest",
    "@upgrade",
    "@none",
    "@v1",
    "@v1.1",
    "@v1.1.0",
    "@v1.2.3",
    "@<v1.2.0",
    "@<=v1.1.0",
    "@>v1.1.0",
    "@>=v1.1.1",
    "@v1.3.0-beta.1",
    "@>v1.2.3",
    "@main",
    "@{commit}",
    "@{short}",
    "@v1.2.3+meta",
];

/// Queries for mymodule that lead nowhere.
const BAD_QUERIES: &[&str] = &[
    "@nosuch",
    "@v1.9.9",
    "@v1.9",
    "@v2",
    "@v2.0.0",
    "@>v1.9.0",
    "@<v1.0.0",
    "@HEAD",
    "@-x",
    "@v01.0.0",
    "@feature/x",
    "@",
    "@0123456",
    "@1.2.3",
    "@v1.2.3-",
    "@patch",
];

/// Modules with a latest version.
const MODULES: &[&str] = &[
    "github.com/yourcompany/dep",
    "github.com/yourcompany/mymodule/v2",
    "github.com/yourcompany/mymodule/tools",
    "example.com/retracted",
    "example.com/deprecated",
    "example.com/untagged",
    "example.com/unfinished",
    "example.com/old",
    "example.com/gone",
    "example.com/yanked",
    "example.com/left",
    "example.com/nested",
    "example.com/nested/inner",
    "github.com/Big/Case",
    "gopkg.in/yaml.v2",
    "example.com/future",
    "example.com/replacing",
];

/// Further commands that succeed.
const GOOD: &[(&Project, &str)] = &[
    (EMPTY, "get github.com/yourcompany/mymodule/cmd/hello@v1.2.3"),
    (EMPTY, "get github.com/yourcompany/mymodule@v1.0.0 github.com/yourcompany/dep@v1.0.1"),
    (EMPTY, "get example.com/yanked@v1.1.0"),
    (EMPTY, "get example.com/retracted@v1.1.0"),
    (EMPTY, "get -tool example.com/tool@v1.0.0"),
    (EMPTY, "list -m -json github.com/yourcompany/mymodule@v1.2.3"),
    (EMPTY, "list -m -json github.com/yourcompany/mymodule@main"),
    (EMPTY, "list -m -retracted -versions example.com/retracted"),
    (EMPTY, "list -m -versions -json github.com/yourcompany/mymodule"),
    (EMPTY, "mod download -json github.com/yourcompany/mymodule@v1.0.0"),
    (EMPTY, "mod download -json github.com/yourcompany/mymodule@{short}"),
    (EMPTY, "mod download -json github.com/Big/Case@v1.0.0"),
    (EMPTY, "mod download -json example.com/old@v2.0.0+incompatible"),
    (EMPTY, "mod download -json example.com/untagged@v0.0.0-20191109021931-daa7c04131f5"),
    (EMPTY, "mod download -json example.com/yanked@v1.1.0"),
    (EMPTY, "run github.com/yourcompany/mymodule/cmd/hello@latest"),
    (EMPTY, "run example.com/tool@v1.0.0"),
    (EMPTY, "install example.com/tool@latest"),
    (UNTIDY, "mod tidy"),
    (UNTIDY, "mod tidy -v"),
    (UNTIDY, "get ."),
    (UNTIDY, "get ./..."),
    (UNTIDY, "run -mod=mod ."),
    (UNTIDY, "list -mod=mod -deps -f {{.ImportPath}} ."),
    (BEHIND, "mod tidy"),
    (BEHIND, "mod download"),
    (BEHIND, "mod download -json all"),
    (BEHIND, "mod graph"),
    (BEHIND, "mod vendor"),
    (BEHIND, "mod why -m all"),
    (BEHIND, "mod why github.com/yourcompany/dep"),
    (BEHIND, "mod verify"),
    (BEHIND, "list -m all"),
    (BEHIND, "list -m -u all"),
    (BEHIND, "list -m -u -json all"),
    (BEHIND, "list -m -u -retracted all"),
    (BEHIND, "list -m -versions github.com/yourcompany/dep example.com/retracted"),
    (BEHIND, "get -u ./..."),
    (BEHIND, "get -u=patch ./..."),
    (BEHIND, "get -u -t ."),
    (BEHIND, "get github.com/yourcompany/dep@patch"),
    (BEHIND, "get github.com/yourcompany/dep@none"),
    (BEHIND, "get github.com/yourcompany/mymodule@upgrade"),
    (BEHIND, "get github.com/yourcompany/mymodule@v1.0.0"),
    (BEHIND, "build -mod=mod -o app ."),
];

/// Further commands that fail.
const BAD: &[(&Project, &str)] = &[
    (EMPTY, "get example.com/nobody"),
    (EMPTY, "get example.com/nobody@v1.0.0"),
    (EMPTY, "get github.com/yourcompany"),
    (EMPTY, "get github.com/yourcompany/mymodule/nosuch"),
    (EMPTY, "get github.com/yourcompany/mymodule/internal/nosuch@v1.0.0"),
    (EMPTY, "get github.com/YourCompany/mymodule"),
    (EMPTY, "get github.com/big/case@v1.0.0"),
    (EMPTY, "get example.com/gone@v1.1.0"),
    (EMPTY, "get example.com/newer"),
    (EMPTY, "get example.com/broken"),
    (EMPTY, "get example.com/old/v2"),
    (EMPTY, "get nodot/m"),
    (EMPTY, "get example.com/a+b"),
    (EMPTY, "get example.com/con.x@v1.0.0"),
    (EMPTY, "get example.com//m"),
    (EMPTY, "list -m -versions example.com/nobody"),
    (EMPTY, "list -m github.com/yourcompany/mymodule@v1.9.9"),
    (EMPTY, "mod download -json example.com/nobody@v1.0.0"),
    (EMPTY, "mod download -json github.com/yourcompany/mymodule@v1.9.9"),
    (EMPTY, "mod download -json example.com/gone@v1.1.0"),
    (EMPTY, "run github.com/yourcompany/mymodule/cmd/nosuch@latest"),
    (EMPTY, "install example.com/replacing@v1.0.0"),
    (EMPTY, "install github.com/yourcompany/mymodule@v1.0.0"),
    (LOST, "mod tidy"),
    (LOST, "mod tidy -e"),
    (LOST, "mod download"),
    (LOST, "mod graph"),
    (LOST, "list -m all"),
    (LOST, "build -mod=mod ."),
    (LOST, "get -u ./..."),
    (BEHIND, "build ."),
    (BEHIND, "get github.com/yourcompany/dep@v9.0.0"),
];

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let case = |project, arguments: String, is_meant_to_succeed| Case { project, arguments, is_meant_to_succeed };
    let mymodule = |query: &&str| format!("get github.com/yourcompany/mymodule{query}");
    let mut all: Vec<Case> = GOOD_QUERIES.iter().map(|query| case(EMPTY, mymodule(query), true)).collect();
    all.extend(BAD_QUERIES.iter().map(|query| case(EMPTY, mymodule(query), false)));
    for module in MODULES {
        all.push(case(EMPTY, format!("get {module}"), true));
        all.push(case(EMPTY, format!("list -m -versions {module}"), true));
        all.push(case(EMPTY, format!("mod download -json {module}@latest"), true));
    }
    all.extend(GOOD.iter().map(|(project, arguments)| case(project, (*arguments).to_owned(), true)));
    all.extend(BAD.iter().map(|(project, arguments)| case(project, (*arguments).to_owned(), false)));
    all
}
