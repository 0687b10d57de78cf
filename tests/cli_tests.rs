//! The program as its users meet it. Each test has a folder of its own.

#[cfg(target_os = "linux")]
#[path = "cli/catalog.rs"]
mod catalog;
mod common;
#[path = "cli/companion.rs"]
mod companion;
#[path = "cli/compress.rs"]
mod compress;
#[path = "cli/contents.rs"]
mod contents;
#[path = "cli/environment.rs"]
mod environment;
#[path = "cli/failures.rs"]
mod failures;
#[cfg(unix)]
#[path = "cli/faults.rs"]
mod faults;
#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/models.rs"]
mod models;
#[path = "cli/reports.rs"]
mod reports;
#[cfg(unix)]
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/split.rs"]
mod split;
#[path = "cli/streams.rs"]
mod streams;
#[cfg(target_os = "linux")]
#[path = "cli/terminal.rs"]
mod terminal;
