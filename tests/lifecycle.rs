//! What ends, ends as promised and takes nothing else with it: quotas, the collector, verification, the end of
//! a repository, retention.
//!
//! ```text
//! workshop   a server whose collector leaves the work to the command line, and short words for its content
//! document   the commands of the user guide
//! quotas     how much a repository may hold
//! collector  bytes that nobody needs, among publishers, kills and orphans
//! deletion   the end of a repository
//! retention  rules of what is kept
//! scrub      stored files are read again in the background
//! status     what the server says of itself
//! verify     faults are found and named
//! ```

mod collector;
mod deletion;
mod document;
mod quotas;
mod retention;
mod scrub;
mod status;
mod verify;
mod workshop;
