//! Every bound of the Go format, each with its unit and its reason.
//!
//! Sources: `MaxZipFile`, `MaxGoMod`, `MaxLICENSE` in `golang.org/x/mod/zip` (go 1.26).

/// Bytes of an upload, of the zip made of it, and of all its files together: the client refuses more. All
/// files together must stay below, since a zip has its headers too.
pub const MODULE_BYTES: u64 = 500 * 1024 * 1024;

/// Bytes of the go.mod at the root, which the client reads into memory, and so do we.
pub const GO_MOD_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of the LICENSE at the root: the client's bound.
pub const LICENSE_BYTES: u64 = 16 * 1024 * 1024;

/// Entries of an archive, directories included: twice what the largest public modules have. About 400
/// bytes of memory are used for each.
pub const ENTRIES: u64 = 200_000;

/// Bytes of a central directory: what that many entries with long names need.
pub const DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of the name of an entry: longer ones cannot be unpacked on most systems.
pub const ENTRY_NAME_BYTES: usize = 1_024;

/// Directories that the kept files are in, for each has a node in memory; more than files make no sense.
pub const DIRECTORIES: usize = 200_000;

/// Bytes of a `.gitattributes` that are searched; what is longer is searched up to here.
pub const ATTRIBUTES_BYTES: u64 = 256 * 1024;

/// How many `.gitattributes` are searched, the first ones of the archive.
pub const ATTRIBUTES_FILES: usize = 100;

/// Bytes at the start of a file that show whether it is text: as many as git looks at.
pub const SAMPLE_BYTES: usize = 8_000;

/// Bytes read or written at once.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Packages named in the metadata of a version; an index that wants all reads the zip.
pub const PACKAGES: usize = 1_000;

/// Elements of a list of go.mod (`require`, `replace`, …) that the metadata repeats: far above what people
/// write, and it keeps a generated file of 16 MiB out of the database.
pub const GO_MOD_LIST: usize = 10_000;

/// go.mod files that are read to find the one of a module in a subdirectory. Only directories that the
/// module's path names are looked at, so real repositories have one or two.
pub const CANDIDATES: usize = 16;

/// Bytes of a `.info` that an upstream sends; real ones have some hundred.
pub const UPSTREAM_INFO_BYTES: u64 = 1024 * 1024;

/// Versions of one module that an upstream may list: several times what the busiest public module has.
pub const LISTED_VERSIONS: usize = 50_000;

/// How often the latest version is chosen anew because what was chosen turned out to be absent.
pub const CHOICES: usize = 8;
