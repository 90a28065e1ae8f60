//! What the tests share, and nothing that only one of them needs.
//!
//! ```text
//! server   the program, started on a free port in a folder of its own
//! machine  a developer's machine: home folder, settings, `go`, `git`, `curl`, `bash`
//! go       finds a go command that is new enough
//! git      repositories with tags and fixed dates
//! company  the repositories that the guide's recipes are about
//! archives zip files made by hand
//! upload   `POST /api/artifacts`, with curl and without
//! http     requests and answers, as bytes
//! outside  stands for the world outside and writes down what arrives there
//! command  runs a program to its end
//! ```

pub(crate) mod archives;
pub(crate) mod command;
pub(crate) mod company;
pub(crate) mod git;
pub(crate) mod go;
pub(crate) mod http;
pub(crate) mod machine;
pub(crate) mod outside;
pub(crate) mod server;
pub(crate) mod upload;
