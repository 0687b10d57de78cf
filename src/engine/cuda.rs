//! libtorch's part for CUDA, loaded when a device is asked for.
//!
//! Nothing in libtorch refers to it: it makes itself known when it is loaded. With what it
//! needs it is gigabytes, so that a program that has no use for it should not load it, and
//! one that was built with a libtorch for the CPU can run on one that has it
//! (`LD_LIBRARY_PATH`).

use std::sync::OnceLock;

/// Why there is no part for CUDA.
#[derive(Clone, Debug)]
pub(super) enum Missing {
    /// This libtorch has none; where it is, if that is known.
    ForCpu(String),
    /// It has one that cannot be loaded.
    Broken(String),
}

/// Loads it, once; says why it is not there.
pub(super) fn load() -> Result<(), &'static Missing> {
    static LOADED: OnceLock<Result<(), Missing>> = OnceLock::new();
    LOADED.get_or_init(open).as_ref().copied()
}

#[cfg(target_os = "linux")]
fn open() -> Result<(), Missing> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use std::error::Error;

    let unknown = || Missing::ForCpu("where libtorch_cpu.so lies is unknown".into());
    let running = running_libtorch().ok_or_else(unknown)?;
    // another libtorch's would not fit, so the one beside it, by its whole name
    let mut beside = folders(&running).map(|folder| folder.join("libtorch_cuda.so"));
    let Some(path) = beside.find(|path| path.exists()) else {
        return Err(Missing::ForCpu(format!("{} is for the CPU alone", running.display())));
    };
    // SAFETY: what it does when it is loaded is to register itself with the libtorch that was
    // built with it; as if it had been linked, it is never unloaded.
    match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => std::mem::forget(library),
        // "dlopen failed", and below it why
        Err(e) => {
            let reason = e.source().map_or_else(|| e.to_string(), ToString::to_string);
            return Err(Missing::Broken(reason));
        }
    }
    Ok(())
}

/// The libtorch that runs: the kernel's list of what is mapped has an absolute path at the end of
/// each line, without links.
#[cfg(target_os = "linux")]
fn running_libtorch() -> Option<std::path::PathBuf> {
    let mapped = std::fs::read("/proc/self/maps").ok()?;
    let mapped = String::from_utf8_lossy(&mapped);
    let path = mapped.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then_some(path)
    })?;
    Some(path.into())
}

/// The folders that it may have been found in. Of links to it, what else it needs may lie beside
/// them alone: so those first where it is looked for.
#[cfg(target_os = "linux")]
fn folders(running: &std::path::Path) -> impl Iterator<Item = std::path::PathBuf> {
    let searched = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let linked = option_env!("MADEZIP_LIBTORCH").map(Into::into);
    let is_it = |folder: &std::path::PathBuf| {
        folder.join("libtorch_cpu.so").canonicalize().is_ok_and(|file| file == running)
    };
    let links: Vec<_> = std::env::split_paths(&searched).chain(linked).filter(is_it).collect();
    links.into_iter().chain(running.parent().map(Into::into))
}

/// Elsewhere it comes with the program or not at all.
#[cfg(not(target_os = "linux"))]
fn open() -> Result<(), Missing> {
    Ok(())
}
