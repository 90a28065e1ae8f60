//! Every bound of the platform, each with its unit and its reason. Formats keep their own bounds beside
//! their rules.

use std::time::Duration;

/// Problems listed in one answer: enough to mend an archive in one go, small enough to read.
pub const MAX_PROBLEMS: usize = 100;

/// Bytes of a generated file up to which it lives in its database row instead of a blob: a `.info` or a
/// usual `go.mod` then costs no further fsync at publication and no file open at download.
pub const INLINE_BYTES: usize = 16 * 1024;

/// Bytes handed to the disk or read from it at once; larger buffers brought nothing measurable, smaller
/// ones cost CPU per byte.
pub const IO_CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of answers kept ready in memory, all repositories together.
pub const ANSWER_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes that a cache and the allocator need for an entry besides its content; measured, of tens of thousands of small ones.
pub const CACHED_BYTES: usize = 400;

/// Bytes of one answer that may be kept ready in memory.
pub const ANSWER_CACHE_ENTRY_BYTES: usize = 64 * 1024;

/// Length in bytes of the name under which an answer is kept ready: its path with the headers and the address
/// it depends on.
pub const VARIANT_BYTES: usize = 4 * 1024;

/// Length in bytes of a repository name.
pub const REPOSITORY_NAME_BYTES: usize = 100;

/// Length in bytes of a package name: longer than any real one, short enough for an index key.
pub const PACKAGE_NAME_BYTES: usize = 1_024;

/// Length in bytes of a version.
pub const VERSION_NAME_BYTES: usize = 512;

/// Length in bytes of the path of a stored file below its repository.
pub const FILE_PATH_BYTES: usize = 2_048;

/// Labels (branch and tag names) one upload may carry.
pub const LABELS_PER_UPLOAD: usize = 32;

/// Entries of one page of a list.
pub const PAGE_LIMIT_MAX: u32 = 200;

/// Entries of one page of a list when the caller does not say.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;

/// Time from the first byte of an upload to its commit: the collector may remove unreferenced blobs after
/// four times this, so an upload that is older must not commit.
pub const UPLOAD_TIME: Duration = Duration::from_secs(60 * 60);

/// How long it is known which copies the collector has removed: longer than any upload that has made one may take
/// until its commit, with room for a clock that is set.
pub const REMOVAL_MEMORY: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a verified credential is believed without asking the store again.
pub const CREDENTIAL_CACHE: Duration = Duration::from_secs(30);

/// Sources of one chain of upstreams: each may be asked for every miss.
pub const CHAIN_SOURCES: usize = 8;

/// Length in bytes of the address of an upstream.
pub const UPSTREAM_URL_BYTES: usize = 1_000;

/// Hosts that redirects of an upstream may lead to.
pub const REDIRECT_HOSTS: usize = 50;

/// Members of a virtual repository: a name that nobody owns is asked for at all of them.
pub const MEMBERS: usize = 32;

/// Reserved patterns of a virtual repository: each read tries them all.
pub const RESERVATIONS: usize = 100;

/// Rules of a remote repository about what may come in.
pub const RULES: usize = 500;

/// Length in bytes of a pattern or a reason of such a rule.
pub const RULE_PATTERN_BYTES: usize = 300;

/// Bytes of an index fetched from an upstream: a list of a million short versions fits.
pub const UPSTREAM_INDEX_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of such indexes in memory at once, as they came: four of the longest, or the usual ones of hundreds of packages.
pub const INDEX_DOCUMENTS_BYTES: u64 = 64 * 1024 * 1024;

/// What a format may take while it joins and judges indexes, for each of their bytes: a version of ten bytes becomes a
/// name, its parts and a place in a list.
pub const INDEX_WORK_FACTOR: u64 = 8;

/// Bytes for that, all indexes together.
pub const INDEX_WORK_BYTES: u64 = INDEX_WORK_FACTOR * UPSTREAM_INDEX_BYTES;

/// Bytes of long results that are being sent; short ones are as many as connections.
pub const INDEX_ANSWERS_BYTES: u64 = 64 * 1024 * 1024;

/// How long such room is waited for.
pub const INDEX_TURN: Duration = Duration::from_secs(10);

/// Absences that upstreams reported, kept in memory.
pub const ABSENCES_IN_MEMORY: u64 = 100_000;

/// Requests that wait for one fetch of one file; the next is told to come back.
pub const WAITERS_PER_FETCH: usize = 1_024;

/// Exchanges with upstreams at once, all repositories together.
pub const FETCHES_AT_ONCE: usize = 128;

/// Exchanges with one upstream at once: one that is silent holds a part of all and no more.
pub const FETCHES_PER_UPSTREAM: usize = 32;

/// How long an exchange waits for its turn.
pub const FETCH_TURN: Duration = Duration::from_secs(10);

/// Bytes of a file from which on it may be given out while it comes from an upstream: a smaller one is here before the
/// first of its bytes would be at the client, and its trouble then has a status.
pub const RELAY_FROM_BYTES: u64 = 1024 * 1024;

/// Bytes at the end of such a file that wait until the whole of it was judged: nobody gets all of what is refused.
pub const RELAY_TAIL_BYTES: u64 = 64 * 1024;

/// How long the member that owns a name is remembered.
pub const OWNER_CACHE: Duration = Duration::from_secs(60);

/// Owners of names kept in memory.
pub const OWNERS_IN_MEMORY: u64 = 100_000;

/// Versions whose time is asked for at once when a repository admits only old ones; more wait for the next question.
pub const AGES_PER_LIST: usize = 200;

/// Bytes of a document fetched from an ecosystem's authority (a checksum database's answer).
pub const AUTHORITY_DOCUMENT_BYTES: u64 = 1024 * 1024;

/// Blobs whose rows the collector reads at once: a short statement each.
pub const COLLECTOR_WINDOW: u32 = 5_000;

/// Damaged copies that are known at a time, the ones that were found first.
pub const DAMAGE_KNOWN: u32 = 10_000;

/// Versions of a deleted repository that one transaction removes: it shares the writer with publishers.
pub const REMOVAL_BATCH: u32 = 500;

/// Retention rules of one repository, and package patterns of one rule.
pub const RETENTION_RULES: usize = 20;

/// Packages whose versions retention reads at once.
pub const RETENTION_PACKAGES: u32 = 200;

/// Versions whose last use is kept in memory until it is written down; more are written down earlier.
pub const USES_IN_MEMORY: usize = 50_000;

/// Last visits of package clients kept in memory: one for each token and repository that are in use.
pub const VISITS_IN_MEMORY: u64 = 10_000;

/// How long a visit is remembered.
pub const VISIT_LIFE: Duration = Duration::from_secs(60 * 60);

/// Length in bytes of a path that a visit remembers.
pub const VISIT_PATH_BYTES: usize = 300;

/// Rows that verification reads at once.
pub const VERIFIER_WINDOW: u32 = 500;

/// Blobs that the collector takes out of the books in one transaction: it shares the writer with publishers.
pub const COLLECTOR_BATCH: u32 = 500;

/// Blobs that one run of the collector removes at most, for it keeps their names in memory; the next goes on.
pub const COLLECTOR_CANDIDATES: usize = 100_000;

/// So few blobs are never suspicious, whatever part of all they are: in a small store every deletion is large.
pub const COLLECTOR_UNSUSPICIOUS: u64 = 16;
/// Characters of the line that describes a package: what fits on two lines of a list.
pub const ABOUT_DESCRIPTION_CHARACTERS: usize = 300;

/// Keywords of a package.
pub const ABOUT_KEYWORDS: usize = 32;

/// Characters of a keyword.
pub const ABOUT_KEYWORD_CHARACTERS: usize = 64;

/// Patterns of private packages that texts for a client are made for.
pub const PRIVATE_PATTERNS: usize = 20;

/// Characters of what a version says of its licence.
pub const ABOUT_LICENSE_CHARACTERS: usize = 100;

/// Characters of the reason for a change of a version: one line of a list.
pub const REASON_CHARACTERS: usize = 500;

/// Bytes of the summaries of packages (latest version, marks) kept ready in memory.
pub const SUMMARY_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Characters of a text that is searched for.
pub const SEARCH_CHARACTERS: usize = 1_024;

/// Words of a text that is searched for; the rest only makes the question dearer.
pub const SEARCH_TERMS: usize = 16;
