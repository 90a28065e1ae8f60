//! Configuration and command line.
//!
//! A start that is refused says everything that is wrong on standard error and begins nothing. J22 is not here: there
//! is no setting for replicas.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::attempt::Start;
use crate::harness::server::ADMIN_TOKEN;

#[test]
fn a_configuration_file_that_cannot_be_read_is_named() {
    let start = Start::new();
    let missing = start.path("nowhere.toml").display().to_string();
    let start = start.arguments(&["--config", &missing]);
    start.run().refused("J1 missing", 2, &["cannot read configuration file", "nowhere.toml", "No such file"]);
    assert!(!start.path("data").exists(), "J1: the data folder was made");

    let start = Start::new();
    fs::create_dir(start.path("folder.toml")).expect("a fresh folder");
    let start = start.arguments(&["--config", "folder.toml"]);
    start.run().refused("J1 folder", 2, &["cannot read configuration file folder.toml", "Is a directory"]);

    let start =
        Start::new().unprivileged().write("closed.toml", "log = \"info\"\n").arguments(&["--config", "closed.toml"]);
    fs::set_permissions(start.path("closed.toml"), fs::Permissions::from_mode(0o000)).expect("our file");
    start.run().refused("J1 unreadable", 2, &["cannot read configuration file closed.toml", "Permission denied"]);
}

/// A setting in the file or in the environment, and what is said of it.
#[test]
fn every_mistake_in_the_configuration_is_told_with_its_place_and_an_example() {
    let file = |text: &str| Start::new().file(text);
    let variable = |name: &str, value: &str| Start::new().with(name, value);
    let rows: Vec<(&str, Start, &[&str])> = vec![
        (
            "J2",
            file("log = \"info\"\nmax_uploads = = 3\n"),
            &["artifact-keeper.toml:2:15: ", "\n  max_uploads = = 3\n", "^"],
        ),
        ("J2", file("log = \"info\n"), &["artifact-keeper.toml:1:", "\n  log = \"info\n"]),
        ("J2 twice", file("log = \"info\"\nlog = \"debug\"\n"), &["artifact-keeper.toml:2:", "duplicate key"]),
        (
            "J3",
            file("\nlisen = \"127.0.0.1:0\"\n"),
            &["artifact-keeper.toml:2: unknown key \"lisen\"; did you mean listen?"],
        ),
        ("J3 section", file("[server]\nlisten = \"127.0.0.1:0\"\n"), &["unknown section [server]", "no sections"]),
        (
            "J5 type",
            file("max_uploads = \"many\"\n"),
            &[
                "artifact-keeper.toml:1: max_uploads = \"many\": expected a whole number",
                "for example max_uploads = 32 (or KEEPER_MAX_UPLOADS)",
            ],
        ),
        (
            "J5 type",
            file("listen = 8080\n"),
            &["listen = 8080: expected a text in quotes; for example listen = \"0.0.0.0:8080\" (or KEEPER_LISTEN)"],
        ),
        (
            "J5 negative",
            variable("KEEPER_MAX_CONNECTIONS", "-1"),
            &[
                "KEEPER_MAX_CONNECTIONS=-1: expected a whole number from 1 to",
                "for example KEEPER_MAX_CONNECTIONS=4096",
            ],
        ),
        (
            "J5 overflow",
            variable("KEEPER_MAX_CONNECTIONS", "99999999999999999999999"),
            &["expected a whole number from 1 to"],
        ),
        (
            "J5 port",
            file("listen = \"127.0.0.1:80800\"\n"),
            &[
                "artifact-keeper.toml:1: listen = \"127.0.0.1:80800\": the port must be 0–65535; for example listen = \"0.0.0.0:8080\" (or KEEPER_LISTEN)",
            ],
        ),
        (
            "J5 name",
            variable("KEEPER_LISTEN", "registry.example:8080"),
            &["KEEPER_LISTEN=registry.example:8080: an IP address of this machine is needed"],
        ),
        ("J5 switch", variable("KEEPER_ANONYMOUS_READ", "yes"), &["KEEPER_ANONYMOUS_READ=yes: expected true or false"]),
        ("J5 log", variable("KEEPER_LOG_FORMAT", "xml"), &["KEEPER_LOG_FORMAT=xml: expected text or json"]),
        (
            "J5 flag",
            Start::new().arguments(&["--max-uploads", "0"]),
            &["--max-uploads 0: expected a whole number from 1 to", "for example --max-uploads 32"],
        ),
        (
            "J6 size",
            file("max_upload_bytes = \"10G B\"\n"),
            &["max_upload_bytes = \"10G B\": expected", "MiB", "for example max_upload_bytes = \"200MiB\""],
        ),
        (
            "J6 size",
            variable("KEEPER_MAX_UPLOAD_BYTES", "500mb"),
            &["KEEPER_MAX_UPLOAD_BYTES=500mb: expected", "KiB, MiB, GiB"],
        ),
        (
            "J6 duration",
            variable("KEEPER_SHUTDOWN_TIMEOUT", "5 minuts"),
            &[
                "KEEPER_SHUTDOWN_TIMEOUT=5 minuts: expected a number with ms, s, m or h",
                "for example KEEPER_SHUTDOWN_TIMEOUT=90s",
            ],
        ),
        (
            "J12 scheme",
            variable("KEEPER_DATABASE_URL", "mysql://u:hunter2@db/keeper"),
            &[
                "KEEPER_DATABASE_URL=mysql://u:***@db/keeper: ",
                "expected sqlite:// or postgres://",
                "for example KEEPER_DATABASE_URL=sqlite:///",
            ],
        ),
        (
            "J12 postgres",
            variable("KEEPER_DATABASE_URL", "postgres://u:hunter2@db/"),
            &["postgres://u:***@db/", "the name of a database is missing"],
        ),
        (
            "J12 file",
            file("database_url = \"postgres://u:hunter2@db/\"\n"),
            &["artifact-keeper.toml:1: database_url = \"postgres://u:***@db/\": "],
        ),
        (
            "J12 nothing",
            variable("KEEPER_DATABASE_URL", "sqlite://"),
            &["KEEPER_DATABASE_URL=sqlite://: a path is needed"],
        ),
        ("J12 escape", variable("KEEPER_DATABASE_URL", "sqlite:///a%2"), &["two hexadecimal digits"]),
        ("J12 parameters", variable("KEEPER_DATABASE_URL", "sqlite:///a.db?mode=memory"), &["takes no parameters"]),
        (
            "J12 storage",
            variable("KEEPER_STORAGE_URL", "s3://key:hunter2@bucket"),
            &["a bucket's name has 3 to 63 small letters", "file:///"],
        ),
        ("J20 all", file("trusted_proxies = [\"*\"]\n"), &["trusted_proxies = [\"*\"]: ", "name the addresses"]),
        ("J20 all", variable("KEEPER_TRUSTED_PROXIES", "0.0.0.0/0"), &["name the addresses"]),
        (
            "J20 CIDR",
            variable("KEEPER_TRUSTED_PROXIES", "10.0.0.0/33"),
            &["\"10.0.0.0/33\" is no address and no network", "for example KEEPER_TRUSTED_PROXIES=10.0.0.0/24"],
        ),
        ("J21 query", variable("KEEPER_PUBLIC_URL", "https://h?x=1"), &["no query (?) and no fragment (#)"]),
        ("J21 fragment", variable("KEEPER_PUBLIC_URL", "https://h#top"), &["no query (?) and no fragment (#)"]),
        (
            "J21 http",
            variable("KEEPER_PUBLIC_URL", "http://h").with("KEEPER_TLS_SELF_SIGNED", "true"),
            &["KEEPER_PUBLIC_URL: public_url begins with http:// while the server speaks https"],
        ),
        (
            "J19 half",
            variable("KEEPER_TLS_CERT", "/etc/cert.pem"),
            &["tls_cert is set and tls_key is not; set both (or KEEPER_TLS_KEY)"],
        ),
        (
            "J19 half",
            variable("KEEPER_TLS_KEY", "/etc/key.pem"),
            &["tls_key is set and tls_cert is not; set both (or KEEPER_TLS_CERT)"],
        ),
        ("J23", variable("KEEPER_ADMIN_PASSWORD", "hunter2"), &["KEEPER_ADMIN_PASSWORD=***: ", "12", "openssl rand"]),
        ("J23 token", variable("KEEPER_ADMIN_TOKEN", "hunter2"), &["KEEPER_ADMIN_TOKEN=***: ", "32", "openssl rand"]),
        (
            "J23 file",
            file("admin_password = \"hunter2\"\n"),
            &["artifact-keeper.toml:1: admin_password = \"***\": ", "openssl rand"],
        ),
        ("J23 example", variable("KEEPER_ADMIN_TOKEN", "changeme-changeme-changeme-changeme"), &["example"]),
    ];
    for (row, start, texts) in rows {
        let row = format!("{row} {texts:?}");
        let serve = start.run();
        serve.refused(&row, 2, texts);
        assert!(!serve.text.contains("hunter2"), "{row}: a secret is shown: {}", serve.text);
        assert!(!start.path("data").exists(), "{row}: the data folder was made");
        // J29: the same is told without a start.
        let checked = start.checked().run();
        checked.refused(&row, 2, texts);
        assert_eq!(checked.text, serve.text, "{row}: config --check");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let start = Start::new()
        .file("lisen = \"x\"\nmax_uploads = -1\n")
        .with("KEEPER_LOG_FORMAT", "xml")
        .with("KEEPER_ADMIN_PASSWORD", "short")
        .arguments(&["--header-timeout", "1"]);
    let ended = start.run();
    let texts = [
        "toml:1: unknown key \"lisen\"",
        "toml:2: max_uploads = -1",
        "KEEPER_LOG_FORMAT=xml",
        "KEEPER_ADMIN_PASSWORD=***",
        "--header-timeout 1: ",
    ];
    ended.refused("J all", 2, &texts);
    assert_eq!(ended.text.lines().count(), texts.len(), "one line each: {}", ended.text);
}

#[test]
fn an_unknown_variable_is_only_warned_of() {
    let ended = Start::new().with("KEEPER_LISTN", "0.0.0.0:1").with("KEEPER_SERVICE_PORT_8080_TCP", "x").run();
    ended.runs(
        "J4",
        &["unknown variable KEEPER_LISTN is ignored; did you mean KEEPER_LISTEN?", "KEEPER_SERVICE_PORT_8080_TCP"],
    );
}

#[test]
fn a_mistyped_command_line_is_answered_with_the_nearest_word() {
    let rows: [(&[&str], &[&str]); 6] = [
        (&["foo"], &["unrecognized subcommand 'foo'", "Usage: artifact-keeper", "--help"]),
        (&["serv"], &["unrecognized subcommand 'serv'", "'serve'", "Usage:"]),
        (&["--prot", "80"], &["unexpected argument '--prot'", "Usage:"]),
        (&["--lisen", "x"], &["unexpected argument '--lisen'", "'--listen'", "Usage:"]),
        (&["token"], &["Usage: artifact-keeper token"]),
        (&["token", "create", "--name", "x"], &["--actions", "--repositories", "Usage:"]),
    ];
    for (arguments, texts) in rows {
        let start = Start::new().arguments(arguments);
        start.run().refused(&format!("J28 {arguments:?}"), 2, texts);
        assert!(!start.path("data").exists(), "J28 {arguments:?}: the data folder was made");
    }
}

#[test]
fn the_configuration_in_effect_is_shown_with_its_sources_and_without_secrets() {
    let start = || {
        Start::new()
            .without("KEEPER_LOG_FORMAT")
            .file("log_format = \"json\"\nmax_uploads = 3\n")
            .with("KEEPER_ADMIN_TOKEN", ADMIN_TOKEN)
            .with("KEEPER_MAX_UPLOADS", "4")
    };
    let shown = start().arguments(&["config", "--max-connections", "5"]).run();
    shown.refused("J29", 0, &["# artifact-keeper.toml:1", "# KEEPER_LISTEN", "# default", "\"***\""]);
    for (line, place) in [
        ("log_format = \"json\"", "artifact-keeper.toml:1"),
        ("max_uploads = 4", "KEEPER_MAX_UPLOADS"),
        ("max_connections = 5", "--max-connections"),
        ("header_timeout = \"10s\"", "default"),
    ] {
        let fits = |text: &&str| text.starts_with(line) && text.ends_with(&format!("# {place}"));
        assert!(shown.text.lines().any(|text| fits(&text)), "J29: no {line} of {place} in: {}", shown.text);
    }
    assert!(!shown.text.contains(ADMIN_TOKEN), "J29: a secret is shown: {}", shown.text);

    let checked = start().arguments(&["config", "--check"]).run();
    checked.refused("J29 check", 0, &[]);
    assert_eq!(checked.text, "", "J29 check");
}
