//! Engines: the same integers, faster.
//!
//! An engine evaluates a network exactly as the scalar reference in
//! [`crate::made`] does; tests compare them. `native` is plain Rust and can do
//! everything, one step at a time or in bulk; `torch` evaluates many positions at
//! once on libtorch, where it proves its products exact when a model is loaded
//! and checks known answers when it starts; of each window that it evaluates, a sample
//! is compared with `native`.

pub mod blocks;
#[cfg(feature = "torch")]
mod cuda;
pub mod dot;
pub mod error;
pub mod kernel;
pub mod language_native;
mod nodes;
pub mod records;
pub mod records_native;
#[cfg(feature = "torch")]
pub mod records_torch;
pub mod recurrent_native;
#[cfg(feature = "torch")]
pub mod squash_torch;
pub mod stream_native;
#[cfg(feature = "torch")]
pub mod stream_torch;
#[cfg(feature = "torch")]
pub mod torch;
pub mod window_native;
#[cfg(feature = "torch")]
pub mod window_torch;

pub use error::EngineError;
