//! Lets the built binary find libtorch without `LD_LIBRARY_PATH`.
//!
//! Two run paths go into every binary of the crate: `../lib/madezip` beside the folder it lies in,
//! where `make install` puts the libraries, then the folder torch-sys linked against (its metadata
//! names it, whether it came from `LIBTORCH`, `LIBTORCH_USE_PYTORCH` or the system).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    let beside = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "$ORIGIN",
        Ok("macos") => "@executable_path",
        _ => return, // Windows looks beside the program and along PATH
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{beside}/../lib/madezip");
    if beside == "$ORIGIN" {
        // What tch's C++ has in common with libtorch would be kept for the library to use,
        // and the library with it, though the program calls neither (`src/cli/companion.rs`).
        println!("cargo:rustc-link-arg-bin=madezip=-Wl,--exclude-libs,ALL");
    }
    if let Ok(folder) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        println!("cargo:rustc-env=MADEZIP_LIBTORCH={folder}"); // for tests/cuda.rs
    }
}
