//! Telling a caller how far things are.

/// Told about bytes as they are done, from several threads.
pub trait Progress: Sync {
    /// So many more bytes of content are done.
    fn raw(&self, bytes: u64);
    /// So many more bytes of archive are read or written.
    fn archive(&self, bytes: u64);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn raw(&self, _bytes: u64) {}
    fn archive(&self, _bytes: u64) {}
}
