//! Signals: sounds and pictures, stored as plain numbers, their samples.
//!
//! Neighbouring numbers are close to each other, which contexts of bytes hardly see. So
//! where a block has a header that is known ([`find`]), its numbers are predicted from
//! those before them by filters that adapt, and what is coded is the
//! difference ([`filter`]); contexts of their own say how large it is likely to be
//! ([`near`]). Where the numbers are and how they lie stands in the payload ([`regions`]),
//! so that a decoder needs no header. Pictures of one bit a pixel are coded as they are; their
//! contexts see the pixels around ([`pixels`]).

pub mod filter;
pub mod find;
pub mod layout;
pub mod near;
pub mod pixels;
mod predict;
pub mod regions;
