//! The sources together.

use std::io::Write;

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

struct Case {
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    flags: &'static [(&'static str, &'static str)],
}

const NOTHING: Case = Case { file: "", environment: &[], flags: &[] };

/// Loads a case with a file of its own; the path of the file is shown as `FILE`.
fn load(case: &Case) -> Result<Loaded, Vec<String>> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(case.file.as_bytes()).expect("written");
    let flags = case.flags.iter().fold(Overrides::default(), |flags, (name, text)| flags.with(name, *text));
    let environment = case.environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let path = file.path().display().to_string();
    let show = |fault: &Fault| fault.to_string().replace(&path, "FILE");
    Config::load(&flags, environment, Some(file.path())).map_err(|faults| faults.iter().map(show).collect())
}

fn from_environment(environment: &'static [(&'static str, &'static str)]) -> Result<Loaded, Vec<String>> {
    load(&Case { environment, ..NOTHING })
}

#[test]
fn nothing_needs_to_be_set() {
    let Loaded { config, warnings, .. } = load(&NOTHING).expect("no faults");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.file(), Some(Path::new("./keeper-data/keeper.db")));
    assert_eq!(config.storage.folder(), Some(Path::new("./keeper-data/blobs")));
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!((config.max_connections, config.max_connections_per_address, config.max_uploads), (4096, 256, 32));
    assert_eq!((config.body_min_bytes_per_second, config.header_timeout.as_secs()), (1024, 10));
    assert!(config.tls.is_none() && config.first_repositories_are_open() && warnings.is_empty());
}

#[test]
fn a_later_source_wins() {
    let case = Case {
        file: "listen = \"127.0.0.1:1\"\nlog = \"warn\"\nlog_format = \"json\"",
        environment: &[("KEEPER_LISTEN", "127.0.0.1:2"), ("KEEPER_LOG", "debug")],
        flags: &[("listen", "127.0.0.1:3")],
    };
    let loaded = load(&case).expect("no faults");
    assert_eq!((loaded.config.listen.port(), loaded.config.log.as_str()), (3, "debug"));
    assert_eq!(loaded.config.log_format, LogFormat::Json);
    let place = |name: &str| {
        let found = loaded.effective.iter().find(|effective| effective.setting.name == name);
        found.expect(name).place().rsplit('/').next().map(str::to_owned)
    };
    assert_eq!(place("listen").as_deref(), Some("--listen"));
    assert_eq!(place("log").as_deref(), Some("KEEPER_LOG"));
    assert!(place("log_format").expect("a file").ends_with(":3"));
    assert_eq!(place("data_dir").as_deref(), Some("default"));
}

#[test]
fn all_faults_are_told_at_once_with_place_rule_and_example() {
    let case = Case {
        file: "listen = \"127.0.0.1:80800\"\nlisen = 1\nmax_upload_bytes = -5",
        environment: &[("KEEPER_SHUTDOWN_TIMEOUT", "5 minuts"), ("KEEPER_ADMIN_PASSWORD", "short")],
        flags: &[("trusted_proxies", "*")],
    };
    let expected = [
        "FILE:2: unknown key \"lisen\"; did you mean listen?",
        "FILE:1: listen = \"127.0.0.1:80800\": the port must be 0–65535; for example listen = \"0.0.0.0:8080\" (or KEEPER_LISTEN)",
        "FILE:3: max_upload_bytes = -5: expected a number of bytes, or a number with KiB, MiB, GiB or TiB; for example max_upload_bytes = \"200MiB\" (or KEEPER_MAX_UPLOAD_BYTES)",
        "KEEPER_ADMIN_PASSWORD=***: a password has at least 12 characters; for example KEEPER_ADMIN_PASSWORD=… (the output of: openssl rand -base64 18)",
        "KEEPER_SHUTDOWN_TIMEOUT=5 minuts: expected a number with ms, s, m or h; for example KEEPER_SHUTDOWN_TIMEOUT=90s",
        "--trusted-proxies *: this would believe everybody; name the addresses of the proxies; for example --trusted-proxies 10.0.0.0/24",
    ];
    assert_eq!(load(&case).expect_err("faults"), expected);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let rows: &[(Pairs<'static>, &str)] = &[
        (&[("KEEPER_TLS_CERT", "c.pem")], "KEEPER_TLS_CERT: tls_cert is set and tls_key is not"),
        (&[("KEEPER_TLS_KEY", "k.pem")], "KEEPER_TLS_KEY: tls_key is set and tls_cert is not"),
        (
            &[("KEEPER_TLS_CERT", "c"), ("KEEPER_TLS_KEY", "k"), ("KEEPER_TLS_SELF_SIGNED", "true")],
            "KEEPER_TLS_SELF_SIGNED: tls_self_signed and tls_cert exclude",
        ),
        (
            &[("KEEPER_TLS_SELF_SIGNED", "true"), ("KEEPER_PUBLIC_URL", "http://h")],
            "KEEPER_PUBLIC_URL: public_url begins with http://",
        ),
        (&[("KEEPER_PUBLIC_URL", "https://h?x=1")], "KEEPER_PUBLIC_URL=https://h?x=1: the public address has no query"),
        (
            &[("KEEPER_DATABASE_URL", "postgres://u:hunter2@h/")],
            "KEEPER_DATABASE_URL=postgres://u:***@h/: the name of a database is missing",
        ),
        (&[("KEEPER_STORAGE_URL", "s3://b")], "KEEPER_STORAGE_URL=s3://b: a bucket's name has 3 to 63"),
        (&[("KEEPER_ADMIN_TOKEN", "changeme")], "KEEPER_ADMIN_TOKEN=***: "),
        (&[("KEEPER_LOG", "a=b=c")], "KEEPER_LOG=a=b=c: expected error, warn"),
    ];
    for (environment, start) in rows {
        let faults = from_environment(environment).expect_err(start);
        assert!(faults.len() == 1 && faults[0].starts_with(start), "{start}: {faults:?}");
    }
}

#[test]
fn an_unknown_or_empty_variable_is_only_warned_of() {
    let loaded =
        from_environment(&[("KEEPER_LISTN", "x"), ("KEEPER_PORT_80_TCP", "x"), ("KEEPER_LOG", ""), ("HOME", "")]);
    let expected = [
        "unknown variable KEEPER_LISTN is ignored; did you mean KEEPER_LISTEN?",
        "KEEPER_LOG is empty and counts as not set",
        "unknown variable KEEPER_PORT_80_TCP is ignored",
    ];
    let mut warnings = loaded.expect("no faults").warnings;
    warnings.sort_by_key(|warning| expected.iter().position(|expected| expected == warning));
    assert_eq!(warnings, expected);
}

#[test]
fn plain_http_for_other_machines_is_warned_of() {
    let rows: &[(Pairs<'static>, bool)] = &[
        (&[("KEEPER_LISTEN", "0.0.0.0:8080")], true),
        (&[("KEEPER_LISTEN", "0.0.0.0:8080"), ("KEEPER_TRUSTED_PROXIES", "10.0.0.1")], false),
        (&[("KEEPER_LISTEN", "0.0.0.0:8080"), ("KEEPER_TLS_SELF_SIGNED", "true")], false),
        (&[("KEEPER_LISTEN", "[::1]:8080")], false),
    ];
    for (environment, warned) in rows {
        let warnings = from_environment(environment).expect("no faults").warnings;
        assert_eq!(!warnings.is_empty(), *warned, "{environment:?}");
    }
}

#[test]
fn first_repositories_are_open_only_where_nobody_else_can_reach_them() {
    let rows: &[(Pairs<'static>, bool)] = &[
        (&[], true),
        (&[("KEEPER_LISTEN", "[::1]:8080")], true),
        (&[("KEEPER_LISTEN", "0.0.0.0:8080")], false),
        (&[("KEEPER_PUBLIC_URL", "https://h")], false),
        (&[("KEEPER_ALLOWED_HOSTS", "localhost")], false),
        (&[("KEEPER_TRUSTED_PROXIES", "127.0.0.1")], false),
        (&[("KEEPER_LISTEN", "0.0.0.0:8080"), ("KEEPER_ANONYMOUS_READ", "true")], true),
        (&[("KEEPER_ANONYMOUS_READ", "false")], false),
    ];
    for (environment, open) in rows {
        let config = from_environment(environment).expect("no faults").config;
        assert_eq!(config.first_repositories_are_open(), *open, "{environment:?}");
    }
}

#[test]
fn the_report_is_a_usable_file_and_masks_secrets() {
    let case = Case {
        file: "admin_password = \"long enough for this\"",
        environment: &[
            ("KEEPER_ADMIN_TOKEN", "c0ffee1234deadbeef5678badcab1e90ab"),
            ("KEEPER_TRUSTED_PROXIES", "10.0.0.1, 10.0.1.0/24"),
            ("KEEPER_MAX_UPLOAD_BYTES", "5MiB"),
        ],
        flags: &[],
    };
    let loaded = load(&case).expect("no faults");
    let report = report::effective(&loaded);
    assert!(report.contains("admin_password = \"***\"") && report.contains("admin_token = \"***\""), "{report}");
    assert!(report.contains("trusted_proxies = [\"10.0.0.1\", \"10.0.1.0/24\"]"), "{report}");
    assert!(!report.contains("long enough") && !report.contains("c0ffee"), "{report}");
    assert!(!format!("{loaded:?}").contains("long enough"), "Debug hides it too");
    let without_secrets: String =
        report.lines().filter(|line| !line.contains("***")).fold(String::new(), |a, b| a + b + "\n");
    let again = Config::load(&Overrides::default(), std::iter::empty(), Some(write(&without_secrets).path()));
    assert_eq!(again.expect("no faults").config.max_upload_bytes, Some(5 << 20));
}

fn write(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

#[test]
fn a_named_file_must_be_there() {
    for path in ["/nonexistent/k.toml", "/"] {
        let faults = Config::load(&Overrides::default(), std::iter::empty(), Some(Path::new(path))).expect_err(path);
        assert!(faults[0].to_string().starts_with("cannot read configuration file /"), "{faults:?}");
    }
}

#[test]
fn the_address_for_people_can_be_typed() {
    let rows: &[(Pairs<'static>, &str, &str)] = &[
        (&[], "127.0.0.1:8080", "http://localhost:8080"),
        (&[("KEEPER_TLS_SELF_SIGNED", "true")], "0.0.0.0:8443", "https://localhost:8443"),
        (&[], "[::1]:80", "http://[::1]:80"),
        (&[("KEEPER_PUBLIC_URL", "https://keep.example")], "127.0.0.1:8080", "https://keep.example"),
    ];
    for (environment, bound, shown) in rows {
        let config = from_environment(environment).expect("no faults").config;
        assert_eq!(config.address_for_people(bound.parse().expect(bound)), *shown);
    }
}
