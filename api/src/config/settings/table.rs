//! The table of settings.

mod limits;

use std::time::Duration;

use super::{Group, Kind, Setting};
use crate::bootstrap::{passwords, token_text};
use crate::config::first_start::ADMINISTRATOR;
use crate::config::{PublicUrl, Secret, hosts, network, places, value};

const BLANK: Setting = Setting {
    name: "",
    kind: Kind::Text,
    group: Group::Common,
    default: None,
    unset: "",
    example: "",
    help: "",
    read: |_, _| Ok(()),
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Shorter waits would cut off honest clients.
const SHORTEST: Duration = Duration::from_millis(100);

/// All settings, in the order in which they are shown.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    COMMON.iter().chain(limits::LIMITS)
}

/// What most servers set, and what matters at the first start.
static COMMON: &[Setting] = &[
    Setting {
        name: "listen",
        default: Some("127.0.0.1:8080"),
        example: "0.0.0.0:8080",
        help: "Address and port to listen on; port 0 takes a free one and prints it",
        read: |draft, text| value::listen(text).map(|address| draft.config.listen = address),
        ..BLANK
    },
    Setting {
        name: "data_dir",
        default: Some("./keeper-data"),
        example: "/var/lib/artifact-keeper",
        help: "Folder for everything the server keeps; on a local disk",
        read: |draft, text| value::path(text).map(|path| draft.config.data_dir = path),
        ..BLANK
    },
    Setting {
        name: "database_url",
        unset: "SQLite in the data folder",
        example: "sqlite:///var/lib/artifact-keeper/keeper.db",
        help: "The database: sqlite:// and a path, or postgres://user@host/name",
        read: |draft, text| places::database(text).map(|place| draft.database = Some(place)),
        ..BLANK
    },
    Setting {
        name: "storage_url",
        unset: "a folder in the data folder",
        example: "file:///var/lib/artifact-keeper/blobs",
        help: "The stored files: file:/// and a folder on the file system of the data folder, or s3://bucket/prefix",
        read: |draft, text| places::storage(text).map(|place| draft.storage = Some(place)),
        ..BLANK
    },
    Setting {
        name: "s3_endpoint",
        unset: "Amazon's",
        example: "https://minio.example.com:9000",
        help: "The address of the S3-compatible store of storage_url",
        read: |draft, text| places::endpoint(text).map(|address| draft.s3_endpoint = Some(address)),
        ..BLANK
    },
    Setting {
        name: "s3_region",
        unset: "AWS_REGION, else us-east-1",
        example: "eu-central-1",
        help: "The region of the bucket of storage_url",
        read: |draft, text| value::region(text).map(|region| draft.s3_region = Some(region)),
        ..BLANK
    },
    Setting {
        name: "s3_path_style",
        kind: Kind::Switch,
        default: Some("false"),
        example: "true",
        help: "Name the bucket in the path and not in the host name, as many S3-compatible stores need it",
        read: |draft, text| value::switch(text).map(|on| draft.s3_path_style = on),
        ..BLANK
    },
    Setting {
        name: "allow_network_disk",
        kind: Kind::Switch,
        default: Some("false"),
        example: "true",
        help: "Start although the data folder is on a network file system, where locks and fsync may not hold",
        read: |draft, text| value::switch(text).map(|on| draft.config.allow_network_disk = on),
        ..BLANK
    },
    Setting {
        name: "public_url",
        unset: "what the request says",
        example: "https://registry.example.com",
        help: "The address that users type, when it differs from the listening one",
        read: |draft, text| PublicUrl::parse(text).map(|url| draft.config.public_url = Some(url)),
        ..BLANK
    },
    Setting {
        name: "tls_cert",
        unset: "plain http",
        example: "/etc/artifact-keeper/cert.pem",
        help: "PEM file of the certificate with its chain; with tls_key the server speaks https",
        read: |draft, text| value::path(text).map(|path| draft.tls_cert = Some(path)),
        ..BLANK
    },
    Setting {
        name: "tls_key",
        unset: "plain http",
        example: "/etc/artifact-keeper/key.pem",
        help: "PEM file of the private key; not readable by other users",
        read: |draft, text| value::path(text).map(|path| draft.tls_key = Some(path)),
        ..BLANK
    },
    Setting {
        name: "tls_self_signed",
        kind: Kind::Switch,
        default: Some("false"),
        example: "true",
        help: "Make a certificate authority in the data folder and serve https with it, for trying things out",
        read: |draft, text| value::switch(text).map(|on| draft.tls_self_signed = on),
        ..BLANK
    },
    Setting {
        name: "redirect_listen",
        unset: "no second port",
        example: "0.0.0.0:80",
        help: "Address and port where plain http is only sent on to https",
        read: |draft, text| value::listen(text).map(|address| draft.config.redirect_listen = Some(address)),
        ..BLANK
    },
    Setting {
        name: "allow_insecure_http",
        kind: Kind::Switch,
        default: Some("false"),
        example: "true",
        help: "Let people sign in over plain http from other machines, where passwords can be read on the way",
        read: |draft, text| value::switch(text).map(|on| draft.config.allow_insecure_http = on),
        ..BLANK
    },
    Setting {
        name: "max_upload_bytes",
        kind: Kind::Size,
        unset: "the limit of each format",
        example: "200MiB",
        help: "Upper bound of an upload; lowers a format's own limit",
        read: |draft, text| value::size(text).map(|bytes| draft.config.max_upload_bytes = Some(bytes)),
        ..BLANK
    },
    Setting {
        name: "trusted_proxies",
        kind: Kind::List,
        unset: "nobody",
        example: "10.0.0.0/24",
        help: "Networks of reverse proxies whose X-Forwarded headers are believed",
        read: |draft, text| value::list(text, network::proxy).map(|list| draft.config.trusted_proxies = list),
        ..BLANK
    },
    Setting {
        name: "allowed_hosts",
        kind: Kind::List,
        unset: "the loopback names on a loopback address, else any",
        example: "registry.example.com",
        help: "Host names that the server answers to",
        read: |draft, text| value::list(text, hosts::entry).map(|list| draft.allowed_hosts = Some(list)),
        ..BLANK
    },
    Setting {
        name: "network_allow",
        kind: Kind::List,
        unset: "none",
        example: "10.20.0.0/16,git.corp.example",
        help: "Private networks or names that the server itself may connect to",
        read: |draft, text| value::list(text, network::allowed).map(|list| draft.config.network_allow = list),
        ..BLANK
    },
    Setting {
        name: "network_public",
        kind: Kind::Switch,
        default: Some("true"),
        example: "false",
        help: "Whether the server itself may connect to public addresses, or only to those of network_allow",
        read: |draft, text| value::switch(text).map(|on| draft.config.network_public = on),
        ..BLANK
    },
    Setting {
        name: "secrets_key_file",
        unset: "secrets.key in the data folder",
        example: "/etc/artifact-keeper/secrets.key",
        help: "File of the key that secrets at rest are sealed with; made when it is not there",
        read: |draft, text| value::path(text).map(|path| draft.secrets_key = Some(path)),
        ..BLANK
    },
    Setting {
        name: "network_proxy",
        unset: "none; the environment's HTTPS_PROXY is not looked at",
        example: "http://proxy.corp.example:3128",
        help: "The http proxy that the server's own requests go through; it may hold a user and a password",
        read: |draft, text| network::outgoing_proxy(text).map(|url| draft.config.network_proxy = Some(url)),
        ..BLANK
    },
    Setting {
        name: "network_ca_file",
        unset: "the platform's authorities only",
        example: "/etc/artifact-keeper/corporate-ca.pem",
        help: "PEM file of certificate authorities that upstreams may have besides the platform's",
        read: |draft, text| value::path(text).map(|path| draft.config.network_ca_file = Some(path)),
        ..BLANK
    },
    Setting {
        name: "public_documents",
        kind: Kind::Switch,
        default: Some("true"),
        example: "false",
        help: "Whether strangers may read the description of the API, /api/docs and /api/openapi.json",
        read: |draft, text| value::switch(text).map(|on| draft.config.public_documents = on),
        ..BLANK
    },
    Setting {
        name: "password_profile",
        default: Some("standard"),
        example: "high",
        help: "What a password costs to check: standard (19 MiB) or high (64 MiB, five times as long)",
        read: |draft, text| text.parse().map(|profile| draft.config.password_profile = profile),
        ..BLANK
    },
    Setting {
        name: "revoke_exposed_tokens",
        kind: Kind::Switch,
        default: Some("false"),
        example: "true",
        help: "Revoke a token that was sent in an address or unencrypted to redirect_listen, not only refuse it",
        read: |draft, text| value::switch(text).map(|on| draft.config.revoke_exposed_tokens = on),
        ..BLANK
    },
    Setting {
        name: "metrics_network",
        kind: Kind::List,
        unset: "administrators only",
        example: "10.20.0.0/16",
        help: "Networks that may read /metrics without a token",
        read: |draft, text| value::list(text, network::scraper).map(|list| draft.config.metrics_network = list),
        ..BLANK
    },
    Setting {
        name: "log",
        default: Some("info"),
        example: "info,keeper_api=debug",
        help: "What is logged: error, warn, info, debug, trace, or a filter for parts",
        read: |draft, text| value::log_filter(text).map(|filter| draft.config.log = filter),
        ..BLANK
    },
    Setting {
        name: "log_format",
        default: Some("text"),
        example: "json",
        help: "text for people, json for machines",
        read: |draft, text| value::log_format(text).map(|format| draft.config.log_format = format),
        ..BLANK
    },
    Setting {
        name: "admin_password",
        kind: Kind::Secret,
        group: Group::FirstStart,
        unset: "generated and shown once",
        example: "the output of: openssl rand -base64 18",
        help: "Password of the first user, admin: 12 characters or more",
        read: |draft, text| {
            passwords::check(text, ADMINISTRATOR)?;
            draft.config.admin_password = Some(Secret::new(text));
            Ok(())
        },
        ..BLANK
    },
    Setting {
        name: "admin_token",
        kind: Kind::Secret,
        group: Group::FirstStart,
        unset: "none",
        example: "the output of: openssl rand -hex 32",
        help: "A token of the administrator with this very value, for automatic set-up: 32 characters or more",
        read: |draft, text| {
            token_text::check(text)?;
            draft.config.admin_token = Some(Secret::new(text));
            Ok(())
        },
        ..BLANK
    },
    Setting {
        name: "anonymous_read",
        kind: Kind::Switch,
        group: Group::FirstStart,
        unset: "true when only this machine can reach the server",
        example: "false",
        help: "Whether the repositories made at first start can be read without a token",
        read: |draft, text| value::switch(text).map(|on| draft.config.anonymous_read = Some(on)),
        ..BLANK
    },
];
