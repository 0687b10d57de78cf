//! The contexts of the shipped models' parts.

use crate::stream::coding::Level;
use crate::stream::content::Content;

/// Those of a level, in the order of [`Content::ALL`] (empty: no part of its own). Primed ones
/// are in the same places of the first two.
pub const fn contexts_of(level: Level) -> [&'static str; Content::ALL.len()] {
    match level {
        Level::Default => [
            "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell",
            "o1 o2 o3 o4 again code0 code1 s2 s34 codes4 opcode operand codes2 code3 code2 codes3",
            "level wide long west across wests mean peak north corners acrosses longer signs \
             lane o2 o4",
            "p2.1 p4.2.1 p6.3.2.1 p6.4.3.2 p8.5.4.3.2 p3.8 p16.1 p4.2 p1.1.1.1 p1.0.0.0.0.0 p24.7 \
             p0.4.6 p3.2.2.2.2.2 p32 p10.7.5 p8.6.6.5.5.4",
        ],
        Level::Best => [
            "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell \
             o0 o8 s23 s13 s3 field s24 s134 s5 s45 s56 s67 s78 s15 s1235 s16",
            "o1 o2 o3 o4 again code0 code1 s2 s34 codes4 opcode operand codes2 code3 code2 codes3 \
             o0 o5 o6 row rows cell s23 s13 s3 s24 s134 s5 s45 s56 s15 s16",
            "",
            "",
        ],
        Level::Fast => [
            "o1 o2 o3 o4 o6 pair shape rows",
            "o1 o2 o3 o4 again codes3 opcode operand",
            "level wide long west across wests mean o3",
            "p2.1 p4.2.1 p6.3.2.1 p6.4.3.2 p8.5.4.3.2 p3.8 p16.1 p0.4.6",
        ],
    }
}

/// The contexts that are primed: others say more about a file when they have seen
/// nothing but it.
pub const DEFAULT_PRIMED: &str = "o2 o3 o4 o6";

/// The inputs of a language model where nobody names them.
pub const DEFAULT_LANGUAGE: &str =
    "b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 b13 b14 b15 b16 word before";
