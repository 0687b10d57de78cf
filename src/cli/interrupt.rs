//! Signals: what is half written goes, then the signal does what it always does.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::console::Console;
use crate::parallel::lock;

/// Files that are being written. They are removed when a signal ends the program.
static PARTIAL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Keeps a partial file in the list while it lives.
#[derive(Debug)]
pub(super) struct Partial(PathBuf);

impl Partial {
    /// Makes a partial file and lists it, with no gap for a signal between.
    pub fn create<T>(
        make: impl FnOnce() -> std::io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> std::io::Result<(T, Self)> {
        let mut list = list();
        let made = make()?;
        let path = path(&made).to_owned();
        list.push(path.clone());
        Ok((made, Self(path)))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        list().retain(|p| *p != self.0);
    }
}

fn list() -> MutexGuard<'static, Vec<PathBuf>> {
    lock(&PARTIAL)
}

/// Removes what is half written. As long as the lock is kept no new partial file appears.
fn remove_partial() -> MutexGuard<'static, Vec<PathBuf>> {
    let list = list();
    for path in list.iter() {
        let _ = std::fs::remove_file(path);
    }
    list
}

/// Watches for what ends a program: signals, or the events of a console.
pub(super) fn install(console: &Console) {
    if let Err(e) = watch() {
        console
            .warn(None, &format!("signals cannot be watched: {e}; one may leave a partial file"));
    }
}

#[cfg(unix)]
fn watch() -> std::io::Result<()> {
    use signal_hook::consts::signal::{
        SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ,
    };
    use signal_hook::iterator::Signals;
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU, SIGXFSZ];
    // a signal that is ignored stays ignored (nohup)
    let watched = signals.into_iter().filter(|&s| !is_ignored(s));
    // the thread first: a signal that is watched and not waited for would end nothing
    let (begin, begun) = std::sync::mpsc::channel::<Signals>();
    std::thread::Builder::new().spawn(move || {
        if let Ok(mut signals) = begun.recv()
            && let Some(signal) = signals.forever().next()
        {
            let _list = remove_partial();
            end_by(signal);
        }
    })?;
    let _ = begin.send(Signals::new(watched)?);
    Ok(())
}

#[cfg(windows)]
fn watch() -> Result<(), ctrlc::Error> {
    /// The exit status of a program that Ctrl-C ended (`STATUS_CONTROL_C_EXIT`).
    const ENDED: u32 = 0xc000_013a;
    // a console that closes may be faster than this, and leave a partial file
    ctrlc::set_handler(|| {
        let _list = remove_partial();
        std::process::exit(ENDED as i32);
    })
}

#[cfg(not(any(unix, windows)))]
fn watch() -> std::io::Result<()> {
    Ok(())
}

/// Whether a signal was ignored when the program started.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // bit n−1 of SigIgn is signal n; where /proc is missing nothing is known
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|l| l.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Ends the program as a broken pipe ends it.
pub(super) fn end_by_broken_pipe() -> ! {
    let _list = remove_partial();
    #[cfg(unix)]
    end_by(signal_hook::consts::signal::SIGPIPE);
    #[cfg(not(unix))]
    std::process::exit(1);
}

#[cfg(unix)]
fn end_by(signal: i32) -> ! {
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    // reached only if the signal cannot end the program
    std::process::exit(128 + signal);
}
