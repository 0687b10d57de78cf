//! Proves that training data and measuring corpora share no text.
//!
//! `overlap --against DIR [--cuts FILE] [--report FILE] PATH...` reads every file below DIR, then
//! slides a window of 32 bytes over every file below the PATHs (training and priming data) and
//! reports each window that also occurs in DIR. Exit 1 when there is one.
//!
//! Runs do not count: a window with fewer than five distinct bytes, or one that repeats a pattern of
//! at most eight bytes. Licence texts get no exception here: files that hold licences are never
//! training files, and a licence header inside a source file is cut like any other shared text.
//!
//! Every window of DIR is indexed (rolling 64-bit hash, open addressing, 4 bytes a slot), and a hash
//! that matches is confirmed on the bytes, so the answer is exact in both directions.
//!
//! `--cuts` writes the byte ranges to take out of each training file, the form `fetch.py` reads;
//! `--report` writes the counts as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

/// Bytes of a window.
const WINDOW: usize = 32;
/// A file that loses more than this share of its bytes is dropped whole.
const DROP_SHARE: f64 = 0.3;
/// So is one with more than four cuts that come closer than this many bytes to each other, on
/// average: what is left of it would be fragments.
const CUT_SPACING: usize = 1500;

/// A hash of the last [`WINDOW`] bytes that moves by one byte in constant time (cyclic polynomial).
struct Rolling {
    table: [u64; 256],
    hash: u64,
}

impl Rolling {
    fn new() -> Self {
        // splitmix64: any fixed table of well-mixed words will do.
        let mut state = 0x6d61_6465_7a69_7001u64;
        let table = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self { table, hash: 0 }
    }

    /// Calls `each` with the start and the mixed hash of every window of `data`.
    fn windows(&mut self, data: &[u8], mut each: impl FnMut(usize, u64)) {
        self.hash = 0;
        for (i, &byte) in data.iter().enumerate() {
            self.hash = self.hash.rotate_left(1) ^ self.table[usize::from(byte)];
            if i >= WINDOW {
                let leaving = self.table[usize::from(data[i - WINDOW])];
                self.hash ^= leaving.rotate_left(WINDOW as u32);
            }
            if i + 1 >= WINDOW {
                each(i + 1 - WINDOW, self.hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
        }
    }
}

/// Files one after another in memory.
struct Corpus {
    bytes: Vec<u8>,
    /// Where each file starts, with its name below the folder.
    files: Vec<(usize, String)>,
}

impl Corpus {
    fn read(folder: &Path) -> io::Result<Self> {
        let mut corpus = Self { bytes: Vec::new(), files: Vec::new() };
        for path in files_below(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            corpus.files.push((corpus.bytes.len(), name));
            corpus.bytes.extend(fs::read(&path)?);
        }
        if u32::try_from(corpus.bytes.len()).is_err() {
            return Err(io::Error::other("the folder holds 4 GiB or more; check it in parts"));
        }
        Ok(corpus)
    }

    fn window(&self, at: u32) -> &[u8] {
        &self.bytes[at as usize..at as usize + WINDOW]
    }

    fn file_at(&self, at: u32) -> usize {
        self.files.partition_point(|(start, _)| *start <= at as usize) - 1
    }
}

/// The distinct windows of a corpus.
struct Index<'a> {
    corpus: &'a Corpus,
    /// Position of a window plus one; 0 is an empty slot.
    slots: Vec<u32>,
    /// One bit a hash: answers most look-ups without touching a slot.
    filter: Vec<u64>,
    shift: u32,
}

impl<'a> Index<'a> {
    fn new(corpus: &'a Corpus) -> Self {
        let bits = (corpus.bytes.len().max(64) * 2).next_power_of_two().trailing_zeros();
        let mut index = Self {
            corpus,
            slots: vec![0; 1 << bits],
            filter: vec![0; 1 << (bits - 3)],
            shift: 64 - bits,
        };
        let mut rolling = Rolling::new();
        for (i, (start, _)) in corpus.files.iter().enumerate() {
            let end = corpus.files.get(i + 1).map_or(corpus.bytes.len(), |f| f.0);
            rolling.windows(&corpus.bytes[*start..end], |at, hash| {
                index.insert((start + at) as u32, hash);
            });
        }
        index
    }

    fn insert(&mut self, at: u32, hash: u64) {
        let window = self.corpus.window(at);
        let mut slot = (hash >> self.shift) as usize;
        while self.slots[slot] != 0 {
            if self.corpus.window(self.slots[slot] - 1) == window {
                return;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = at + 1;
        let bit = (hash >> (self.shift - 3)) as usize;
        self.filter[bit / 64] |= 1 << (bit % 64);
    }

    /// Where the corpus has these bytes, if it has them.
    fn find(&self, window: &[u8], hash: u64) -> Option<u32> {
        let bit = (hash >> (self.shift - 3)) as usize;
        if self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
            return None;
        }
        let mut slot = (hash >> self.shift) as usize;
        while self.slots[slot] != 0 {
            let at = self.slots[slot] - 1;
            if self.corpus.window(at) == window {
                return Some(at);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        None
    }
}

/// Whether a window is a run: too regular to say anything about where it came from.
fn is_run(window: &[u8]) -> bool {
    let mut seen = [false; 256];
    let distinct = window.iter().filter(|&&b| !std::mem::replace(&mut seen[b as usize], true));
    distinct.count() < 5 || (1..=8).any(|p| window[p..] == window[..window.len() - p])
}

fn files_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if path.is_file() {
        found.push(path.to_path_buf());
    } else {
        for entry in fs::read_dir(path)? {
            found.extend(files_below(&entry?.path())?);
        }
    }
    found.sort();
    Ok(found)
}

/// What one training file shares.
struct Shared {
    name: String,
    size: usize,
    windows: usize,
    ranges: Vec<(usize, usize)>,
}

impl Shared {
    fn bytes(&self) -> usize {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    fn cut_line(&self) -> String {
        let ranges: Vec<_> = self.ranges.iter().map(|(s, e)| format!("{s}-{e}")).collect();
        let drop = self.bytes() as f64 > DROP_SHARE * self.size as f64
            || ranges.len() > 4.max(self.size / CUT_SPACING);
        format!("{}\t{}", self.name, if drop { "drop".into() } else { ranges.join(",") })
    }
}

/// Everything counted in one comparison.
#[derive(Default)]
struct Tally {
    files: usize,
    bytes: usize,
    windows: usize,
    runs: usize,
    shared: Vec<Shared>,
    by_corpus: BTreeMap<usize, usize>,
}

fn compare(index: &Index, roots: &[PathBuf]) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut rolling = Rolling::new();
    for root in roots {
        for path in files_below(root)? {
            let data = fs::read(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let mut file = Shared { name, size: data.len(), windows: 0, ranges: Vec::new() };
            rolling.windows(&data, |at, hash| {
                tally.windows += 1;
                let Some(place) = index.find(&data[at..at + WINDOW], hash) else { return };
                if is_run(&data[at..at + WINDOW]) {
                    tally.runs += 1;
                    return;
                }
                file.windows += 1;
                *tally.by_corpus.entry(index.corpus.file_at(place)).or_default() += 1;
                match file.ranges.last_mut() {
                    Some((_, end)) if at <= *end => *end = at + WINDOW,
                    _ => file.ranges.push((at, at + WINDOW)),
                }
            });
            tally.files += 1;
            tally.bytes += data.len();
            if file.windows > 0 {
                tally.shared.push(file);
            }
        }
    }
    Ok(tally)
}

fn report(tally: &Tally, corpus: &Corpus) -> String {
    let mut text = String::new();
    let shared: usize = tally.shared.iter().map(|s| s.windows).sum();
    let _ = writeln!(text, "| | |\n|---|---:|");
    for (what, count) in [
        ("measuring files", corpus.files.len()),
        ("measuring bytes", corpus.bytes.len()),
        ("training files", tally.files),
        ("training bytes", tally.bytes),
        ("training windows of 32 bytes", tally.windows),
        ("of them in the measuring files, runs", tally.runs),
        ("of them in the measuring files, not runs", shared),
        ("training files concerned", tally.shared.len()),
    ] {
        let _ = writeln!(text, "| {what} | {count} |");
    }
    if shared > 0 {
        let _ = writeln!(text, "\n| measuring file | shared windows |\n|---|---:|");
        for (file, count) in &tally.by_corpus {
            let _ = writeln!(text, "| {} | {count} |", corpus.files[*file].1);
        }
        let _ = writeln!(text, "\n| training file | shared windows |\n|---|---:|");
        for file in &tally.shared {
            let _ = writeln!(text, "| {} | {} |", file.name, file.windows);
        }
    }
    text
}

fn run() -> Result<bool, String> {
    let mut args = env::args().skip(1);
    let (mut against, mut cuts, mut page, mut roots) = (None, None, None, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--against" => against = args.next(),
            "--cuts" => cuts = args.next(),
            "--report" => page = args.next(),
            _ => roots.push(PathBuf::from(arg)),
        }
    }
    let usage = "usage: overlap --against DIR [--cuts FILE] [--report FILE] PATH...";
    let against = PathBuf::from(against.ok_or(usage)?);
    if roots.is_empty() {
        return Err(usage.into());
    }
    let corpus = Corpus::read(&against).map_err(|e| format!("{}: {e}", against.display()))?;
    if corpus.bytes.len() < WINDOW {
        return Err(format!("{}: nothing to compare with", against.display()));
    }
    let tally = compare(&Index::new(&corpus), &roots).map_err(|e| format!("{roots:?}: {e}"))?;
    if tally.bytes == 0 {
        return Err(format!("{roots:?}: no training data; run `corpora/fetch.py training` first"));
    }
    let text = report(&tally, &corpus);
    let _ = io::stdout().write_all(text.as_bytes()); // a closed pipe is no error
    if let Some(path) = page {
        fs::write(&path, &text).map_err(|e| format!("{path}: {e}"))?;
    }
    if let Some(path) = cuts {
        let lines: Vec<_> = tally.shared.iter().map(Shared::cut_line).collect();
        fs::write(&path, lines.join("\n") + "\n").map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(tally.shared.is_empty())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("overlap: training data and measuring corpora share text");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("overlap: {message}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared_with(corpus: &[u8], training: &[u8]) -> Tally {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, corpus).unwrap();
        fs::write(&b, training).unwrap();
        compare(&Index::new(&Corpus::read(&a).unwrap()), &[b]).unwrap()
    }

    #[test]
    fn a_single_common_window_is_found_at_every_alignment() {
        let text: Vec<u8> = (0..200u32).map(|i| (i * i * 7 + i / 3) as u8).collect();
        for at in 0..100 {
            let mut training = vec![b'#'; 40 + at % 17];
            training.extend(&text[at..at + WINDOW]);
            training.extend([b'#'; 40]);
            let tally = shared_with(&text, &training);
            assert_eq!(tally.shared[0].ranges, [(40 + at % 17, 40 + at % 17 + WINDOW)]);
        }
    }

    #[test]
    fn a_window_that_differs_in_one_byte_is_not_shared() {
        let text: Vec<u8> = (0..64u32).map(|i| (i * 37) as u8).collect();
        let mut other = text.clone();
        for i in (0..64).step_by(31) {
            other[i] ^= 1;
        }
        assert!(shared_with(&text, &other).shared.is_empty());
    }

    #[test]
    fn runs_do_not_count() {
        let tally = shared_with(&b"abcdefgh".repeat(20), &b"abcdefgh".repeat(9));
        assert!(tally.shared.is_empty() && tally.runs > 0);
    }
}
