//! Entropy coding: probabilities and bits to bytes and back.
//!
//! The coder is the asymmetric numeral system of the `constriction` crate with
//! 32-bit words, a 64-bit state and 16-bit probabilities. ANS is a stack: what
//! is pushed last is popped first. The encoder therefore keeps the probabilities
//! of a segment (two bytes a bit) and pushes the bits in reverse, so that the
//! decoder, which must run forward because every probability depends on the bits
//! before it, simply pops.
//!
//! ```
//! use madezip::coder::{Decoder, encode_bits};
//!
//! let bits = [true, false, true, true];
//! let p1 = [60000, 300, 40000, 65535]; // probability of `true`, of 65536
//! let coded = encode_bits(&p1, |i| bits[i]);
//! assert_eq!(coded.len(), 2); // 0.13 + 0.01 + 0.71 + 0.00 bits, and the coder's state
//! let mut decoder = Decoder::new(&coded).unwrap();
//! for (&p, &bit) in p1.iter().zip(&bits) {
//!     assert_eq!(decoder.decode_bit(p), bit);
//! }
//! assert!(decoder.is_exhausted());
//! ```

mod bernoulli;
mod block;
mod categorical;
mod choice;
mod record;
mod stack;
mod symbols;

pub use bernoulli::Bernoulli;
pub use block::{Decoder, NotCanonical, NotReversible, encode_bits, encode_checked, ideal_bits};
pub use categorical::{Categorical, SYMBOL_BITS};
pub use choice::Choice;
pub use record::{RecordDecoder, RecordEncoder};
pub use stack::Stack;
pub use symbols::{Impossible, Item, SymbolDecoder, encode_symbols};
