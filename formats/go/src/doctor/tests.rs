//! Settings with one fault each, and what running the commands makes of them.

use std::collections::{BTreeMap, BTreeSet};

use keeper_core::artifact::PackageName;
use keeper_core::format::SetupTarget;
use keeper_core::repository::{RepositoryKind, Settings};
use serde_json::{Value, json};

use super::*;

/// What somebody has set. The rest is as Go comes.
#[derive(Clone)]
struct Client(BTreeMap<String, String>);

impl Client {
    fn with(set: &[(&str, &str)]) -> Self {
        let own = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let good = [("GOPROXY", "https://h.example/go/local,direct"), ("GONOSUMDB", "corp.example")];
        let good = good.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(good.chain(own).collect())
    }

    /// What `go env -json` prints.
    fn report(&self) -> String {
        let set = |name: &str| self.0.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let private = set("GOPRIVATE").unwrap_or_default();
        json!({
            "GOPROXY": set("GOPROXY").unwrap_or("https://proxy.golang.org,direct"),
            "GOPRIVATE": private,
            "GONOPROXY": set("GONOPROXY").unwrap_or(private),
            "GONOSUMDB": set("GONOSUMDB").unwrap_or(private),
            "GOSUMDB": set("GOSUMDB").unwrap_or("sum.golang.org"),
            "GOAUTH": set("GOAUTH").unwrap_or("netrc"),
            "GOFLAGS": set("GOFLAGS").unwrap_or_default(),
            "GOINSECURE": set("GOINSECURE").unwrap_or_default(),
            "GO111MODULE": set("GO111MODULE").unwrap_or_default(),
            "GOENV": set("GOENV").unwrap_or("/home/ann/.config/go/env"),
            "GOVERSION": set("GOVERSION").unwrap_or("go1.26.8"),
        })
        .to_string()
    }

    /// Runs a command as a shell would.
    fn run(&mut self, command: &str) {
        let words = command.replace('\'', "");
        if let Some(setting) = words.strip_prefix("go env -w ").or(words.strip_prefix("export ")) {
            let (name, value) = setting.split_once('=').expect("a setting");
            self.0.insert(name.to_owned(), value.to_owned());
        } else if let Some(name) = words.strip_prefix("go env -u ") {
            self.0.remove(name);
        } else {
            assert!(words.starts_with("unset "), "{command}");
        }
    }
}

/// A private repository at `https://h.example/go/local`, in whose settings `corp.example` is private.
struct Case {
    url: &'static str,
    kind: RepositoryKind,
    settings: Settings,
    package: Option<PackageName>,
}

impl Case {
    fn usual() -> Self {
        let Value::Object(settings) = json!({ "nosumdb": ["corp.example"] }) else { panic!("an object") };
        Self { url: "https://h.example", kind: RepositoryKind::Hosted, settings: Settings(settings), package: None }
    }

    fn findings(&self, report: &str) -> Vec<Finding> {
        let repository_url = format!("{}/go/local", self.url);
        let readable = [repository_url.clone(), format!("{}/go/other", self.url)];
        let repository = SetupTarget {
            server_url: self.url,
            repository_url: &repository_url,
            repository: "local",
            kind: self.kind,
            private: true,
            may_publish: false,
            own_authority: false,
            settings: &self.settings,
            private_packages: &[],
        };
        let target = DoctorTarget { repository, readable: &readable, package: self.package.as_ref() };
        diagnose(report, &target).expect("a report")
    }

    fn codes(&self, client: &Client) -> Vec<&'static str> {
        self.findings(&client.report()).iter().map(|finding| finding.code).collect()
    }
}

/// Settings beside good ones, and the codes of what is found.
type Fault = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const FAULTS: [Fault; 37] = [
    (&[], &[]),
    (&[("GOPROXY", "h.example/go/local/, https://proxy.golang.org|direct")], &[]),
    (&[("GOPROXY", "")], &["proxy_missing"]),
    (&[("GOPROXY", "https://proxy.golang.org,direct")], &["proxy_missing"]),
    (&[("GOPROXY", "off")], &["proxy_off"]),
    (&[("GOPROXY", "direct,https://h.example/go/local")], &["proxy_unreachable"]),
    (&[("GOPROXY", "https://proxy.golang.org,off,https://h.example/go/local")], &["proxy_unreachable"]),
    (&[("GOPROXY", "https://proxy.golang.org,https://h.example/go/local,direct")], &["proxy_not_first"]),
    (&[("GOPROXY", "https://h.example/go/local|https://proxy.golang.org")], &["proxy_pipe"]),
    (&[("GOPROXY", "https://h.example/go/local|")], &[]),
    (&[("GOPROXY", "http://h.example/go/local,direct")], &["proxy_address_differs"]),
    (&[("GOPROXY", "https://h.example:8443/go/local,direct")], &["proxy_address_differs"]),
    (&[("GOPROXY", "https://h.example/go/lokal,direct")], &["proxy_unknown_repository"]),
    (&[("GOPROXY", "https://h.example/go/other,direct")], &["proxy_other_repository"]),
    (&[("GOPROXY", "https://ci:secret@h.example/go/local,direct")], &["password_in_address"]),
    (&[("GOPROXY", "http://ci:secret@h.example/go/local")], &["proxy_address_differs", "password_in_address"]),
    (&[("GOPROXY", "https://u:secret@other.example,https://h.example/go/local")], &["proxy_not_first"]),
    (&[("GOPRIVATE", "corp.example")], &["proxy_bypassed"]),
    (&[("GOPRIVATE", "corp.example"), ("GONOPROXY", "none")], &[]),
    (&[("GONOPROXY", "corp.example/secret,elsewhere.example")], &["proxy_bypassed"]),
    (&[("GOPRIVATE", "elsewhere.example")], &[]),
    (&[("GOPRIVATE", "*.example,corp.example")], &["proxy_bypassed"]),
    (&[("GONOSUMDB", "elsewhere.example")], &["checksum_database_asked"]),
    (&[("GONOSUMDB", "corp.example/*")], &["checksum_database_asked"]),
    (&[("GONOSUMDB", " corp.example")], &["checksum_database_asked", "pattern_ignored"]),
    (&[("GONOSUMDB", "*.example,corp.example")], &[]),
    (&[("GONOSUMDB", "*")], &["checksums_unchecked"]),
    (&[("GOSUMDB", "off")], &["checksum_database_off"]),
    (&[("GOPRIVATE", "elsewhere.example, other.example")], &["pattern_ignored"]),
    (&[("GOINSECURE", "corp.example")], &["insecure_set"]),
    (&[("GOFLAGS", "-insecure -modcacherw -mod=vendor")], &["flags_insecure", "flags_vendor"]),
    (&[("GOFLAGS", "-modcacherw")], &[]),
    (&[("GO111MODULE", "off")], &["modules_off"]),
    (&[("GOAUTH", "off")], &["auth_off"]),
    (&[("GOAUTH", "git /home/ann; /bin/auth")], &["auth_without_netrc"]),
    (&[("GOVERSION", "go1.12.17")], &["go_too_old"]),
    (&[("GOVERSION", "go1.20")], &["go_old"]),
];

#[test]
fn every_fault_is_found_and_nothing_else() {
    for (set, wanted) in FAULTS {
        assert_eq!(Case::usual().codes(&Client::with(set)), *wanted, "{set:?}");
    }
}

#[test]
fn who_runs_all_commands_is_left_with_what_no_command_can_mend() {
    for (set, _) in FAULTS {
        for more in [None, Some(("GOENV", "off"))] {
            let mut client = Client::with(&[set, more.as_slice()].concat());
            let findings = Case::usual().findings(&client.report());
            let beyond: Vec<_> = findings.iter().filter(|one| one.commands.is_empty()).map(|one| one.code).collect();
            for command in findings.iter().flat_map(|finding| &finding.commands) {
                assert!(more.is_none() || !command.starts_with("go env"), "GOENV=off: {command}");
                client.run(command);
            }
            // In a shell of its own, taking a variable away is all that there is to do.
            if more.is_none() {
                assert_eq!(Case::usual().codes(&client), beyond, "{set:?} became {:?}", client.0);
            }
        }
    }
}

#[test]
fn no_secret_of_a_report_is_repeated() {
    for (set, _) in FAULTS {
        for finding in Case::usual().findings(&Client::with(set).report()) {
            let text = format!("{} {:?}", finding.explanation, finding.commands);
            assert!(!text.contains("secret@") && !text.contains(":secret"), "{text}");
        }
    }
}

#[test]
fn what_is_private_is_known_from_the_settings_or_the_package_or_not_at_all() {
    let unknown = Case { settings: Settings::default(), ..Case::usual() };
    assert_eq!(unknown.codes(&Client::with(&[])), [""; 0]);
    assert_eq!(unknown.codes(&Client::with(&[("GONOSUMDB", "")])), ["checksum_database_asked"]);
    assert_eq!(unknown.codes(&Client::with(&[("GONOPROXY", "any.example")])), ["proxy_bypassed"]);

    let package = PackageName::try_from("github.com/yc/mymodule/v2").expect("a name");
    let named = Case { package: Some(package), ..unknown };
    for (set, wanted) in [
        (("GONOSUMDB", "github.com/yc"), &[][..]),
        (("GONOSUMDB", ""), &["checksum_database_asked"]),
        (("GOPRIVATE", "github.com/yc/*"), &["proxy_bypassed", "checksum_database_asked"]),
        (("GOPRIVATE", "gitlab.example"), &["checksum_database_asked"]),
    ] {
        assert_eq!(named.codes(&Client::with(&[set])), wanted, "{set:?}");
    }
    let asked = named.findings(&Client::with(&[("GONOSUMDB", "a.example")]).report());
    assert_eq!(asked[0].commands[1], "go env -w GONOSUMDB=a.example,github.com/yc");
}

#[test]
fn nothing_stands_behind_a_repository_that_has_it_all() {
    let rows = [
        ("https://h.example/go/local", &[][..]),
        ("https://h.example/go/local,off", &[]),
        ("https://h.example/go/local,direct", &["proxy_not_last"]),
        ("https://h.example/go/local,https://u:secret@other.example", &["proxy_not_last"]),
        ("https://h.example/go/local|direct", &["proxy_not_last", "proxy_pipe"]),
    ];
    for kind in [RepositoryKind::Remote, RepositoryKind::Virtual] {
        let case = Case { kind, ..Case::usual() };
        for (chain, wanted) in rows {
            let mut client = Client::with(&[("GOPROXY", chain)]);
            assert_eq!(case.codes(&client), wanted, "{chain}");
            for finding in case.findings(&client.report()) {
                assert!(!finding.explanation.contains("secret"), "{}", finding.explanation);
                finding.commands.iter().for_each(|command| client.run(command));
            }
            assert_eq!(case.codes(&client), [""; 0], "{chain} became {:?}", client.0);
        }
        let asked = case.codes(&Client::with(&[("GOPROXY", rows[0].0), ("GONOSUMDB", "elsewhere.example")]));
        assert_eq!(asked.is_empty(), kind == RepositoryKind::Remote, "{asked:?}");
    }
}

#[test]
fn a_private_repository_needs_https() {
    let plain = Case { url: "http://h.example", ..Case::usual() };
    let client = Client::with(&[("GOPROXY", "http://h.example/go/local"), ("GOAUTH", "off")]);
    assert_eq!(plain.codes(&client), ["https_needed"]);
    let client = Client::with(&[("GOPROXY", "http://u:secret@h.example/go/local")]);
    assert_eq!(plain.codes(&client), ["password_in_address", "https_needed"]);
}

#[test]
fn what_is_no_report_is_refused() {
    let (usual, settings) = (Case::usual(), Settings::default());
    let repository = SetupTarget {
        server_url: usual.url,
        repository_url: "https://h.example/go/local",
        repository: "local",
        kind: RepositoryKind::Hosted,
        private: true,
        may_publish: false,
        own_authority: false,
        settings: &settings,
        private_packages: &[],
    };
    let target = DoctorTarget { repository, readable: &[], package: None };
    for report in ["", "GOPROXY='direct'", "[]", "{}", r#"{"GOPROXY": 1}"#, r#"{"GOFLAGS": ""}"#] {
        assert_eq!(diagnose(report, &target).expect_err("no report").code().name, "invalid_field", "{report}");
    }
    let part = r#"{"GOPROXY": "https://h.example/go/local"}"#;
    assert_eq!(diagnose(part, &target).expect("a part will do"), []);
}

#[test]
fn every_code_is_found_in_a_test_and_explained_in_the_guide() {
    let guide = include_str!("../../../../docs/go-modules.md");
    let tested: BTreeSet<_> = FAULTS.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    for code in CODES {
        let has_own_test = matches!(code, "https_needed" | "proxy_not_last");
        assert!(tested.contains(code) || has_own_test, "{code} is in no row");
        assert!(guide.contains(&format!("`{code}`")), "docs/go-modules.md lacks {code}");
    }
}
