//! Single values: texts in, typed values out, or the rule they break.
//!
//! Units: sizes are bytes (`1048576`) or `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024; `mb` is refused, for
//! nobody knows which it means); durations need a unit: `500ms`, `30s`, `5m`, `1h`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::LogFormat;

type Read<T> = Result<T, String>;

/// `host:port` of an address of this machine; `localhost` is 127.0.0.1.
pub(super) fn listen(text: &str) -> Read<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or("an address and a port are needed")?;
    let port = match port.parse::<u16>() {
        Ok(port) => port,
        Err(_) if port.ends_with(']') => return Err("an address and a port are needed".to_owned()),
        Err(_) => return Err("the port must be 0–65535".to_owned()),
    };
    match host {
        "localhost" => Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        "" => Err("the address is missing; 0.0.0.0 means all interfaces".to_owned()),
        "*" => Err("all interfaces are written 0.0.0.0 or [::]".to_owned()),
        _ if host.parse::<IpAddr>().is_ok() => Err("an IPv6 address needs brackets".to_owned()),
        _ => Err("an IP address of this machine is needed, not a name".to_owned()),
    }
}

/// A path of this machine.
pub(super) fn path(text: &str) -> Read<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return Err("a path is needed".to_owned());
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("the path is not UTF-8".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// The name of a region.
pub(super) fn region(text: &str) -> Read<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let good = !text.is_empty() && text.len() <= 63 && text.bytes().all(plain);
    good.then(|| text.to_owned()).ok_or_else(|| "expected letters, digits and '-'".to_owned())
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Read<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn number(text: &str, within: RangeInclusive<u64>) -> Read<u64> {
    let number = digits(text).filter(|number| within.contains(number));
    number.ok_or_else(|| format!("expected a whole number from {} to {}", within.start(), within.end()))
}

/// A whole number within bounds, for counting things in memory.
pub(super) fn count(text: &str, within: RangeInclusive<u64>) -> Read<usize> {
    number(text, within).and_then(|number| usize::try_from(number).map_err(|error| error.to_string()))
}

/// A size in bytes, at least 1.
pub(crate) fn size(text: &str) -> Read<u64> {
    let rule = || "expected a number of bytes, or a number with KiB, MiB, GiB or TiB".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(rule()),
    };
    let bytes = digits(number).ok_or_else(rule)?.checked_mul(1 << shift);
    bytes
        .filter(|bytes| (1..=i64::MAX as u64).contains(bytes))
        .ok_or_else(|| "expected 1 byte to 8388607TiB".to_owned())
}

/// A duration within bounds.
pub(super) fn duration(text: &str, within: RangeInclusive<Duration>) -> Read<Duration> {
    let rule = || "expected a number with ms, s, m or h".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(rule)?;
    let (number, unit) = text.split_at(at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(rule()),
    };
    let duration = digits(number).ok_or_else(rule)?.checked_mul(unit_ms).map(Duration::from_millis);
    let bounds = || format!("expected {:?} to {:?}", within.start(), within.end());
    duration.filter(|duration| within.contains(duration)).ok_or_else(bounds)
}

/// Digits and nothing else: `parse` alone would take `+5`.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The entries of a list, each read by `entry`; commas and spaces around them separate.
pub(super) fn list<T>(text: &str, entry: impl Fn(&str) -> Read<T>) -> Read<Vec<T>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|part| entry(part.trim())).collect()
}

/// A tracing filter.
pub(super) fn log_filter(text: &str) -> Read<String> {
    let known = text.parse::<tracing_subscriber::EnvFilter>();
    known.map(|_| text.to_owned()).map_err(|_| "expected error, warn, info, debug, trace, or a filter".to_owned())
}

/// How log lines look.
pub(super) fn log_format(text: &str) -> Read<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_name_their_unit_exactly() {
        let rows = [
            ("500MiB", Some(500 << 20)),
            ("1", Some(1)),
            ("2KiB", Some(2048)),
            ("1TiB", Some(1 << 40)),
            ("0", None),
            ("500mb", None),
            ("500MB", None),
            ("10G B", None),
            ("10 GiB", None),
            ("-1", None),
            ("+1", None),
            ("MiB", None),
            ("1.5GiB", None),
            ("99999999999999999999", None),
            ("8388608TiB", None),
        ];
        for (text, expected) in rows {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_keep_their_bounds() {
        let within = Duration::from_millis(100)..=Duration::from_secs(3600);
        let rows = [
            ("5m", Some(300_000)),
            ("90s", Some(90_000)),
            ("100ms", Some(100)),
            ("1h", Some(3_600_000)),
            ("99ms", None),
            ("2h", None),
            ("5 minuts", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("99999999999999999999h", None),
        ];
        for (text, expected) in rows {
            let expected: Option<u64> = expected;
            assert_eq!(duration(text, within.clone()).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_bad_listener_is_told_what_is_wrong_with_it() {
        for good in ["127.0.0.1:0", "0.0.0.0:8080", "[::]:8080", "localhost:8080"] {
            assert!(listen(good).is_ok(), "{good}");
        }
        let rows = [
            ("127.0.0.1:80800", "the port must be 0–65535"),
            ("127.0.0.1:", "the port must be 0–65535"),
            ("127.0.0.1", "an address and a port are needed"),
            ("[::1]", "an address and a port are needed"),
            (":8080", "the address is missing; 0.0.0.0 means all interfaces"),
            ("*:8080", "all interfaces are written 0.0.0.0 or [::]"),
            ("::1:8080", "an IPv6 address needs brackets"),
            ("registry.example:8080", "an IP address of this machine is needed, not a name"),
        ];
        for (text, rule) in rows {
            assert_eq!(listen(text), Err(rule.to_owned()), "{text}");
        }
    }
}
