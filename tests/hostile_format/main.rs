//! A server with one format more, shaped like the protocols to come: what it asks of the platform, no format
//! of the product asks yet. Linking it is all that is done to add it.
//!
//! ```text
//! POST   /hostile/r/upload                       a form of its own: name, version, filename, summary, content
//! PUT    /hostile/r/tags/pkg/stable              the body is a version: a label that moves
//! DELETE /hostile/r/versions/pkg/1.0             a version goes
//! GET    /hostile/r/index/pkg/                   all files of all versions with absolute links and digests,
//!                                                as JSON or HTML, whatever Accept prefers
//! GET    /hostile/r/files/pkg/1.0/pkg.tar        a file; further ones may come later
//! ```

mod protocol;

use std::process::ExitCode;

fn main() -> ExitCode {
    keeper_api::program().into()
}
