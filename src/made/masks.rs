//! Which connections the degrees allow.

/// Whether a unit of degree `from` may feed a hidden unit of degree `to`.
#[inline]
pub fn into_hidden(from: u32, to: u32) -> bool {
    from <= to
}

/// Whether a unit (or, by a direct link, an input) of degree `from` may feed the
/// output of degree `to`.
#[inline]
pub fn into_output(from: u32, to: u32) -> bool {
    from < to
}

/// A rule as [`into_hidden`] or [`into_output`].
pub type Rule = fn(u32, u32) -> bool;

/// The mask of a layer, row-major `[to][from]`.
pub fn mask(from: &[u32], to: &[u32], rule: Rule) -> Vec<bool> {
    to.iter().flat_map(|&t| from.iter().map(move |&f| rule(f, t))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_follow_the_rules() {
        assert_eq!(mask(&[1, 2, 3], &[2, 1], into_hidden), [true, true, false, true, false, false]);
        assert_eq!(
            mask(&[1, 2, 3], &[2, 1], into_output),
            [true, false, false, false, false, false]
        );
    }
}
