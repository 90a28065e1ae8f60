//! What the texts say to whom.

use std::collections::BTreeSet;

use keeper_core::format::Purpose;
use keeper_core::repository::Settings;
use serde_json::{Value, json};

use super::*;

fn target<'a>(server_url: &'a str, repository_url: &'a str, settings: &'a Settings) -> SetupTarget<'a> {
    SetupTarget {
        server_url,
        repository_url,
        repository: "local",
        kind: RepositoryKind::Hosted,
        private: false,
        may_publish: false,
        own_authority: false,
        settings,
        private_packages: &[],
    }
}

/// The text of this id for a repository at this server.
fn text(server_url: &str, id: &str, change: impl Fn(&mut SetupTarget<'_>)) -> Option<SetupText> {
    let (url, settings) = (format!("{server_url}/go/local"), Settings::default());
    let mut target = target(server_url, &url, &settings);
    change(&mut target);
    texts(&target).into_iter().find(|text| text.id == id)
}

#[test]
fn the_shell_text_depends_on_who_may_read_and_how() {
    let shell = |url: &str, private| text(url, "shell", |target| target.private = private).expect("always there").text;
    let public = shell("http://localhost:8080", false);
    assert!(public.starts_with("go env -w GOPROXY=http://localhost:8080/go/local,direct\n# "), "{public}");
    assert!(public.ends_with("# go env -w GONOSUMDB=github.com/yourcompany\n"), "{public}");
    let private = shell("https://h.example:8443", true);
    assert!(private.contains("\n  h.example:8443 \"${ARTIFACT_KEEPER_TOKEN:?set"), "{private}");
    let plain = shell("http://h.example", true);
    assert!(plain.contains("only over https") && !plain.contains("machine"), "{plain}");
}

#[test]
fn a_repository_with_the_modules_of_the_world_stands_alone() {
    for (kind, has_private) in [(RepositoryKind::Virtual, true), (RepositoryKind::Remote, false)] {
        for id in ["shell", "environment", "dockerfile"] {
            let text = text("https://h.example", id, |target| target.kind = kind).expect("always there");
            assert!(!text.text.contains("direct"), "{id}: {}", text.text);
            assert_eq!(text.text.contains("GONOSUMDB"), has_private, "{id}: {}", text.text);
        }
        let shell = text("https://h.example", "shell", |target| target.kind = kind).expect("always there");
        assert!(shell.text.starts_with("go env -w GOPROXY=https://h.example/go/local\n"), "{}", shell.text);
        assert!(shell.notes.iter().any(|note| note.contains("toolchains")), "{:?}", shell.notes);
    }
}

#[test]
fn private_patterns_of_the_settings_are_real_advice() {
    let Value::Object(map) = json!({ "nosumdb": ["corp.example", "github.com/corp/*"] }) else { panic!("an object") };
    let settings = Settings(map);
    let all = texts(&target("https://h.example", "https://h.example/go/local", &settings));
    let shell = all.iter().find(|text| text.id == "shell").expect("always there");
    assert!(shell.text.contains("\ngo env -w 'GONOSUMDB=corp.example,github.com/corp/*'\n"), "{}", shell.text);
    for text in &all {
        assert!(!text.text.contains(EXAMPLE_PATTERN), "{}: {}", text.id, text.text);
    }
}

#[test]
fn those_who_may_not_publish_get_no_recipe_for_it() {
    let (url, settings) = ("https://h.example/go/local", Settings::default());
    let mut target = target("https://h.example", url, &settings);
    assert!(texts(&target).iter().all(|text| text.purpose == Purpose::Read));
    target.may_publish = true;
    let publishing: Vec<_> = texts(&target).into_iter().filter(|text| text.purpose == Purpose::Publish).collect();
    assert_eq!(publishing.len(), 4);
    for text in publishing {
        for wanted in ["--fail-with-body", "-export-subst", "https://h.example/api/artifacts", "repository=local"] {
            assert!(text.text.contains(wanted), "{} lacks {wanted}", text.id);
        }
    }
}

#[test]
fn no_text_makes_the_client_go_around_the_repository_or_holds_a_mark() {
    let settings = Settings::default();
    let kinds = [RepositoryKind::Hosted, RepositoryKind::Remote, RepositoryKind::Virtual];
    let cases =
        kinds.into_iter().flat_map(|kind| [(false, false), (true, false), (true, true)].map(|case| (kind, case)));
    for (kind, (private, own_authority)) in cases {
        let url = "https://h.example/go/local";
        let target = target("https://h.example", url, &settings);
        let target = SetupTarget { kind, private, own_authority, may_publish: true, ..target };
        let all = texts(&target);
        let ids: BTreeSet<_> = all.iter().map(|text| text.id).collect();
        assert_eq!(ids.len(), all.len(), "ids are unique");
        assert_eq!(ids.contains("netrc") && ids.contains("goauth"), private);
        assert_eq!(ids.contains("trust"), own_authority);
        for text in all {
            let body = &text.text;
            assert!(!body.contains("GOPRIVATE") && !body.contains("@{"), "{}: {body}", text.id);
            assert!(body.ends_with('\n') && body.lines().all(|line| line.len() <= 120), "{}: {body}", text.id);
            assert_eq!(body.contains("ARTIFACT_KEEPER_TOKEN:?set it to a token that may read"), {
                private
                    && !matches!(text.id, "trust" | "environment" | "powershell" | "goauth" | "dockerfile" | "publish")
            });
        }
    }
}

#[test]
fn who_names_his_private_modules_gets_texts_for_these() {
    let private = ["github.com/yourcompany".to_owned(), "*.corp.example".to_owned()];
    for (id, line) in [
        ("shell", "go env -w 'GONOSUMDB=github.com/yourcompany,*.corp.example'\n"),
        ("environment", "export GONOSUMDB='github.com/yourcompany,*.corp.example'\n"),
        ("powershell", "go env -w 'GONOSUMDB=github.com/yourcompany,*.corp.example'\n"),
        ("dockerfile", "ENV GONOSUMDB=github.com/yourcompany,*.corp.example\n"),
    ] {
        let (url, settings) = ("https://h.example/go/local", Settings::default());
        let target = SetupTarget { private_packages: &private, ..target("https://h.example", url, &settings) };
        let text = texts(&target).into_iter().find(|text| text.id == id).expect("always there").text;
        assert!(text.contains(line) && !text.contains('#') | (id == "dockerfile"), "{id}: {text}");
    }
}

#[test]
fn powershell_gets_quoted_settings_and_a_token_from_a_variable() {
    let of =
        |private| text("https://h.example:8443", "powershell", |target| target.private = private).expect("there").text;
    assert!(of(false).starts_with("go env -w 'GOPROXY=https://h.example:8443/go/local,direct'\n"), "{}", of(false));
    assert!(!of(false).contains("netrc"));
    assert!(
        of(true).contains("\"machine h.example:8443 login any password $env:ARTIFACT_KEEPER_TOKEN\"\n"),
        "{}",
        of(true)
    );
}

#[test]
fn the_login_hint_is_one_line() {
    let hint = login_hint("h.example:8443", true);
    assert_eq!(hint, "For the go command, in ~/.netrc: machine h.example:8443 login any password <token>");
    assert!(login_hint("h.example", false).contains("only over https"));
}
