//! Documents side by side: each lane reads segments of them, one after the other.

use tch::{Device, Tensor};

use crate::made::random::SplitMix64;
use crate::stream::contexts::{Context, language_row};
use crate::stream::language::input_hash;
use crate::stream::past::Past;

/// Bits of a byte, each of which has a node.
pub(super) const BITS: usize = 8;
/// Bytes that a lane reads of a document before it goes on to another.
const SEGMENT: usize = 20_000;

/// What the lanes read: the segments of all documents in a random order, then in another.
struct Order<'a> {
    segments: Vec<&'a [u8]>,
    next: usize,
    random: SplitMix64,
}

impl<'a> Order<'a> {
    fn new(documents: &[&'a [u8]], random: SplitMix64) -> Self {
        let segments = documents.iter().flat_map(|d| d.chunks(SEGMENT)).collect();
        let mut order = Self { segments, next: 0, random };
        order.shuffle();
        order
    }

    fn shuffle(&mut self) {
        for i in (1..self.segments.len()).rev() {
            self.segments.swap(i, (self.random.next_u64() % (i as u64 + 1)) as usize);
        }
    }

    fn segment(&mut self) -> &'a [u8] {
        if self.next == self.segments.len() {
            self.shuffle();
            self.next = 0;
        }
        self.next += 1;
        self.segments[self.next - 1]
    }
}

/// What a lane reads.
struct Lane<'a> {
    bytes: &'a [u8],
    at: usize,
    past: Past,
}

impl<'a> Lane<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, past: Past::default() }
    }
}

/// Some lanes.
pub(super) struct Lanes<'a> {
    /// The inputs of the language model, and the rows of their tables.
    inputs: Vec<(Context, usize)>,
    lanes: Vec<Lane<'a>>,
    order: Order<'a>,
    device: Device,
}

/// Some steps of all lanes, `[step][lane]`.
pub(super) struct Chunk {
    /// Rows that the inputs choose, `[step · lane][input]`.
    pub rows: Vec<u16>,
    /// The last byte, `[step · lane]`.
    pub last: Tensor,
    /// Nodes of the next byte's bits, `[step · lane, 8]`,
    pub nodes: Tensor,
    /// and the bits.
    pub bits: Tensor,
    /// For each step, 0 for the lanes that begin a segment and 1 for the others,
    /// `[lane, 1]`; `None` where none begins.
    pub goes_on: Vec<Option<Tensor>>,
}

impl<'a> Lanes<'a> {
    /// `n` lanes in documents, some of which have bytes.
    pub fn new(
        inputs: Vec<(Context, usize)>,
        documents: &[&'a [u8]],
        n: usize,
        mut random: SplitMix64,
        device: Device,
    ) -> Self {
        let mut order = Order::new(documents, SplitMix64::new(random.next_u64()));
        let lanes = (0..n).map(|_| {
            let bytes = order.segment();
            // so that not all of them end at a time
            let bytes = &bytes[(random.next_u64() % bytes.len() as u64) as usize..];
            Lane::new(bytes)
        });
        let lanes = lanes.collect();
        Self { inputs, lanes, order, device }
    }

    /// The next steps.
    pub fn chunk(&mut self, steps: usize) -> Chunk {
        let (n, inputs) = (self.lanes.len(), self.inputs.len());
        let mut rows = vec![0; steps * n * inputs];
        let mut last = vec![0i64; steps * n];
        let mut nodes = vec![0i64; steps * n * BITS];
        let mut bits = vec![0f32; steps * n * BITS];
        let mut goes_on = vec![1f32; steps * n];
        for (lane, state) in self.lanes.iter_mut().enumerate() {
            for step in 0..steps {
                let i = step * n + lane;
                if state.at == state.bytes.len() {
                    *state = Lane::new(self.order.segment());
                }
                let Lane { bytes, at, past } = state;
                if *at == 0 {
                    goes_on[i] = 0.0;
                }
                past.push(&bytes[..*at]);
                let recent = past.recent();
                last[i] = i64::from(recent.last as u8);
                let chosen = &mut rows[i * inputs..][..inputs];
                for (k, (row, &(context, rows))) in chosen.iter_mut().zip(&self.inputs).enumerate()
                {
                    *row = language_row(recent, context, input_hash(k), rows) as u16;
                }
                let byte = i64::from(bytes[*at]);
                for k in 0..BITS {
                    nodes[i * BITS + k] = 1 << k | byte >> (8 - k);
                    bits[i * BITS + k] = (byte >> (7 - k) & 1) as f32;
                }
                *at += 1;
            }
        }
        let device = self.device;
        let goes_on = goes_on.chunks_exact(n).map(|all| {
            all.contains(&0.0).then(|| Tensor::from_slice(all).view([n as i64, 1]).to(device))
        });
        let shape = [(steps * n) as i64, BITS as i64];
        Chunk {
            rows,
            last: Tensor::from_slice(&last).to(device),
            nodes: Tensor::from_slice(&nodes).view(shape).to(device),
            bits: Tensor::from_slice(&bits).view(shape).to(device),
            goes_on: goes_on.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_read_documents_from_their_beginnings_on() {
        let documents: [&[u8]; 3] = [b"abcdefgh", b"", b"xyz"];
        let inputs = vec![(Context::Byte(1), 256)];
        let random = SplitMix64::new(1);
        let mut lanes = Lanes::new(inputs, &documents, 2, random, Device::Cpu);
        let (mut read, mut begun) = ([Vec::new(), Vec::new()], 0);
        for _ in 0..3 {
            let chunk = lanes.chunk(20);
            let last = Vec::<i64>::try_from(&chunk.last).unwrap();
            assert!(chunk.rows.iter().map(|&row| i64::from(row)).eq(last.iter().copied()));
            for (i, &last) in last.iter().enumerate() {
                let (step, lane) = (i / 2, i % 2);
                let node = chunk.nodes.int64_value(&[i as i64, 7]);
                let byte =
                    ((node & 0x7f) << 1) as u8 | chunk.bits.double_value(&[i as i64, 7]) as u8;
                let goes_on = chunk.goes_on[step]
                    .as_ref()
                    .is_none_or(|all| all.double_value(&[lane as i64, 0]) == 1.0);
                if goes_on {
                    assert_eq!(read[lane].last().copied().map(i64::from), Some(last));
                } else {
                    assert_eq!(last, 0);
                    begun += 1;
                }
                read[lane].push(byte);
            }
        }
        assert!(begun > 10, "{begun}");
        // after what is left of their first segments, whole ones
        for read in read {
            let text =
                String::from_utf8(read).unwrap().replace("abcdefgh", "1").replace("xyz", "2");
            let cut = |c: char| c.is_ascii_lowercase();
            let whole = text.trim_start_matches(cut).trim_end_matches(cut);
            assert!(whole.len() > 5 && whole.chars().all(|c| c == '1' || c == '2'), "{text}");
            assert!(whole.contains('1') && whole.contains('2'), "{text}");
        }
    }
}
