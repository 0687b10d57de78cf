//! Lets the built binary find libtorch without LD_LIBRARY_PATH: the folder
//! torch-sys linked against becomes its run path, and `$ORIGIN/../lib/madezip`
//! is where `make install` puts the libraries.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/madezip");
    if let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").or_else(|| {
        std::env::var_os("LIBTORCH").map(|p| std::path::Path::new(&p).join("lib").into())
    }) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.to_string_lossy());
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH");
}
