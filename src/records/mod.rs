//! Rows of bits: binary tables and bitmaps.
//!
//! A file of records is rows of D bits in ⌈D/8⌉ bytes each, most significant bit
//! first, from a byte offset on. A [`RecordsCodec`] codes a block of it with a
//! network of the same D; bytes before the first row, an incomplete last row and
//! the padding bits after each row's last dimension come back exactly.

pub mod codec;
mod component;
mod decode;
pub mod dependence;
pub mod input;
pub mod layout;
mod mixed;
pub mod model;
pub mod on_demand;
mod payload;
mod posterior;
mod tiles;

pub use codec::RecordsCodec;
pub use input::Table;
pub use layout::Layout;
pub use model::RecordsModel;
