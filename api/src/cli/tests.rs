//! What is typed and what it means.

use super::*;
use crate::config::Config;

fn parse(words: &str) -> Result<Invocation, String> {
    let words = std::iter::once("artifact-keeper").chain(words.split_whitespace());
    parse_from(words).map_err(|error| format!("{} {error}", error.exit_code()))
}

#[test]
fn the_command_line_is_well_formed() {
    use clap::CommandFactory;
    Line::command().debug_assert();
}

#[test]
fn flags_are_settings_before_and_behind_the_verb() {
    let rows = [
        "--listen 127.0.0.1:7 --log-format json",
        "serve --listen 127.0.0.1:7 --log-format=json",
        "--listen 127.0.0.1:7 serve --log-format json",
        "--listen 127.0.0.1:6 serve --listen 127.0.0.1:7 --log-format json",
    ];
    for words in rows {
        let invocation = parse(words).expect(words);
        assert!(matches!(invocation.verb, Verb::Serve { reset_secrets: false }), "{words}");
        let config = Config::load(&invocation.overrides, std::iter::empty(), None).expect(words).config;
        assert_eq!(config.listen.port(), 7, "{words}");
        assert_eq!(config.log_format, crate::config::LogFormat::Json, "{words}");
    }
}

#[test]
fn switches_and_lists_read_naturally() {
    let words =
        "--tls-self-signed --trusted-proxies 10.0.0.1,10.0.0.2 --trusted-proxies 10.0.0.3 --max-upload-bytes 5MiB";
    let invocation = parse(words).expect(words);
    let config = Config::load(&invocation.overrides, std::iter::empty(), None).expect(words).config;
    assert!(config.tls.is_some() && config.trusted_proxies.len() == 3);
    assert_eq!(config.max_upload_bytes, Some(5 << 20));
    let off = parse("--tls-self-signed=false").expect("off");
    assert!(Config::load(&off.overrides, std::iter::empty(), None).expect("off").config.tls.is_none());
}

#[test]
fn verbs_carry_their_flags() {
    assert!(matches!(parse("config --check").expect("config").verb, Verb::Config { check: true }));
    assert!(matches!(parse("migrate").expect("migrate").verb, Verb::Migrate { check: false }));
    assert!(matches!(parse("openapi").expect("openapi").verb, Verb::OpenApi));
    assert!(matches!(parse("gc").expect("gc").verb, Verb::Gc { confirm: false, json: false }));
    assert!(matches!(parse("gc --confirm --data-dir /d").expect("gc").verb, Verb::Gc { confirm: true, .. }));
    assert!(
        matches!(parse("verify --quick --json").expect("v").verb, Verb::Verify(asked) if asked.quick && asked.json && !asked.repair_orphans)
    );
    assert_eq!(parse("config --config k.toml").expect("file").file, Some(PathBuf::from("k.toml")));
    let words = "token create --name ci --actions read,publish --repositories go/*,generic/x --packages corp.example/* --data-dir /d -q";
    let invocation = parse(words).expect(words);
    let Verb::Administer { request: Request::TokenCreate(request), quiet: true } = invocation.verb else {
        panic!("{:?}", invocation.verb)
    };
    assert_eq!(request.actions, ["read", "publish"]);
    assert_eq!(request.repositories, ["go/*", "generic/x"]);
    assert_eq!(request.packages.as_deref(), Some(&["corp.example/*".to_owned()][..]));
    assert_eq!((request.expires.as_str(), request.user.as_str()), ("90d", "admin"));
    let config = Config::load(&invocation.overrides, std::iter::empty(), None).expect(words).config;
    assert_eq!(config.data_dir, PathBuf::from("/d"));
}

#[test]
fn wrong_usage_ends_with_code_2_and_the_nearest_word() {
    let rows = [
        ("confg", "'config'"),
        ("--listn x", "'--listen'"),
        ("token create --actions read", "--name"),
        ("token creat", "'create'"),
        ("--admin-password x", "unexpected argument"),
    ];
    for (words, hint) in rows {
        let error = parse(words).expect_err(words);
        assert!(error.starts_with("2 ") && error.contains(hint), "{words}: {error}");
    }
}

#[test]
fn every_help_has_an_example() {
    for words in [
        "--help",
        "-h",
        "serve --help",
        "config --help",
        "migrate --help",
        "token create --help",
        "token list --help",
        "token revoke --help",
        "user set-password --help",
        "gc --help",
        "verify --help",
        "openapi --help",
    ] {
        let help = parse(words).expect_err(words);
        assert!(help.starts_with("0 ") && help.contains("Example"), "{words}: {help}");
    }
    let help = parse("--help").expect_err("help");
    for setting in crate::config::settings::all() {
        assert!(help.contains(&setting.variable()), "{setting:?}");
    }
}
