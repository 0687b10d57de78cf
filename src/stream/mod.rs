//! The stream model.
pub mod adaptive;
pub mod apm;
pub mod block;
pub mod codec;
pub mod content;
pub mod contexts;
pub mod direct;
pub mod estimator;
pub mod evidence;
pub mod history;
pub mod instruction;
pub mod language;
pub mod matcher;
pub mod memory;
pub mod mixer;
pub mod model;
pub mod network;
pub mod online;
pub mod part;
pub mod predictor;
pub mod record;
pub mod row;
pub mod slots;
pub mod start;
#[cfg(test)]
pub(crate) mod testing;
pub mod x86;
