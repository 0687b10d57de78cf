//! Primed statistics in a model file.
//!
//! Metadata `primed` is their number; tensor `primed.levels` has the histories that
//! occur, `primed.frequencies` the distributions (of 4096), `primed.coded` an ANS
//! stack for each of some parts, so that cores share the work of reading them, and
//! `primed.parts` their lengths. For every slot, in ascending order of hashes: the bit
//! length of the distance from the hash before (the first of a part from −1), the
//! distance's bits below its leading one, twelve at a time from the lowest; then the
//! histories of the nodes that the histories above them say were reached: 0 for none,
//! else a level.

use std::ops::Range;
use std::thread;

use super::slots::{CLASSES, MAX_LEVELS, MAX_PRIMED, PrimedSlot, PrimedSlots, branches};
use crate::coder::{Categorical, Item, SymbolDecoder, encode_symbols};
use crate::made::error::ModelError;
use crate::made::file::{DType, ModelFile, Tensor};
use crate::parallel;
use crate::stream::history::STATES;
use crate::stream::network::{flat_values, values};
use crate::stream::slots::SLOT;

const COUNT: &str = "primed";
const LEVELS: &str = "primed.levels";
const FREQUENCIES: &str = "primed.frequencies";
const CODED: &str = "primed.coded";
const PARTS: &str = "primed.parts";

/// Most parts.
const MAX_PARTS: usize = 64;
/// Parts that are written have about so many slots at least,
const PART_SLOTS: usize = 4096;
/// and there are so many of them at most.
const WRITTEN_PARTS: usize = 8;

/// Symbols of a distribution: bit lengths 0..=32, or no history and the levels.
const SYMBOLS: usize = MAX_LEVELS + 1;
/// Distributions: of bit lengths, of a slot's first node, and for each of the
/// three later depths of what follows a branch of each class but 0.
const MODELS: usize = 2 + 3 * (CLASSES - 1);

/// The distribution of a node below the first, after a branch of class 1..
fn model_of(node: usize, class: u8) -> usize {
    2 + (node.ilog2() as usize - 1) * (CLASSES - 1) + usize::from(class) - 1
}

/// A symbol and the distribution it comes from, or raw bits.
enum Piece {
    Symbol(usize, u8),
    Bits(u32, u32),
}

/// The slots that part `i` of `parts` has of `slots`.
fn range(slots: usize, parts: usize, i: usize) -> Range<usize> {
    i * slots / parts..(i + 1) * slots / parts
}

fn pieces(slots: &[PrimedSlot], symbol_of: &[u8; 256]) -> Vec<Piece> {
    let branches = branches();
    let mut pieces = Vec::with_capacity(slots.len() * 12);
    let mut next = 0u64;
    for slot in slots {
        let distance = u64::from(slot.hash) + 1 - next;
        next = u64::from(slot.hash) + 1;
        let length = 64 - distance.leading_zeros();
        pieces.push(Piece::Symbol(0, length as u8));
        let mut left = length - 1;
        let mut rest = distance;
        while left > 0 {
            let bits = left.min(12);
            pieces.push(Piece::Bits(bits, (rest & ((1 << bits) - 1)) as u32));
            rest >>= bits;
            left -= bits;
        }
        let symbol = |node: usize| symbol_of[usize::from(slot.histories[node])];
        pieces.push(Piece::Symbol(1, symbol(1)));
        for node in 2..SLOT {
            let class = branches[usize::from(slot.histories[node / 2])][node & 1];
            if class != 0 {
                pieces.push(Piece::Symbol(model_of(node, class), symbol(node)));
            }
        }
    }
    pieces
}

impl PrimedSlots {
    /// Puts the slots into a model file; nothing if there are none.
    pub fn to_file(&self, file: &mut ModelFile) {
        if self.as_slice().is_empty() {
            return;
        }
        let mut symbol_of = [0u8; 256];
        let mut levels = Vec::new();
        for &h in self.as_slice().iter().flat_map(|s| &s.histories[1..]) {
            if h != 0 && symbol_of[usize::from(h)] == 0 {
                symbol_of[usize::from(h)] = 1;
                levels.push(h);
            }
        }
        levels.sort_unstable();
        for (i, &l) in levels.iter().enumerate() {
            symbol_of[usize::from(l)] = i as u8 + 1;
        }
        let n = self.as_slice().len();
        let count = (n / PART_SLOTS).clamp(1, WRITTEN_PARTS);
        let parts: Vec<Vec<Piece>> =
            (0..count).map(|i| pieces(&self.as_slice()[range(n, count, i)], &symbol_of)).collect();
        let mut counted = [[0u64; SYMBOLS]; MODELS];
        for piece in parts.iter().flatten() {
            if let Piece::Symbol(model, symbol) = piece {
                counted[*model][usize::from(*symbol)] += 1;
            }
        }
        for unused in counted.iter_mut().filter(|c| c.iter().all(|&n| n == 0)) {
            unused[0] = 1;
        }
        let frequencies = counted.map(|c| Categorical::frequencies(&c));
        let models: Vec<Categorical> =
            frequencies.iter().filter_map(|f| Categorical::new(f)).collect();
        let (mut coded, mut lengths) = (Vec::new(), Vec::new());
        for part in &parts {
            let items: Vec<Item> = part
                .iter()
                .map(|piece| match *piece {
                    Piece::Symbol(model, symbol) => Item::Symbol(&models[model], symbol),
                    Piece::Bits(bits, value) => Item::Bits(bits, value),
                })
                .collect();
            // every symbol was counted
            let bytes = encode_symbols(&items).unwrap_or_default();
            lengths.push(bytes.len() as u32);
            coded.extend(bytes);
        }
        file.metadata.insert(COUNT.into(), n.to_string());
        file.tensors.insert(LEVELS.into(), Tensor::from_values(&[levels.len()], &levels));
        let frequencies = frequencies.concat();
        let shape = [MODELS, SYMBOLS];
        file.tensors.insert(FREQUENCIES.into(), Tensor::from_values(&shape, &frequencies));
        file.tensors.insert(CODED.into(), Tensor::from_values(&[coded.len()], &coded));
        file.tensors.insert(PARTS.into(), Tensor::from_values(&[count], &lengths));
    }

    /// Reads the slots of a model file; none if it has none.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        let Some(count) = file.number(COUNT)? else { return Ok(Self::default()) };
        if !(1..=MAX_PRIMED).contains(&count) {
            return Err(ModelError::metadata(COUNT, format!("not a number in 1..={MAX_PRIMED}")));
        }
        let levels = flat_values::<u8>(file, LEVELS)?;
        let known = |&l: &u8| l != 0 && usize::from(l) < STATES;
        if levels.len() > MAX_LEVELS || !levels.iter().all(known) {
            return Err(ModelError::tensor(LEVELS, "not histories, or too many"));
        }
        let (shape, frequencies) = values::<u16>(file, FREQUENCIES)?;
        if shape != [MODELS, SYMBOLS] {
            let reason = format!("shape {shape:?}, wanted [{MODELS}, {SYMBOLS}]");
            return Err(ModelError::tensor(FREQUENCIES, reason));
        }
        let models: Vec<Categorical> =
            frequencies.chunks_exact(SYMBOLS).filter_map(Categorical::new).collect();
        if models.len() != MODELS {
            return Err(ModelError::tensor(FREQUENCIES, "a row does not sum to 4096"));
        }
        // not copied: it is most of the file
        let coded = match file.tensors.get(CODED) {
            Some(tensor) if tensor.dtype() == DType::U8 && tensor.shape().len() == 1 => {
                tensor.bytes()
            }
            _ => return Err(ModelError::tensor(CODED, "missing, or not of bytes")),
        };
        let lengths = flat_values::<u32>(file, PARTS)?;
        let parts = lengths.len();
        let total: u64 = lengths.iter().map(|&l| u64::from(l)).sum();
        if !(1..=MAX_PARTS).contains(&parts) || total != coded.len() as u64 {
            return Err(ModelError::tensor(PARTS, "not the lengths of 1 to 64 parts"));
        }
        // a level's symbol is its place and 1; others cannot be told from none
        let mut history_of = [0u8; 256];
        history_of[1..=levels.len()].copy_from_slice(&levels);
        let wrong = |reason| ModelError::tensor(CODED, reason);
        let reader = Reader { models: &models, history_of, branches: branches() };
        let mut slots = vec![PrimedSlot::default(); count];
        let mut parts_here = Vec::with_capacity(parts);
        let (mut coded, mut rest) = (coded, &mut slots[..]);
        for (i, &length) in lengths.iter().enumerate() {
            let (part, later) = coded.split_at(length as usize);
            let (to, others) = rest.split_at_mut(range(count, parts, i).len());
            (coded, rest) = (later, others);
            parts_here.push((part, to));
        }
        reader.read(&mut parts_here).map_err(wrong)?;
        if slots.is_sorted_by(|a, b| a.hash < b.hash) {
            Ok(Self::from_sorted(slots))
        } else {
            Err(wrong("hashes do not ascend"))
        }
    }
}

/// What the slots of every part are read with.
struct Reader<'m> {
    models: &'m [Categorical],
    history_of: [u8; 256],
    branches: [[u8; 2]; 256],
}

impl Reader<'_> {
    /// Reads all parts, each from its bytes to its slots, on as many threads as there
    /// are cores.
    fn read(&self, parts: &mut [(&[u8], &mut [PrimedSlot])]) -> Result<(), &'static str> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(parts.len());
        parallel::for_each(threads, parts.iter_mut(), |(coded, slots)| self.part(coded, slots))
    }

    fn part(&self, coded: &[u8], slots: &mut [PrimedSlot]) -> Result<(), &'static str> {
        let mut decoder = SymbolDecoder::new(coded).map_err(|_| "ends in a zero byte")?;
        let mut next = 0u64;
        for slot in slots {
            let length = u32::from(decoder.symbol(&self.models[0]));
            if length == 0 {
                return Err("hashes do not ascend");
            }
            let mut distance = 1u64 << (length - 1);
            let mut at = 0;
            while at < length - 1 {
                let bits = (length - 1 - at).min(12);
                distance |= u64::from(decoder.bits(bits)) << at;
                at += bits;
            }
            next += distance;
            let hash = u32::try_from(next - 1).map_err(|_| "a hash has 33 bits")?;
            let mut histories = [0u8; SLOT];
            histories[1] = self.history_of[usize::from(decoder.symbol(&self.models[1]))];
            if histories[1] == 0 {
                return Err("an empty slot");
            }
            for node in 2..SLOT {
                let class = self.branches[usize::from(histories[node / 2])][node & 1];
                if class != 0 {
                    let symbol = decoder.symbol(&self.models[model_of(node, class)]);
                    histories[node] = self.history_of[usize::from(symbol)];
                }
            }
            *slot = PrimedSlot { hash, histories };
        }
        if decoder.is_exhausted() { Ok(()) } else { Err("bits are left over") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::history::FACTS;
    use crate::stream::slots::SlotTable;
    use crate::stream::start::slots::choose_levels;
    use crate::stream::testing::Random;

    /// Slots as contexts would leave them.
    fn primed(n: u32) -> PrimedSlots {
        let mut random = Random(17);
        let mut slots = Vec::new();
        for i in 0..n {
            let mut histories = [0; SLOT];
            for _ in 0..3 + i % 40 {
                let nibble = random.signed(3).unsigned_abs() as usize + 3;
                let mut node = 1;
                for k in (0..4).rev() {
                    let bit = nibble >> k & 1;
                    histories[node] = (FACTS[usize::from(histories[node])] >> (8 * bit)) as u8;
                    node = node << 1 | bit;
                }
            }
            let hash = (i + 1).wrapping_mul(0x9e37_79b1);
            slots.push(PrimedSlot { hash, histories });
        }
        let mut uses = [0; 256];
        for &h in slots.iter().flat_map(|s| &s.histories[1..]) {
            uses[usize::from(h)] += 1;
        }
        let levels = choose_levels(&uses, 20);
        assert!(levels.len() > 10);
        PrimedSlots::new(slots, &levels)
    }

    #[test]
    fn slots_come_back_from_a_file_and_are_found() {
        let slots = primed(20_000);
        assert!(slots.as_slice().len() > 19_600);
        let mut file = ModelFile::default();
        slots.to_file(&mut file);
        assert_eq!(file.tensors[PARTS].elements(), 4);
        let again = PrimedSlots::from_file(&file).unwrap();
        assert!(again == slots);
        let coded = file.tensors[CODED].elements();
        assert!(coded < 9 * slots.as_slice().len(), "{coded} bytes");

        let mut table = SlotTable::new(15);
        again.fill(&mut table);
        let found = again
            .as_slice()
            .iter()
            .filter(|s| {
                let (_, slot) = table.open_one(s.hash);
                slot[1..] == s.histories[1..]
            })
            .count();
        assert!(found > 18_000, "{found}");
    }

    #[test]
    fn no_slots_make_no_tensors() {
        let mut file = ModelFile::default();
        PrimedSlots::default().to_file(&mut file);
        assert!(file.tensors.is_empty() && file.metadata.is_empty());
        assert!(PrimedSlots::from_file(&file).unwrap().as_slice().is_empty());
    }

    #[test]
    fn hostile_files_are_refused_or_harmless() {
        let mut file = ModelFile::default();
        primed(50).to_file(&mut file);
        for count in ["", "0", "49", "2097153", "-1", "99999999999999999999"] {
            let mut bad = file.clone();
            bad.metadata.insert(COUNT.into(), count.into());
            assert!(PrimedSlots::from_file(&bad).is_err(), "{count}");
        }
        let (_, coded) = values::<u8>(&file, CODED).unwrap();
        for i in 0..coded.len() {
            let mut bad = coded.clone();
            bad[i] ^= 0x55;
            file.tensors.insert(CODED.into(), Tensor::from_values(&[bad.len()], &bad));
            let _ = PrimedSlots::from_file(&file);
        }
        file.tensors.insert(CODED.into(), Tensor::from_values(&[coded.len()], &coded));
        let (n, half) = (coded.len() as u32, coded.len() as u32 / 2);
        for lengths in [&[n][..], &[half, n - half], &[n, 0], &[n - 1], &[n + 1], &[0; 65], &[]] {
            file.tensors.insert(PARTS.into(), Tensor::from_values(&[lengths.len()], lengths));
            assert_eq!(PrimedSlots::from_file(&file).is_ok(), lengths == [n], "{lengths:?}");
        }
        // one part twice: the second does not ascend from the first
        let twice = coded.repeat(2);
        file.tensors.insert(CODED.into(), Tensor::from_values(&[twice.len()], &twice));
        file.tensors.insert(PARTS.into(), Tensor::from_values(&[2], &[n, n]));
        file.metadata.insert(COUNT.into(), (2 * primed(50).as_slice().len()).to_string());
        assert!(PrimedSlots::from_file(&file).is_err());

        let (shape, mut frequencies) = values::<u16>(&file, FREQUENCIES).unwrap();
        frequencies[3] += 1;
        file.tensors.insert(FREQUENCIES.into(), Tensor::from_values(&shape, &frequencies));
        assert!(PrimedSlots::from_file(&file).is_err());
        file.tensors.insert(LEVELS.into(), Tensor::from_values(&[2], &[0u8, 255]));
        assert!(PrimedSlots::from_file(&file).is_err());
    }
}
