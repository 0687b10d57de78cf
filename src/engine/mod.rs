//! Engines: fast ways to compute what `made/` defines.
pub mod kernel;
pub mod native;
