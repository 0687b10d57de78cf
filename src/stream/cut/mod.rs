//! Where an input is cut into blocks: where other content begins, if each is better coded by
//! itself. An archive of files (tar) is a series of contents, and a block has but one.

mod costs;
mod piece;
mod plan;
mod repeats;

use costs::Costs;
use piece::{Piece, pieces};
use repeats::repeats;

use super::block::{by_content, try_samples};
use super::coding::{Coding, Level};
use super::content::Content;
use super::model::StreamModel;
use super::signal::find::find;
use super::signal::regions::{Region, Regions};
use super::x86;
use crate::codec::NextBlock;

/// The block that some bytes begin with, [`BlockCodec::next_block`]'s.
///
/// [`BlockCodec::next_block`]: crate::codec::BlockCodec::next_block
pub fn next_block(
    model: &StreamModel,
    bytes: &[u8],
    begun: Option<Region>,
    cut_at: Option<Level>,
) -> NextBlock {
    let found = find(bytes, begun);
    let first = |level| first_content(model, bytes, &found.within(bytes.len()), level);
    let len = cut_at.map_or(bytes.len(), first);
    NextBlock { len, regions: found.within(len), goes_on: found.after(len) }
}

/// Bytes of the first content, of a level.
fn first_content(model: &StreamModel, bytes: &[u8], regions: &Regions, level: Level) -> usize {
    if bytes.len() < 2 * plan::SHORTEST {
        return bytes.len();
    }
    let has_part = |content| model.own_part(Coding::at(level, content)).is_some();
    let mut costs = Costs::default();
    if has_part(Content::X86) && x86::is_likely(bytes) {
        costs.take_code();
    }
    for samples in by_content(regions) {
        let (content, regions) = &samples;
        if !has_part(*content) || regions.size() < piece::GRID {
            continue;
        }
        // how much they gain is seen at the level that takes the least time
        if let Some(trial) =
            try_samples(model, bytes, &samples, model.level_or_default(Level::Fast))
        {
            costs.take_samples(*content, trial);
        }
    }
    if costs.contents().len() == 1 {
        return bytes.len();
    }
    let pieces = pieces(bytes, regions);
    // copies only make a cut dearer: where there would be none without them there is none
    match plan::first_end(&pieces, &vec![Vec::new(); pieces.len()], &costs) {
        end if end == bytes.len() => end,
        _ => plan::first_end(&pieces, &repeats(bytes, &pieces), &costs),
    }
}

/// Whether a block with x86 code is better coded as such than as other content, by what lies
/// around the code.
pub fn is_mostly_code(block: &[u8]) -> bool {
    let mut costs = Costs::default();
    costs.take_code();
    let pieces = pieces(block, &Regions::default());
    let sum = |content| pieces.iter().map(|piece: &Piece| costs.of(piece, content)).sum::<u64>();
    sum(Content::X86) < sum(Content::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SHIPPED;
    use crate::made::file::ModelFile;
    use crate::stream::testing::{Random, code};

    fn shipped() -> StreamModel {
        StreamModel::from_file(&ModelFile::from_bytes(SHIPPED[0].bytes).unwrap()).unwrap()
    }

    /// Bytes in the blocks that an input is cut into, and those of them that are samples.
    fn blocks(model: &StreamModel, bytes: &[u8], cut_at: Option<Level>) -> Vec<[usize; 2]> {
        let (mut at, mut begun, mut all) = (0, None, Vec::new());
        while at < bytes.len() {
            let next = next_block(model, &bytes[at..], begun, cut_at);
            assert!(next.len > 0 && next.regions.iter().all(|region| region.end() <= next.len));
            all.push([next.len, next.regions.size()]);
            at += next.len;
            begun = next.goes_on;
        }
        all
    }

    /// A picture of soft grey, whose header is its first 16 bytes.
    fn picture(rows: usize) -> Vec<u8> {
        let mut random = Random(6);
        let mut picture = format!("P5\n512 {rows:4} 255\n").into_bytes();
        let grey = |x: usize, y: usize| (60 + x / 9 + y / 7) as u32;
        picture.extend((0..512 * rows).map(|i| (grey(i % 512, i / 512) + random.below(40)) as u8));
        picture
    }

    #[test]
    fn each_content_has_a_block() {
        let model = shipped();
        let (text, code) = (Random(1).bytes(400_000), code(60_000));
        for level in Level::ALL {
            let cut = |bytes: &[u8]| blocks(&model, bytes, Some(level));
            let near = |got: usize, want: usize| got.abs_diff(want) < piece::GRID;
            let all = cut(&[&text[..], &code].concat());
            assert!(all.len() == 2 && near(all[0][0], text.len()), "{all:?}");
            let all = cut(&[&code[..], &text].concat());
            assert!(all.len() == 2 && near(all[0][0], code.len()), "{all:?}");
            let picture = picture(600);
            assert_eq!(
                cut(&[&text[..], &picture].concat()),
                [[text.len() + 16, 0], [512 * 600, 512 * 600]],
                "the header is not needed"
            );
            for alone in [&text, &code, &picture, &Vec::new()] {
                assert_eq!(cut(alone).len(), usize::from(!alone.is_empty()));
            }
        }
        let bytes = [&text[..], &code].concat();
        assert_eq!(blocks(&model, &bytes, None), [[bytes.len(), 0]]);
        // a model that has no part for it
        let plain = model.with_part(Content::X86, None).unwrap();
        assert_eq!(blocks(&plain, &bytes, Some(Level::Default)).len(), 1);
    }

    #[test]
    fn a_little_code_does_not_make_a_program() {
        let (text, code) = (Random(1).bytes(400_000), code(1000));
        assert!(is_mostly_code(&code));
        assert!(!is_mostly_code(&[&text[..], &code].concat()));
        assert!(!is_mostly_code(&text) && !is_mostly_code(&[]));
    }
}
