//! The program `artifact-keeper`.

use std::process::ExitCode;

fn main() -> ExitCode {
    keeper_api::program().into()
}
