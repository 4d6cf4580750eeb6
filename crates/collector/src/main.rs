//! The command `phanos` without Python.

use std::process::ExitCode;

fn main() -> ExitCode {
    phanos_collector::run(std::env::args_os()).into()
}
