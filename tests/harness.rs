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
//! exchange a request whose answer may never come
//! outside  stands for the world outside and writes down what arrives there
//! command  runs a program to its end
//! random   chance that can be repeated
//! wait     for what happens by itself
//! ```

pub(crate) mod archives;
pub(crate) mod command;
pub(crate) mod company;
pub(crate) mod database;
pub(crate) mod exchange;
pub(crate) mod git;
pub(crate) mod go;
pub(crate) mod http;
pub(crate) mod machine;
pub(crate) mod outside;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod random;
pub(crate) mod raw_form;
pub(crate) mod refusal;
#[allow(dead_code, reason = "the unit tests of the bucket use more of it")]
pub(crate) mod s3;
pub(crate) mod server;
pub(crate) mod upload;
pub(crate) mod wait;
