//! How large blocks are.

use crate::container::limits::{DEFAULT_BLOCK, FAST_BLOCK, FAST_WHOLE, MAX_BLOCK};
use crate::stream::coding::Level;

/// Bytes of a block unless the user says otherwise, a multiple of `unit`. Content of known
/// size that takes an even number of blocks is cut into equal ones, so that no thread waits
/// for another that has a larger one; at the fast level the number is made even for it.
pub(super) fn block_size(level: Level, content: Option<u64>, unit: usize) -> u32 {
    let most = most(level);
    let content = content.unwrap_or(0);
    let mut blocks = content.div_ceil(most.into());
    if level == Level::Fast && content > FAST_WHOLE.into() {
        blocks = blocks.next_multiple_of(2);
    }
    if blocks == 0 || blocks % 2 == 1 {
        return whole_units(most, unit);
    }
    let equal = content.div_ceil(blocks).next_multiple_of(unit.max(1) as u64);
    u32::try_from(equal).map_or(MAX_BLOCK, |size| whole_units(size, unit))
}

/// Bytes of a block at a level, at most.
pub(super) fn most(level: Level) -> u32 {
    match level {
        Level::Fast => FAST_BLOCK,
        Level::Default | Level::Best => DEFAULT_BLOCK,
    }
}

/// The largest size up to `size`, in 1 to [`MAX_BLOCK`], that is a multiple of `unit`, if
/// there is one.
pub(super) fn whole_units(size: u32, unit: usize) -> u32 {
    let size = size.clamp(1, MAX_BLOCK);
    match u32::try_from(unit) {
        Ok(unit) if (1..=size).contains(&unit) => size - size % unit,
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_blocks_for_pairs_of_threads() {
        let mib = |n: u64| Some(n << 20);
        for (level, content, want) in [
            (Level::Default, None, 16 << 20),
            (Level::Default, Some(0), 16 << 20),
            (Level::Default, mib(16), 16 << 20),
            (Level::Default, mib(20), 10 << 20),
            (Level::Best, mib(48), 16 << 20),
            (Level::Default, mib(50), 25 << 19),
            (Level::Fast, None, 8 << 20),
            (Level::Fast, mib(4), 8 << 20),
            (Level::Fast, mib(5), 5 << 19),
            (Level::Fast, mib(12), 6 << 20),
            (Level::Fast, mib(20), 5 << 20),
            (Level::Fast, mib(33), 5_767_168),
        ] {
            assert_eq!(block_size(level, content, 1), want, "{level:?} {content:?}");
        }
        assert_eq!(block_size(Level::Default, mib(20), 98), 10_485_804);
        for content in (0..64).flat_map(|n| [(1u64 << n) - 1, 1 << n]) {
            for level in Level::ALL {
                assert!((1..=16 << 20).contains(&block_size(level, Some(content), 1)));
            }
        }
    }

    #[test]
    fn rows_stay_whole() {
        assert_eq!(whole_units(100, 30), 90);
        assert_eq!(whole_units(20, 30), 20);
        assert_eq!(whole_units(0, 1), 1);
    }
}
