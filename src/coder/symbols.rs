//! A run of symbols on one ANS stack; the bytes are laid out as those of
//! [`super::encode_bits`].

use constriction::CoderError;
use constriction::stream::{Decode, Encode};

use super::block::{Ans, NotCanonical, ans_of, bytes_of, is_empty, taken};
use super::categorical::{Categorical, SYMBOL_BITS, Uniform};

/// One symbol to code.
#[derive(Clone, Copy, Debug)]
pub enum Item<'m> {
    /// A symbol of a distribution.
    Symbol(&'m Categorical, u8),
    /// A number of so many bits, at most 12.
    Bits(u32, u32),
}

/// A symbol has no interval: its frequency is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible;

/// Codes items so that they come back in this order.
pub fn encode_symbols(items: &[Item]) -> Result<Vec<u8>, Impossible> {
    let mut coder = Ans::new();
    for item in items.iter().rev() {
        let pushed = match *item {
            Item::Symbol(model, symbol) => coder.encode_symbol(symbol, model),
            Item::Bits(bits, value) => coder.encode_symbol(value, Uniform(bits)),
        };
        match pushed {
            Ok(()) => {}
            Err(CoderError::Frontend(_)) => return Err(Impossible),
            Err(CoderError::Backend(never)) => match never {},
        }
    }
    Ok(bytes_of(coder))
}

/// Pops symbols from coded bytes.
#[derive(Debug)]
pub struct SymbolDecoder(Ans);

impl SymbolDecoder {
    /// Takes the bytes of one [`encode_symbols`]. Any bytes that do not end in zero
    /// decode to something.
    pub fn new(bytes: &[u8]) -> Result<Self, NotCanonical> {
        ans_of(bytes).map(Self)
    }

    /// The next symbol of a distribution.
    #[inline(always)]
    pub fn symbol(&mut self, model: &Categorical) -> u8 {
        taken(Decode::<SYMBOL_BITS>::decode_symbol(&mut self.0, model))
    }

    /// A number of so many bits, at most 12.
    #[inline(always)]
    pub fn bits(&mut self, bits: u32) -> u32 {
        taken(self.0.decode_symbol(Uniform(bits)))
    }

    /// Whether every symbol has been taken.
    pub fn is_exhausted(&self) -> bool {
        is_empty(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_bits_come_back_in_order() {
        let model = Categorical::new(&[4000, 0, 96]).unwrap();
        let items: Vec<Item> = (0..1000u32)
            .map(|i| match i % 3 {
                0 => Item::Symbol(&model, if i % 10 == 0 { 2 } else { 0 }),
                1 => Item::Bits(12, i * 4),
                _ => Item::Bits(i % 12, i & ((1 << (i % 12)) - 1)),
            })
            .collect();
        let coded = encode_symbols(&items).unwrap();
        let mut decoder = SymbolDecoder::new(&coded).unwrap();
        for item in &items {
            match *item {
                Item::Symbol(model, symbol) => assert_eq!(decoder.symbol(model), symbol),
                Item::Bits(bits, value) => assert_eq!(decoder.bits(bits), value),
            }
        }
        assert!(decoder.is_exhausted());
        assert_eq!(encode_symbols(&[Item::Symbol(&model, 1)]), Err(Impossible));
        assert_eq!(encode_symbols(&[Item::Symbol(&model, 3)]), Err(Impossible));
        assert_eq!(encode_symbols(&[Item::Bits(2, 4)]), Err(Impossible));
    }
}
