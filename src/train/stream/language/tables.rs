//! The tables of the inputs in floating point.

use std::thread;

use crate::made::random::SplitMix64;

/// One table.
struct Table {
    /// `[rows][width]`.
    entries: Vec<f32>,
    width: usize,
    /// The sum of a row's mean squared gradients.
    squares: Vec<f32>,
}

/// The tables.
pub(super) struct Tables {
    units: usize,
    tables: Vec<Table>,
}

impl Tables {
    /// Small random entries; `shapes` has rows and width of each.
    pub fn new(shapes: &[[usize; 2]], units: usize, random: &mut SplitMix64) -> Self {
        let mut entry = || (random.unit() as f32 - 0.5) * 0.2;
        let tables = shapes
            .iter()
            .map(|&[rows, width]| Table {
                entries: (0..rows * width).map(|_| entry()).collect(),
                width,
                squares: vec![0.0; rows],
            })
            .collect();
        Self { units, tables }
    }

    /// Rows, width and entries of one.
    pub fn table(&self, i: usize) -> ([usize; 2], &[f32]) {
        let table = &self.tables[i];
        ([table.squares.len(), table.width], &table.entries)
    }

    /// Entries and sums of squares of each.
    pub fn values(&self) -> impl Iterator<Item = [&Vec<f32>; 2]> {
        self.tables.iter().map(|table| [&table.entries, &table.squares])
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = [&mut Vec<f32>; 2]> {
        self.tables.iter_mut().map(|table| [&mut table.entries, &mut table.squares])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// The sums of the rows that `index` (`[place][table]`) names, `[place][unit]`.
    pub fn sums(&self, index: &[u16], sums: &mut [f32]) {
        let places = index.chunks_exact(self.tables.len());
        for (index, sums) in places.zip(sums.chunks_exact_mut(self.units)) {
            sums.fill(0.0);
            for (table, &row) in self.tables.iter().zip(index) {
                let row = &table.entries[usize::from(row) * table.width..][..table.width];
                for (s, &e) in sums.iter_mut().zip(row) {
                    *s += e;
                }
            }
        }
    }

    /// Moves the rows against the gradients of their sums, `[place][unit]`.
    pub fn learn(&mut self, index: &[u16], gradients: &[f32], rate: f32, threads: usize) {
        let (n, units) = (self.tables.len(), self.units);
        let share = n.div_ceil(threads.max(1));
        thread::scope(|scope| {
            for (t, tables) in self.tables.chunks_mut(share).enumerate() {
                scope.spawn(move || {
                    for (i, table) in tables.iter_mut().enumerate() {
                        let rows = index.iter().skip(t * share + i).step_by(n);
                        for (&row, g) in rows.zip(gradients.chunks_exact(units)) {
                            let row = usize::from(row);
                            let g = &g[..table.width];
                            table.squares[row] += mean_square(g);
                            let step = rate / (table.squares[row].sqrt() + 1e-6);
                            let entries = &mut table.entries[row * table.width..][..g.len()];
                            for (e, &g) in entries.iter_mut().zip(g) {
                                *e -= step * g;
                            }
                        }
                    }
                });
            }
        });
    }
}

fn mean_square(g: &[f32]) -> f32 {
    // several sums, which the processor makes at once
    let mut sums = [0.0; 8];
    let (chunks, rest) = g.as_chunks::<8>();
    for chunk in chunks {
        for (s, g) in sums.iter_mut().zip(chunk) {
            *s += g * g;
        }
    }
    let sum = sums.iter().sum::<f32>() + rest.iter().map(|g| g * g).sum::<f32>();
    sum / g.len() as f32
}
