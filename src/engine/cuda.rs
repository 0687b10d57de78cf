//! libtorch's part for CUDA, loaded when a device is asked for.
//!
//! Nothing in libtorch refers to it: it makes itself known when it is loaded. With what it
//! needs it is gigabytes, so that a program that has no use for it should not load it, and
//! one that was built with a libtorch for the CPU can run on one that has it
//! (`LD_LIBRARY_PATH`).

use std::path::PathBuf;
use std::sync::OnceLock;

/// Loads it, once; says why it is not there.
pub(super) fn load() -> Result<(), &'static str> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(open).as_ref().copied().map_err(String::as_str)
}

#[cfg(target_os = "linux")]
fn open() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use std::error::Error;

    // another libtorch's would not fit, so the one in the same folder, by its whole name
    let folder = folder_of_libtorch().ok_or("where libtorch_cpu.so lies is unknown")?;
    let path = folder.join("libtorch_cuda.so");
    if !path.exists() {
        return Err(format!("the libtorch in {} is for the CPU alone", folder.display()));
    }
    // SAFETY: what it does when it is loaded is to register itself with the libtorch that was
    // built with it; as if it had been linked, it is never unloaded.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    match library {
        Ok(library) => std::mem::forget(library),
        // "dlopen failed", and below it why
        Err(e) => return Err(e.source().map_or_else(|| e.to_string(), ToString::to_string)),
    }
    Ok(())
}

/// Where the libtorch that runs was loaded from: the kernel's list of what is mapped has an
/// absolute path at the end of each line.
#[cfg(target_os = "linux")]
fn folder_of_libtorch() -> Option<PathBuf> {
    let mapped = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = mapped.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then_some(path)
    })?;
    PathBuf::from(path).parent().map(PathBuf::from)
}

/// Elsewhere it comes with the program or not at all.
#[cfg(not(target_os = "linux"))]
fn open() -> Result<(), String> {
    Ok(())
}
