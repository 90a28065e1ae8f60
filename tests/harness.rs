//! What the tests share, and nothing that only one of them needs.
//!
//! ```text
//! server   the program, started on a free port in a folder of its own
//! machine  a developer's machine: home folder, settings, `go`, `git`, `curl`, `bash`
//! go       finds a go command that is new enough
//! database changes behind the server's back
//! postgres PostgreSQL, one server for all tests or one for each that kills it
//! s3       a small S3 in memory, with the faults that a test asks for
//! git      repositories with tags and fixed dates
//! company  the repositories that the guide's recipes are about
//! archives zip files made by hand
//! upload   `POST /api/artifacts`, with curl and without
//! people   users, grants, tokens, sessions, and requests that carry them
//! raw_form the same as bytes, for forms that no program would send
//! refusal  what all refusals have in common, and that nothing changed
//! http     requests and answers, as bytes
//! document what the API's document promises, held against every answer
//! exchange a request whose answer may never come
//! many     much in a store, without publishing it
//! outside  stands for the world outside and writes down what arrives there
//! shim     stands between a server and its system calls
//! scripted an upstream that answers what the test says, and goes wrong in every way
//! goproxy  modules as such an upstream has them, and their sums
//! checksum_database  a checksum database with a key of its own, which can lie
//! command  runs a program to its end
//! watchdog ends a run in which a test never ends
//! random   chance that can be repeated
//! wait     for what happens by itself
//! ```

/// Whether tests with a budget have the long one: `make test-long`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("KEEPER_LONG").is_some_and(|value| value == "1")
}

pub(crate) mod archives;
pub(crate) mod checksum_database;
pub(crate) mod command;
pub(crate) mod company;
pub(crate) mod database;
pub(crate) mod document;
pub(crate) mod exchange;
pub(crate) mod git;
pub(crate) mod go;
pub(crate) mod goproxy;
pub(crate) mod http;
pub(crate) mod machine;
pub(crate) mod many;
pub(crate) mod outside;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod random;
pub(crate) mod raw_form;
pub(crate) mod refusal;
#[allow(dead_code, reason = "the unit tests of the bucket use more of it")]
pub(crate) mod s3;
pub(crate) mod scripted;
pub(crate) mod server;
pub(crate) mod shim;
pub(crate) mod upload;
pub(crate) mod wait;
pub(crate) mod watchdog;
