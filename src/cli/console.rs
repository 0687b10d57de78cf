//! What is said on stderr, and the exit code, which is decided here alone.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use super::interrupt;
use super::settings::Settings;

const FINE: u8 = 0;
const WARNING: u8 = 1;
const ERROR: u8 = 2;

/// Says things and remembers the worst.
#[derive(Debug)]
pub(super) struct Console {
    quiet: u8,
    verbose: u8,
    /// Whether a progress bar may be drawn.
    pub bar: bool,
    worst: AtomicU8,
}

impl Console {
    pub fn new(settings: &Settings) -> Self {
        Self {
            quiet: settings.quiet,
            verbose: settings.verbose,
            bar: settings.progress && settings.quiet == 0 && io::stderr().is_terminal(),
            worst: AtomicU8::new(FINE),
        }
    }

    /// Something could not be done; the program goes on. A reader of stdout who
    /// left is no error: the program ends as the signal would have ended it.
    pub fn error(&self, file: Option<&Path>, e: &anyhow::Error) {
        let broken_pipe = |c: &(dyn std::error::Error + 'static)| {
            c.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if e.chain().any(broken_pipe) {
            interrupt::end_by_broken_pipe();
        }
        self.worst.fetch_max(ERROR, Ordering::Relaxed);
        if self.quiet < 2 {
            say(file, &format!("{e:#}"));
        }
    }

    /// Something was done otherwise than may be thought.
    pub fn warn(&self, file: Option<&Path>, text: &str) {
        self.worst.fetch_max(WARNING, Ordering::Relaxed);
        if self.quiet < 1 {
            say(file, text);
        }
    }

    /// Something worth knowing for those who asked with -v, given `level` times.
    pub fn note(&self, level: u8, file: Option<&Path>, text: &str) {
        if self.verbose >= level && self.quiet == 0 {
            say(file, text);
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self.worst.load(Ordering::Relaxed) {
            FINE => 0,
            WARNING => 2,
            _ => 1,
        }
    }
}

fn say(file: Option<&Path>, text: &str) {
    use std::io::Write;
    let line = match file {
        Some(f) if f == Path::new("-") => format!("madezip: (stdin): {text}\n"),
        Some(f) => format!("madezip: {}: {text}\n", f.display()),
        None => format!("madezip: {text}\n"),
    };
    // a stderr that is gone is no reason to stop
    let _ = io::stderr().write_all(printable(&line).as_bytes());
}

/// Text without what a terminal would take for orders: file names and models' descriptions may
/// come from anybody.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let order = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(order) {
        return text.into();
    }
    let mut out = String::new();
    for c in text.chars() {
        if order(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_to_terminals_are_shown() {
        assert_eq!(printable("a ä\tb\n"), "a ä\tb\n");
        assert_eq!(printable("e\x1b[2Jvil\u{9b}"), "e\\u{1b}[2Jvil\\u{9b}");
    }
}
