//! The settings that are bounds, seldom changed.

use std::time::Duration;

use super::{BLANK, HOUR, SHORTEST, YEAR};
use crate::config::settings::{Group, Kind, Setting};
use crate::config::value;

/// Bounds, in the order in which they are shown.
pub(super) static LIMITS: &[Setting] = &[
    Setting {
        name: "shutdown_timeout",
        group: Group::Limits,
        default: Some("30s"),
        example: "90s",
        help: "How long requests in flight may take when the server stops",
        read: |draft, text| {
            value::duration(text, Duration::ZERO..=HOUR).map(|time| draft.config.shutdown_timeout = time)
        },
        ..BLANK
    },
    Setting {
        name: "shutdown_delay",
        group: Group::Limits,
        default: Some("0s"),
        example: "5s",
        help: "How long a server that is to stop still takes requests, so that balancers see that it is not ready",
        read: |draft, text| value::duration(text, Duration::ZERO..=HOUR).map(|time| draft.config.shutdown_delay = time),
        ..BLANK
    },
    Setting {
        name: "header_timeout",
        group: Group::Limits,
        default: Some("10s"),
        example: "10s",
        help: "How long the header of a request may take",
        read: |draft, text| value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.header_timeout = time),
        ..BLANK
    },
    Setting {
        name: "body_grace",
        group: Group::Limits,
        default: Some("30s"),
        example: "30s",
        help: "How long a request body may be slow before its rate counts",
        read: |draft, text| value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.body_grace = time),
        ..BLANK
    },
    Setting {
        name: "body_min_bytes_per_second",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("1024"),
        example: "1024",
        help: "The least rate of a request body after that",
        read: |draft, text| value::number(text, 1..=1 << 30).map(|rate| draft.config.body_min_bytes_per_second = rate),
        ..BLANK
    },
    Setting {
        name: "max_connections",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("4096"),
        example: "4096",
        help: "Connections at once",
        read: |draft, text| value::count(text, 1..=1_000_000).map(|count| draft.config.max_connections = count),
        ..BLANK
    },
    Setting {
        name: "max_connections_per_address",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("256"),
        example: "256",
        help: "Connections at once of one address that is no trusted proxy",
        read: |draft, text| {
            value::count(text, 1..=1_000_000).map(|count| draft.config.max_connections_per_address = count)
        },
        ..BLANK
    },
    Setting {
        name: "max_uploads",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("32"),
        example: "32",
        help: "Uploads at once",
        read: |draft, text| value::count(text, 1..=10_000).map(|count| draft.config.max_uploads = count),
        ..BLANK
    },
    Setting {
        name: "max_uploads_per_credential",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("8"),
        example: "8",
        help: "Uploads at once with one token",
        read: |draft, text| value::count(text, 1..=10_000).map(|count| draft.config.max_uploads_per_credential = count),
        ..BLANK
    },
    Setting {
        name: "max_requests_per_second",
        kind: Kind::Number,
        group: Group::Limits,
        unset: "no limit",
        example: "200",
        help: "Requests in a second with one token or session; more are refused with 429",
        read: |draft, text| {
            value::count(text, 1..=1_000_000).map(|count| draft.config.max_requests_per_second = Some(count))
        },
        ..BLANK
    },
    Setting {
        name: "storage_reserve",
        kind: Kind::Size,
        group: Group::Limits,
        unset: "1 GiB, or 2 % of a disk on which that is less",
        example: "5GiB",
        help: "Space that uploads leave free on the disk, for the database and for deletions",
        read: |draft, text| value::size(text).map(|bytes| draft.config.storage_reserve = Some(bytes)),
        ..BLANK
    },
    Setting {
        name: "max_receiving",
        kind: Kind::Size,
        group: Group::Limits,
        unset: "16 GiB, or half of what is free where that is less",
        example: "4GiB",
        help: "Bytes of all uploads under way together; one that says no length counts as its limit",
        read: |draft, text| value::size(text).map(|bytes| draft.config.max_receiving = Some(bytes)),
        ..BLANK
    },
    Setting {
        name: "gc_period",
        group: Group::Limits,
        default: Some("6h"),
        example: "24h",
        help: "Time between two runs of the collector, which removes files that no version needs",
        read: |draft, text| value::duration(text, SHORTEST..=YEAR).map(|time| draft.config.gc_period = time),
        ..BLANK
    },
    Setting {
        name: "gc_grace",
        group: Group::Limits,
        default: Some("24h"),
        example: "72h",
        help: "No stored file younger than this is collected",
        read: |draft, text| value::duration(text, Duration::ZERO..=YEAR).map(|time| draft.config.gc_grace = time),
        ..BLANK
    },
    Setting {
        name: "gc_unlink_delay",
        group: Group::Limits,
        default: Some("1h"),
        example: "1h",
        help: "How long the bytes of a collected file stay, for downloads under way",
        read: |draft, text| {
            value::duration(text, Duration::ZERO..=YEAR).map(|time| draft.config.gc_unlink_delay = time)
        },
        ..BLANK
    },
    Setting {
        name: "gc_max_percent",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("10"),
        example: "25",
        help: "A run that would collect a larger part of all files or bytes stops until it is confirmed",
        read: |draft, text| {
            value::count(text, 0..=100).map(|percent| {
                draft.config.gc_max_percent = u8::try_from(percent).unwrap_or(100);
            })
        },
        ..BLANK
    },
    Setting {
        name: "gc_unlinks_per_second",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("50"),
        example: "200",
        help: "Files that the collector removes in a second at most",
        read: |draft, text| {
            value::count(text, 1..=100_000).map(|count| {
                draft.config.gc_unlinks_per_second = u32::try_from(count).unwrap_or(u32::MAX);
            })
        },
        ..BLANK
    },
    Setting {
        name: "scrub_rate",
        kind: Kind::Size,
        group: Group::Limits,
        default: Some("8MiB"),
        example: "32MiB",
        help: "Bytes of stored files that are read again in a second, in the background, to find those that rot; 0: none",
        read: |draft, text| {
            let rate = if text == "0" { Ok(0) } else { value::size(text) };
            rate.map(|bytes| draft.config.scrub_rate = bytes)
        },
        ..BLANK
    },
    Setting {
        name: "retention_period",
        group: Group::Limits,
        default: Some("24h"),
        example: "6h",
        help: "Time between two runs of the repositories' retention rules",
        read: |draft, text| value::duration(text, SHORTEST..=YEAR).map(|time| draft.config.retention_period = time),
        ..BLANK
    },
    Setting {
        name: "last_use_period",
        group: Group::Limits,
        default: Some("1h"),
        example: "15m",
        help: "How often the days on which versions were last downloaded are written down",
        read: |draft, text| value::duration(text, SHORTEST..=YEAR).map(|time| draft.config.last_use_period = time),
        ..BLANK
    },
    Setting {
        name: "upstream_connect_timeout",
        group: Group::Limits,
        default: Some("5s"),
        example: "5s",
        help: "How long the connection to an upstream may take",
        read: |draft, text| {
            value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.connect_timeout = time)
        },
        ..BLANK
    },
    Setting {
        name: "upstream_first_byte_timeout",
        group: Group::Limits,
        default: Some("120s"),
        example: "30s",
        help: "How long an upstream may take to begin its answer",
        read: |draft, text| {
            value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.first_byte_timeout = time)
        },
        ..BLANK
    },
    Setting {
        name: "upstream_idle_timeout",
        group: Group::Limits,
        default: Some("60s"),
        example: "30s",
        help: "How long an upstream may send nothing in the middle of an answer",
        read: |draft, text| {
            value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.idle_timeout = time)
        },
        ..BLANK
    },
    Setting {
        name: "upstream_total_timeout",
        group: Group::Limits,
        default: Some("15m"),
        example: "1h",
        help: "How long one answer of an upstream may take as a whole",
        read: |draft, text| {
            value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.total_timeout = time)
        },
        ..BLANK
    },
    Setting {
        name: "upstream_rate_window",
        group: Group::Limits,
        default: Some("30s"),
        example: "30s",
        help: "How long an answer of an upstream may be slower than its least rate",
        read: |draft, text| value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.rate_window = time),
        ..BLANK
    },
    Setting {
        name: "upstream_rest",
        group: Group::Limits,
        default: Some("30s"),
        example: "1m",
        help: "How long an upstream is left alone after five failures within 30 s",
        read: |draft, text| value::duration(text, SHORTEST..=HOUR).map(|time| draft.config.upstream.rest = time),
        ..BLANK
    },
    Setting {
        name: "upstream_min_bytes_per_second",
        kind: Kind::Number,
        group: Group::Limits,
        default: Some("1024"),
        example: "1024",
        help: "The least rate of an upstream's answer",
        read: |draft, text| {
            value::number(text, 1..=1 << 30).map(|rate| draft.config.upstream.min_bytes_per_second = rate)
        },
        ..BLANK
    },
];
