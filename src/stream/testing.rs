//! Random models and data for tests.

use super::coding::Level;
use super::content::Content;
use super::contexts::Context;
use super::effort::{Effort, Sparing};
use super::language::{Input, Language, NODES, parse_inputs};
use super::model::{Parts, StreamModel};
use super::network::{Network, Table, gate_count, input_count, known_count};
use super::part::Part;
use super::recurrent::Recurrent;
use super::row::MATCH_CLASSES;
use crate::made::error::ModelError;
use crate::made::integer::Linear;

/// Sixteen contexts for x86 code.
const X86_CONTEXTS: &str =
    "o1 o2 o3 o4 again code0 code1 s2 s34 codes4 opcode operand codes2 code3 code2 codes3";

/// Sixteen for signals.
const SIGNAL_CONTEXTS: &str = "level wide long longer west wests north corners across acrosses \
    mean peak signs lane o2 o4";

/// Sixteen for bilevel pictures.
const BILEVEL_CONTEXTS: &str = "p2.1 p4.2 p4.2.1 p6.3.2.1 p6.4.3.2 p8.5.4.3.2 p16.1.0 p3.8 \
    p1.1.1.1.1 p1.0.0.0.0.0.0 p24.7 p0.4.6 p32 p10.7.5 p8.6.6.5.5.4.3 o2";

const BEST_CONTEXTS: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip \
    cell o0 o8 s23 s13 s3 field s24 s134 s5 s45 s56 s67 s78 s15 s1235 s16";

const FAST_CONTEXTS: &str = "o1 o2 o3 o4 o6 pair shape rows";

impl StreamModel {
    /// The model with another part at the default level for a kind of content, or without;
    /// plain content keeps its own.
    pub fn with_part(self, content: Content, part: Option<Part>) -> Result<Self, ModelError> {
        let parts = self.default.clone().with(content, part);
        self.with_level(Level::Default, parts)
    }
}

/// A small generator; statistical quality does not matter here.
pub struct Random(pub u64);

impl Random {
    /// Uniform in ±bound.
    pub fn signed(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as i64 % (bound + 1) * if self.0 & 1 == 0 { 1 } else { -1 }
    }

    /// Uniform below a bound.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.signed(i64::from(bound) - 1).unsigned_abs() as u32
    }

    fn table(&mut self, rows: usize, units: usize, bound: i64) -> Table {
        Table { entries: (0..rows * units).map(|_| self.signed(bound) as i16).collect(), units }
    }

    fn linear(&mut self, inputs: usize, outputs: usize, bound: i64) -> Linear {
        Linear {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|_| self.signed(bound) as i16).collect(),
            bias: (0..outputs).map(|_| self.signed(1 << 14) as i32).collect(),
        }
    }

    /// A language model with random weights and layers of these sizes.
    pub fn language(&mut self, inputs: &str, [units, second]: [usize; 2]) -> Language {
        let parsed = parse_inputs(inputs).expect("inputs");
        let inputs_of = |random: &mut Self, context| {
            let rows = if matches!(context, Context::Byte(_)) { 256 } else { 64 };
            let width = if rows == 256 { units } else { units.div_ceil(3) };
            let table = (0..rows * width).map(|_| random.signed(127) as i8).collect();
            Input { context, table, rows, width }
        };
        Language {
            names: inputs.into(),
            inputs: parsed.into_iter().map(|c| inputs_of(self, c)).collect(),
            bias: (0..units).map(|_| self.signed(200) as i16).collect(),
            second: self.linear(units, second, 200),
            output: self.linear(second, NODES, 300),
            recurrent: None,
        }
    }

    /// A recurrent layer with random weights, for so many units of the language model's first
    /// layer, of a state and of a second layer.
    pub fn recurrent(&mut self, first: usize, [state, second]: [usize; 2]) -> Recurrent {
        let mut layer = |inputs, outputs, weight, bias| {
            let weights = (0..outputs * inputs).map(|_| self.signed(weight) as i16).collect();
            let bias = (0..outputs).map(|_| self.signed(bias) as i32).collect();
            Linear { inputs, outputs, weights, bias }
        };
        Recurrent {
            input: layer(first, 3 * state, 64, 1 << 11),
            gates: layer(state, 3 * state, 64, 0),
            skip: layer(first, second, 64, 1 << 11),
            second: layer(state, second, 64, 0),
            output: layer(second, NODES, 127, 1 << 11),
            table: (0..256 * 3 * state).map(|_| self.signed(127) as i8).collect(),
        }
    }

    /// A model with random weights, of sizes that are no multiples of anything, with parts
    /// for x86 code and other levels.
    pub fn model(&mut self, contexts: &str) -> StreamModel {
        // the units of the language model, and some of its recurrent layer's
        let (plain, x86) = (self.part(contexts, 21 + 9), self.part(X86_CONTEXTS, 0));
        let signal = self.part(SIGNAL_CONTEXTS, 0);
        let bilevel = self.part(BILEVEL_CONTEXTS, 0);
        let mut language = self.language("b1 b2 b9 word before o2", [70, 21]);
        language.recurrent = Some(self.recurrent(language.bias.len(), [24, 13]));
        let best = Parts { x86: Some(self.part(BEST_CONTEXTS, 0)), ..self.plain(BEST_CONTEXTS) };
        // with weights for a language model that does not speak there
        let mut fast = self.part(FAST_CONTEXTS, 21);
        fast.weights = fast.weights.folded(8, 2, 2);
        let fast = Parts {
            plain: fast,
            x86: Some(self.part("o1 o2 o3 o4 code0 s2 s34 again", 0)),
            signal: Some(self.part("level across o2 o1 wests mean peak o4", 0)),
            bilevel: Some(self.part("p4.2.1 p2.1 p12 p0.2.2.2 p6.4.3.2 p3.8 o2 rows", 0)),
        };
        let model = StreamModel::new(plain)
            .and_then(|model| model.with_part(Content::X86, Some(x86)))
            .and_then(|model| model.with_part(Content::Signal, Some(signal)))
            .and_then(|model| model.with_part(Content::Bilevel, Some(bilevel)))
            .and_then(|model| model.with_level(Level::Best, best))
            .and_then(|model| model.with_level(Level::Fast, fast));
        model.expect("a valid model").with_language(Some(language))
    }

    /// A level of one part.
    fn plain(&mut self, contexts: &str) -> Parts {
        Parts::new(self.part(contexts, 21))
    }

    /// A part with random weights.
    fn part(&mut self, contexts: &str, language_units: usize) -> Part {
        let n = contexts.split_whitespace().count();
        let (c, u, v) = (13, 37, 21);
        let first = self.linear(input_count(n), u, 300);
        // x86 code has one layer, as the shipped models do
        let second = (n > 8 && !contexts.contains("code")).then(|| self.linear(u, v, 200));
        let last = if second.is_some() { v } else { u };
        let network = Network {
            previous: [
                self.table(256, c, 4000),
                self.table(256, c, 4000),
                self.table(256, c, 4000),
            ],
            costs: self.linear(known_count(n, language_units), c, 300),
            context: self.linear(c, u, 200),
            partial: self.table(256, u, 8000),
            matched: [self.table(MATCH_CLASSES, u, 8000), self.table(MATCH_CLASSES, u, 8000)],
            seen: self.table(n + 1, u, 8000),
            first,
            second,
            gates: self.linear(last, gate_count(n), 60),
            gate_table: self.table(256, gate_count(n), 3000),
        };
        let maps = (0..256 * n).map(|_| (self.signed(65535).unsigned_abs() as u16, 3)).collect();
        let mut part = Part::new(contexts, 255, maps, network).expect("a valid part");
        let effort = Effort { no_language: 16, no_direct: 32, sure: 1000 };
        part.sparing = (n < 32).then_some(Sparing { from: 1000, effort });
        part.recurrent_to = 3000;
        part
    }

    /// Text-like bytes with repetitions.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut data: Vec<u8> = Vec::with_capacity(len);
        while data.len() < len {
            if data.len() > 50 && self.signed(3) == 0 {
                let from = self.signed(data.len() as i64 - 40).unsigned_abs() as usize;
                let piece = data[from..from + 30].to_vec();
                data.extend(piece);
            } else {
                data.push((self.signed(25) + 97) as u8);
            }
        }
        data.truncate(len);
        data
    }
}

/// Two programs of 64-bit code, all but the beginning of which is at another place in the second
/// one.
pub fn programs(calls: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for (own, data) in [(5, 0x3000), (700, 0x3450)] {
        let start = file.len();
        file.extend(b"\x7fELF\x02\x01\x01");
        file.extend([0x90].repeat(own));
        let mut random = Random(14);
        let relative = |file: &mut Vec<u8>, to: u32| {
            file.extend(to.wrapping_sub((file.len() - start + 4) as u32).to_le_bytes());
        };
        for _ in 0..calls {
            file.extend([0x55, 0x48, 0x8b, 0x05]);
            relative(&mut file, data + 8 * random.below(20));
            file.extend([0x83, 0xec, random.below(99) as u8, 0xe8]);
            relative(&mut file, own as u32 + 64 * random.below(8));
        }
    }
    file
}

/// What looks like x86 code, after bytes that do not: `calls` of five functions.
pub fn code(calls: u32) -> Vec<u8> {
    let mut code = Random(9).bytes(2000);
    for n in 0..calls {
        code.extend([0x8b, n as u8, 0xe8]);
        let target = 0x100 * (n * n % 5);
        code.extend(target.wrapping_sub(code.len() as u32).to_le_bytes());
    }
    code
}
