//! The progress bar.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::Console;
use crate::archive::Progress;
use crate::parallel::lock;

/// A bar on stderr, or nothing where none is wanted.
#[derive(Debug)]
pub(super) struct Bar {
    ticker: Option<Ticker>,
    bar: Option<ProgressBar>,
    /// Bytes of archive so far.
    archive: Mutex<u64>,
}

impl Bar {
    /// A bar for a file with so many bytes of content, if that is known.
    pub fn new(console: &Console, file: &Path, content: Option<u64>) -> Self {
        let bar = console.bar.then(|| {
            let (template, len) = match content {
                Some(n) => (
                    "{prefix} {percent:>3}% [{bar:20}] {decimal_bytes}/{decimal_total_bytes} {msg} {decimal_bytes_per_sec} {eta}",
                    Some(n),
                ),
                None => ("{prefix} {spinner} {decimal_bytes} {msg} {decimal_bytes_per_sec}", None),
            };
            let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr_with_hz(8));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            let name = file.file_name().unwrap_or(file.as_os_str());
            bar.set_prefix(name.to_string_lossy().into_owned());
            bar
        });
        let ticker = bar.clone().and_then(Ticker::start);
        Self { ticker, bar, archive: Mutex::new(0) }
    }
}

/// Draws a bar anew from time to time, until its end. (That of indicatif panics where the
/// system has no thread to give.)
#[derive(Debug)]
struct Ticker {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(bar: ProgressBar) -> Option<Self> {
        let (stop, stopped) = channel::<()>();
        let tick = move || {
            while stopped.recv_timeout(Duration::from_millis(250)) == Err(RecvTimeoutError::Timeout)
            {
                bar.tick();
            }
        };
        let thread = Builder::new().spawn(tick).ok()?;
        Some(Self { stop, thread })
    }

    fn end(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

impl Progress for Bar {
    fn raw(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn archive(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            let mut archive = lock(&self.archive);
            *archive += bytes;
            let raw = bar.position();
            if raw > 0 {
                bar.set_message(format!("{:.1} %", 100.0 * *archive as f64 / raw as f64));
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // or it would draw the bar again
        if let Some(ticker) = self.ticker.take() {
            ticker.end();
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
