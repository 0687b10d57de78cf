//! Places of documents, and what the inputs choose there.

use crate::made::random::SplitMix64;
use crate::stream::contexts::{Context, language_row};
use crate::stream::language::input_hash;
use crate::stream::past::Past;

/// Every place of some documents.
pub(super) struct Places {
    /// All documents.
    data: Vec<u8>,
    /// Row of each input at each place, `[input][place]`.
    rows: Vec<Vec<u16>>,
}

impl Places {
    /// Runs over the documents; `shapes` has the rows and width of each input's table.
    pub fn new(contexts: &[Context], shapes: &[[usize; 2]], documents: &[&[u8]]) -> Self {
        let len = documents.iter().map(|d| d.len()).sum();
        let mut places = Self {
            data: Vec::with_capacity(len),
            rows: contexts.iter().map(|_| Vec::with_capacity(len)).collect(),
        };
        for document in documents {
            let mut past = Past::default();
            for n in 0..document.len() {
                past.push(&document[..n]);
                for (i, (&context, &[rows, _])) in contexts.iter().zip(shapes).enumerate() {
                    let row = language_row(past.recent(), context, input_hash(i), rows);
                    places.rows[i].push(row as u16);
                }
            }
            places.data.extend_from_slice(document);
        }
        places
    }

    /// `n` random places: the rows of their inputs, `[place][input]`, and their bytes.
    pub fn batch(
        &self,
        n: usize,
        random: &mut SplitMix64,
        index: &mut Vec<u16>,
        bytes: &mut Vec<u8>,
    ) {
        index.clear();
        bytes.clear();
        for _ in 0..n {
            let place = (random.next_u64() % self.data.len() as u64) as usize;
            index.extend(self.rows.iter().map(|rows| rows[place]));
            bytes.push(self.data[place]);
        }
    }
}
