//! The server as it is, with its failpoints alive: `KEEPER_FAILPOINTS` says where it stops, dies or fails.

use std::process::ExitCode;

fn main() -> ExitCode {
    keeper_core::failpoint::arm();
    keeper_api::program().into()
}
