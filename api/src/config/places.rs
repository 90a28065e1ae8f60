//! Where the database and the stored files are.
//!
//! Shape: `sqlite:///var/lib/keeper/keeper.db` or `postgres://keeper:…@db.example/keeper`; `file:///var/lib/keeper/blobs`
//! or `s3://bucket/prefix`. A password in an address is never shown.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use url::Url;

use super::{Secret, value};

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabasePlace {
    /// A file of SQLite.
    File(PathBuf),
    /// A server of PostgreSQL, by its address with whatever password is in it.
    Server(Secret),
}

impl DatabasePlace {
    /// The address as the store takes it.
    #[must_use]
    pub fn address(&self) -> String {
        const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');
        match self {
            Self::File(file) => {
                let path = percent_encode(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()), ESCAPED);
                format!("sqlite://{path}?mode=rwc")
            }
            Self::Server(address) => address.reveal().to_owned(),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Server(_) => None,
        }
    }

    /// Whether it is a file that is not there: no server has been started on it. Of a database elsewhere nothing is
    /// known before it is asked.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.file().is_some_and(|file| !file.exists())
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "sqlite",
            Self::Server(_) => "postgres",
        }
    }
}

/// Where the stored files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoragePlace {
    /// A folder; the blob store makes its own folders in it.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store.
    Bucket(Bucket),
}

impl StoragePlace {
    /// The folder, if it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }

    /// `disk` or `s3`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Folder(_) => "disk",
            Self::Bucket(_) => "s3",
        }
    }
}

/// A bucket and how it is reached; credentials are the standard variables `AWS_…`, or those of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all keys begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// Another store than Amazon's, `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Whether the bucket is named in the path and not in the host name.
    pub path_style: bool,
}

/// What `database_url` says.
pub(super) fn database(text: &str) -> Result<DatabasePlace, String> {
    let (scheme, rest) = text.split_once("://").ok_or("expected sqlite:// and a path, or postgres://")?;
    match scheme {
        "sqlite" => {}
        "postgres" | "postgresql" => return server(text),
        _ => return Err(format!("{scheme:?} is no database that is known here; expected sqlite:// or postgres://")),
    }
    if rest.contains(['?', '#']) {
        return Err("a sqlite URL takes no parameters here".to_owned());
    }
    decoded_path(rest).map(DatabasePlace::File)
}

fn server(text: &str) -> Result<DatabasePlace, String> {
    let url = Url::parse(text).map_err(|error| format!("this is no address: {error}"))?;
    let given = |name: &str| url.query_pairs().any(|(key, value)| key == name && !value.is_empty());
    if given("password") {
        return Err("the password goes before the host (user:password@), or into PGPASSWORD".to_owned());
    }
    if url.path().trim_matches('/').is_empty() && !given("dbname") {
        return Err("the name of a database is missing: postgres://user@host/name".to_owned());
    }
    Ok(DatabasePlace::Server(Secret::new(text)))
}

/// What `storage_url` says.
pub(super) fn storage(text: &str) -> Result<StoragePlace, String> {
    let (scheme, rest) = text.split_once("://").ok_or("expected file:/// and a folder, or s3:// and a bucket")?;
    match scheme {
        "file" => {}
        "s3" => return bucket(rest).map(StoragePlace::Bucket),
        _ => return Err(format!("{scheme:?} is no storage that is known here; expected file:/// or s3://")),
    }
    if !rest.starts_with('/') {
        return Err("the folder must be absolute: file:/// with three slashes".to_owned());
    }
    decoded_path(rest).map(StoragePlace::Folder)
}

fn bucket(rest: &str) -> Result<Bucket, String> {
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !(3..=63).contains(&name.len()) || !name.bytes().all(plain) {
        return Err("a bucket's name has 3 to 63 small letters, digits, '-' and '.'".to_owned());
    }
    let prefix = prefix.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let whole = |part: &str| !part.is_empty() && !part.bytes().all(|byte| byte == b'.');
    if !prefix.is_empty() && (!prefix.bytes().all(plain) || !prefix.split('/').all(whole)) {
        return Err("a prefix is letters, digits, '-', '_', '.' and single slashes: s3://bucket/prefix".to_owned());
    }
    Ok(Bucket { name: name.to_owned(), prefix: prefix.to_owned(), ..Bucket::default() })
}

/// The address of a store, without a path.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("this is no address: {error}"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "http" | "https") || !plain || url.path() != "/" || url.fragment().is_some() {
        return Err("expected http:// or https:// and a host".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn decoded_path(text: &str) -> Result<PathBuf, String> {
    let bytes = text.as_bytes();
    let escape_is_whole =
        |(at, _): (usize, _)| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !text.match_indices('%').all(escape_is_whole) {
        return Err("'%' must be followed by two hexadecimal digits; a '%' in a name is %25".to_owned());
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "the path is not UTF-8".to_owned())?;
    value::path(&decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_file_or_a_server() {
        let rows = [
            ("sqlite:///var/lib/keeper.db", Some("/var/lib/keeper.db")),
            ("sqlite://keeper.db", Some("keeper.db")),
            ("sqlite:///a%20b.db", Some("/a b.db")),
            ("sqlite:///a%2", None),
            ("sqlite:///a%zz", None),
            ("sqlite://", None),
            ("sqlite::memory:", None),
            ("sqlite:///a?mode=ro", None),
            ("mysql://h/d", None),
            ("keeper.db", None),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|path| DatabasePlace::File(PathBuf::from(path)));
            assert_eq!(database(text).ok(), expected, "{text}");
        }
        for good in [
            "postgres://u:p@h:5432/d?sslmode=require",
            "postgresql:///d?host=/run/postgresql",
            "postgres://h/?dbname=d",
        ] {
            let place = database(good).expect(good);
            assert!(place.file().is_none() && place.address() == good, "{good}");
            assert!(!format!("{place:?}").contains("h:5432"), "it is not shown");
        }
        for bad in ["postgres://h", "postgres://h/", "postgres://h/d?password=p", "postgres://h:x/d"] {
            assert!(database(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_escaped_as_it_was_written() {
        let place = database("sqlite:///a%20b%25.db").expect("a place");
        assert_eq!(place.address(), "sqlite:///a%20b%25.db?mode=rwc");
    }

    #[test]
    fn files_are_in_a_folder_or_a_bucket() {
        for (text, expected) in [("file:///a/b", Some("/a/b")), ("file://a", None), ("/a", None)] {
            let expected = expected.map(|path| StoragePlace::Folder(PathBuf::from(path)));
            assert_eq!(storage(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("s3://keeper", Some(("keeper", ""))),
            ("s3://keeper.files/", Some(("keeper.files", ""))),
            ("s3://keeper/a/b-1", Some(("keeper", "a/b-1"))),
            ("s3://k", None),
            ("s3://Keeper", None),
            ("s3://keeper/a//b", None),
            ("s3://keeper/../b", None),
            ("s3://keeper/a b", None),
            ("s3://", None),
        ] {
            let found = storage(text).ok().and_then(|place| match place {
                StoragePlace::Bucket(bucket) => Some((bucket.name, bucket.prefix)),
                StoragePlace::Folder(_) => None,
            });
            let expected = expected.map(|(name, prefix)| (name.to_owned(), prefix.to_owned()));
            assert_eq!(found, expected, "{text}");
        }
        for (text, good) in
            [("https://minio.example:9000", true), ("http://127.0.0.1:9/", true), ("https://h/p", false)]
        {
            assert_eq!(endpoint(text).is_ok(), good, "{text}");
        }
        for bad in ["ftp://h", "minio:9000", "https://u:p@h", "https://h?x=1"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
