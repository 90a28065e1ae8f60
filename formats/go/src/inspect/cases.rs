//! Uploads and what becomes of them, as text: the files of `testdata/`.
//!
//! ```text
//! == what is shown              a case; name is ex.com/m and version v1.0.0 unless said
//! version v1.0                  claim and archive: name, version (`-` for none), label, fork, origin, comment,
//!                               before, after, count, disk, zip64, cut (bytes off the end), raw (no zip at all), twice
//! -- m@v1.0.0/a.go [link] --    an entry: its name, with \n, \0, \xFF, \x20, \u{65e5}; what is special about it
//! package a                     its content
//! =>                            the verdict:
//! refused CODE CODE             all problems, in order
//! at ex.com/m v1.0.0            or: name and version,
//! h1 h1:…   go.mod h1:…         the hashes,
//! kept a.go b.go                the files of the canonical zip,
//! warn CODE   silent CODE       warnings that are and are not there,
//! says TEXT                     a piece of the first problem, the warnings or the metadata,
//! info TEXT                     the bytes of .info
//! ```

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};

use jiff::Timestamp;
use keeper_core::error::Failure;
use keeper_core::format::{Claim, FileSink, InspectError, Inspection, NewFile};
use keeper_core::repository::Settings;
use zip::ZipArchive;

use super::inspect;
use super::raw_zip::{LINK, RawEntry, RawZip};

const TEXTS: [(&str, &str); 6] = [
    ("archives", include_str!("../../testdata/archives.txt")),
    ("names", include_str!("../../testdata/names.txt")),
    ("roots", include_str!("../../testdata/roots.txt")),
    ("files", include_str!("../../testdata/files.txt")),
    ("go_mod", include_str!("../../testdata/go_mod.txt")),
    ("provenance", include_str!("../../testdata/provenance.txt")),
];

/// 2024-06-01T12:00:00Z, when all uploads of the tests come.
const RECEIVED_AT_S: i64 = 1_717_243_200;

#[derive(Clone, Debug, Default)]
pub(super) struct Upload {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) origin_url: Option<String>,
    pub(super) fields: BTreeMap<String, String>,
}

impl Upload {
    pub(super) fn usual() -> Self {
        Self { name: Some("ex.com/m".to_owned()), version: Some("v1.0.0".to_owned()), ..Self::default() }
    }

    pub(super) fn inspect(&self, bytes: &[u8]) -> Result<(Inspection, Sink), Failure> {
        let settings = Settings::default();
        let claim = self.claim(&settings, bytes.len() as u64);
        let mut sink = Sink::default();
        match inspect(&claim, &mut Cursor::new(bytes), &mut sink) {
            Ok(inspection) => Ok((inspection, sink)),
            Err(InspectError::Refused(failure)) => Err(failure),
            Err(fault) => panic!("memory does not fail: {fault:?}"),
        }
    }

    pub(super) fn claim<'a>(&'a self, settings: &'a Settings, size: u64) -> Claim<'a> {
        Claim {
            name: self.name.as_deref(),
            version: self.version.as_deref(),
            labels: &self.labels,
            origin_url: self.origin_url.as_deref(),
            origin_ref: None,
            fields: &self.fields,
            received_at: Timestamp::from_second(RECEIVED_AT_S).expect("a time"),
            size,
            settings,
            upstream: None,
        }
    }
}

/// Keeps what is written.
#[derive(Debug, Default)]
pub(super) struct Sink(Vec<(NewFile, Vec<u8>)>);

impl FileSink for Sink {
    fn keep(&mut self, file: NewFile) -> io::Result<()> {
        self.create(file).map(drop)
    }

    fn create(&mut self, file: NewFile) -> io::Result<&mut dyn Write> {
        self.0.push((file, Vec::new()));
        Ok(&mut self.0.last_mut().expect("just pushed").1)
    }
}

impl Sink {
    pub(super) fn file(&self, extension: &str) -> &[u8] {
        let found = self.0.iter().find(|(file, _)| file.name.ends_with(extension));
        &found.expect("all three files are written").1
    }

    /// The names in the canonical zip, without `module@version/`, and what it holds beside.
    pub(super) fn kept(&self) -> Vec<String> {
        let mut zip = ZipArchive::new(Cursor::new(self.file(".zip"))).expect("a zip");
        assert!(zip.comment().is_empty() && zip.validate_header_consistency().is_ok());
        let name = |number| zip.by_index_data(number).expect("an entry").name().expect("UTF-8").into_owned();
        let relative = |name: String| {
            name.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a root").1.to_owned()
        };
        (0..zip.len()).map(name).map(relative).collect()
    }
}

struct Case {
    upload: Upload,
    zip: RawZip,
    raw: Option<Vec<u8>>,
    cut: usize,
    is_twice: bool,
    verdict: Vec<(String, String)>,
}

impl Case {
    fn read(text: &str) -> Self {
        let (given, verdict) = text.split_once("=>\n").expect("a verdict");
        let verdict = verdict.lines().map(word).map(|(verb, rest)| (verb.to_owned(), rest.to_owned())).collect();
        let mut case =
            Self { upload: Upload::usual(), zip: RawZip::default(), raw: None, cut: 0, is_twice: false, verdict };
        let mut content = None;
        for line in given.lines() {
            if let Some(head) = line.strip_prefix("-- ").and_then(|head| head.strip_suffix(" --")) {
                case.zip.entries.extend(content.take().map(Content::entry));
                content = Some(Content::read(head));
            } else if let Some(content) = &mut content {
                content.text.push_str(line);
                content.text.push('\n');
            } else {
                case.setting(line);
            }
        }
        case.zip.entries.extend(content.take().map(Content::entry));
        case
    }

    fn setting(&mut self, line: &str) {
        let (verb, rest) = word(line);
        let some = || Some(rest.to_owned()).filter(|text| text != "-");
        match verb {
            "name" => self.upload.name = some(),
            "version" => self.upload.version = some(),
            "label" => self.upload.labels.push(rest.to_owned()),
            "fork" => drop(self.upload.fields.insert("fork".to_owned(), "true".to_owned())),
            "origin" => self.upload.origin_url = some(),
            "comment" => self.zip.comment = unescape(rest),
            "before" => self.zip.before = unescape(rest),
            "after" => self.zip.after = unescape(rest),
            "count" => self.zip.count = rest.parse().ok(),
            "disk" => self.zip.disk = rest.parse().expect("a number"),
            "zip64" => self.zip.is_zip64 = true,
            "cut" => self.cut = rest.parse().expect("a number"),
            "raw" => self.raw = Some(unescape(rest)),
            "twice" => self.is_twice = true,
            _ => panic!("unknown setting {line:?}"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.raw.clone().unwrap_or_else(|| self.zip.bytes());
        if self.is_twice {
            bytes.extend_from_within(..);
        }
        bytes.truncate(bytes.len() - self.cut);
        bytes
    }

    fn check(&self, title: &str) {
        let result = self.upload.inspect(&self.bytes());
        let found = match &result {
            Ok((inspection, _)) => format!("accepted {} {:?}", inspection.coordinate, inspection.warnings),
            Err(failure) => failure.problems().map(|problem| format!("\n{problem} {problem:?}")).collect(),
        };
        let refused = result
            .as_ref()
            .err()
            .map(|failure| failure.problems().map(|problem| problem.code.name).collect::<Vec<_>>());
        let wanted =
            self.verdict.iter().find(|(verb, _)| verb == "refused").map(|(_, codes)| codes.split(' ').collect());
        assert_eq!(refused, wanted, "{title}: {found}");
        for (verb, rest) in &self.verdict {
            match (&result, verb.as_str()) {
                (_, "refused") => {}
                (Err(failure), "says") => assert!(failure.first().detail.contains(rest), "{title}: {found}"),
                (Ok((inspection, sink)), verb) => check_accepted(inspection, sink, verb, rest, title),
                _ => panic!("{title}: {verb} of a refused upload"),
            }
        }
    }
}

fn check_accepted(inspection: &Inspection, sink: &Sink, verb: &str, rest: &str, title: &str) {
    let has = |code: &str| inspection.warnings.iter().any(|warning| warning.code == code);
    let coordinate = &inspection.coordinate;
    match verb {
        "ok" => {}
        "at" => assert_eq!(format!("{} {}", coordinate.package, coordinate.version), rest, "{title}"),
        "h1" => assert_eq!(inspection.checksums["h1"], rest, "{title}"),
        "go.mod" => assert_eq!(inspection.checksums["go.mod h1"], rest, "{title}"),
        "kept" => assert_eq!(sink.kept().join(" "), rest, "{title}"),
        "info" => assert_eq!(String::from_utf8_lossy(sink.file(".info")), rest, "{title}"),
        "mod" => assert_eq!(sink.file(".mod").escape_ascii().to_string(), rest, "{title}"),
        "warn" => {
            rest.split(' ').for_each(|code| assert!(has(code), "{title}: no {code} in {:?}", inspection.warnings))
        }
        "silent" => rest.split(' ').for_each(|code| assert!(!has(code), "{title}: {:?}", inspection.warnings)),
        "says" => {
            let all = format!("{} {:?} {:?}", inspection.metadata, inspection.warnings, inspection.labels);
            assert!(all.contains(rest), "{title}: {all}");
        }
        _ => panic!("{title}: unknown verdict {verb}"),
    }
}

/// An entry as text.
struct Content {
    entry: RawEntry,
    text: String,
    is_crlf: bool,
    is_bare: bool,
}

impl Content {
    fn read(head: &str) -> Self {
        let (name, special) = match head.strip_suffix(']').and_then(|head| head.rsplit_once(" [")) {
            Some((name, special)) => (name, special),
            None => (head, ""),
        };
        let entry = RawEntry::new(unescape(name), Vec::new());
        let mut content = Self { entry, text: String::new(), is_crlf: false, is_bare: false };
        special.split_whitespace().for_each(|special| content.special(special));
        content
    }

    fn special(&mut self, special: &str) {
        let (key, value) = special.split_once('=').unwrap_or((special, ""));
        let number = || value.parse::<i64>().expect("a number");
        let entry = &mut self.entry;
        match key {
            "link" => entry.mode = LINK,
            "mode" => entry.mode = u32::from_str_radix(value, 8).expect("an octal number"),
            "system" => entry.system = number() as u8,
            "attributes" => entry.dos_attributes = number() as u32,
            "deflated" => entry.is_deflated = true,
            "descriptor" => entry.has_descriptor = true,
            "zip64" => entry.is_zip64 = true,
            "method" => entry.method = Some(number() as u16),
            "flags" => entry.flags = number() as u16,
            "utc" => entry.utc_s = Some(number() as i32),
            "dos" => entry.dos_time = number() as u32,
            "crc" => entry.crc = Some(number() as u32),
            "size" => entry.size = Some(number() as u64),
            "offset" => entry.offset = Some(number() as u64),
            "local" => entry.local_name = Some(unescape(value)),
            "zeros" => entry.data = vec![0; number() as usize],
            "bom" => self.text.insert(0, '\u{feff}'),
            "crlf" => self.is_crlf = true,
            "bare" => self.is_bare = true,
            _ => panic!("unknown {special}"),
        }
    }

    fn entry(self) -> RawEntry {
        let text = if self.is_crlf { self.text.replace('\n', "\r\n") } else { self.text };
        let text = if self.is_bare { text.trim_end_matches('\n') } else { &text };
        let mut entry = self.entry;
        entry.data.extend(text.as_bytes());
        entry
    }
}

fn word(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or((line, ""))
}

/// Bytes from text with `\n`, `\t`, `\0`, `\\`, `\xFF`, `\u{65e5}`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "0" => bytes.push(0),
            "x" => {
                bytes.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
                rest = &after[2..];
            }
            "u" => {
                let (digits, after) = after[1..].split_once('}').expect("a brace");
                let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).expect("a character");
                bytes.extend(c.to_string().as_bytes());
                rest = after;
            }
            kind => bytes.extend(kind.as_bytes()),
        }
    }
    bytes.extend(rest.as_bytes());
    bytes
}

#[test]
fn every_case_has_its_verdict() {
    for (file, text) in TEXTS {
        for case in text.split("\n== ").skip(1) {
            let (title, case) = case.split_once('\n').expect("a title");
            Case::read(case).check(&format!("{file}.txt: {title}"));
        }
    }
}
