//! Rules between settings.

use std::time::Duration;

use keeper_core::limits::UPLOAD_TIME;

use super::draft::Draft;
use super::source::{Effective, Source};
use super::{Fault, PublicUrl, StoragePlace};

/// A collector that waits for so long meets no upload under way, whatever its clock does.
const GRACE_OF_UPLOADS: Duration = UPLOAD_TIME.saturating_mul(4);

/// Adds what does not fit together. Called when each value is good by itself.
pub(super) fn combinations(
    draft: &Draft,
    effective: &[Effective],
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<String>,
) {
    let place = |name: &str| {
        let found = effective.iter().find(|effective| effective.setting.name == name);
        found.map_or_else(String::new, Effective::place)
    };
    let mut fault = |name: &str, text: &str| faults.push(Fault::new(format!("{}: {text}", place(name))));

    match (&draft.tls_cert, &draft.tls_key) {
        (Some(_), None) => fault("tls_cert", "tls_cert is set and tls_key is not; set both (or KEEPER_TLS_KEY)"),
        (None, Some(_)) => fault("tls_key", "tls_key is set and tls_cert is not; set both (or KEEPER_TLS_CERT)"),
        _ => {}
    }
    let files = draft.tls_cert.is_some() || draft.tls_key.is_some();
    if files && draft.tls_self_signed {
        fault("tls_self_signed", "tls_self_signed and tls_cert exclude each other; leave one of them out");
    }
    let tls = files || draft.tls_self_signed;
    if tls && draft.config.public_url.as_ref().is_some_and(|url| !url.is_https()) {
        fault("public_url", "public_url begins with http:// while the server speaks https; write https://");
    }
    if draft.config.redirect_listen.is_some() && !tls {
        fault("redirect_listen", "redirect_listen sends on to https, which is not served; set tls_cert and tls_key");
    }
    let bucket = matches!(draft.storage, Some(StoragePlace::Bucket(_)));
    for name in ["s3_endpoint", "s3_region", "s3_path_style"] {
        let given = effective.iter().any(|one| one.setting.name == name && one.source != Source::Default);
        if given && !bucket {
            warnings.push(format!("{} is ignored: storage_url names no bucket (s3://bucket/prefix)", place(name)));
        }
    }
    if draft.config.gc_grace < GRACE_OF_UPLOADS {
        warnings.push(format!(
            "{}: a grace of less than {} hours may collect the files of an upload that takes long; it is refused then, \
             and has to be sent again",
            place("gc_grace"),
            GRACE_OF_UPLOADS.as_secs() / 3_600
        ));
    }
    if reaches_strangers_in_the_clear(draft, tls) {
        warnings.push(format!(
            "{} is reached from other machines over plain http: set tls_cert and tls_key (KEEPER_TLS_CERT, \
             KEEPER_TLS_KEY), or put a proxy in front and name it in trusted_proxies (KEEPER_TRUSTED_PROXIES)",
            draft.config.listen
        ));
    }
    let secret_in_file = |effective: &&Effective| {
        effective.setting.kind == super::settings::Kind::Secret && matches!(effective.source, Source::File { .. })
    };
    if let Some(effective) = effective.iter().find(secret_in_file) {
        warnings.extend(readable_by_others(effective));
    }
}

fn reaches_strangers_in_the_clear(draft: &Draft, tls: bool) -> bool {
    let behind_https = draft.config.public_url.as_ref().is_some_and(PublicUrl::is_https);
    !draft.config.listen.ip().is_loopback() && !tls && draft.config.trusted_proxies.is_empty() && !behind_https
}

fn readable_by_others(effective: &Effective) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let Source::File { path, .. } = &effective.source else { return None };
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let name = effective.setting.name;
    (mode & 0o077 != 0).then(|| format!("{path} holds {name} and can be read by others: chmod 600 {path}"))
}
