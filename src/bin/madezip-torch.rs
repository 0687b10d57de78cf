//! `madezip` with libtorch, which the program calls where it is asked for: to train
//! models, for `--engine torch` and for `--device cuda`.

use std::process::ExitCode;

fn main() -> ExitCode {
    madezip::cli::main_with_libtorch()
}
