//! The `madezip` program: see `madezip --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    madezip::cli::main()
}
