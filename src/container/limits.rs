//! Every bound that a field of an archive is held to before it is believed.

/// Raw bytes in a block, at most (256 MiB). A decoder holds one block a thread.
pub const MAX_BLOCK: u32 = 1 << 28;
/// Raw bytes in a block that the command line offers, at least (128 KiB): so an
/// archive never grows beyond its content by 0.1 % and 100 bytes.
pub const MIN_BLOCK_OFFERED: u32 = 1 << 17;
/// Raw bytes in a block unless the user says otherwise (16 MiB).
pub const DEFAULT_BLOCK: u32 = 1 << 24;
/// Raw bytes in a block with -1 to -3 unless the user says otherwise, at most (8 MiB): more
/// blocks for the threads.
pub const FAST_BLOCK: u32 = 1 << 23;
/// Content with -1 to -3 longer than this (4 MiB) is worth two blocks.
pub const FAST_WHOLE: u32 = 1 << 22;
/// Raw bytes in a block of records, about (256 KiB): its payload is read whole for
/// any of them, and each block is a thread's.
pub const RECORDS_BLOCK: u32 = 1 << 18;
/// Content of a short archive is smaller than this (64 KiB).
pub const SHORT_LIMIT: u32 = 1 << 16;
/// Content of one archive, at most (2^63 − 1 bytes).
pub const MAX_CONTENT: u64 = i64::MAX as u64;
/// Blocks of one archive, at most.
pub const MAX_BLOCKS: u64 = u32::MAX as u64;
/// Content bytes of a skippable frame, at most.
pub const MAX_SKIPPABLE: u64 = 1 << 40;
/// Bytes of an embedded model, packed, at most (65 MiB).
pub const MAX_MODEL_FRAME: u64 = 65 << 20;
/// Bytes that are asked of the input at once: a length that lies costs no more
/// memory than this beyond what the input really holds.
pub const READ_STEP: usize = 1 << 20;
