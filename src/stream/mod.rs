//! The stream model.
pub mod adaptive;
pub mod apm;
pub mod contexts;
pub mod evidence;
pub mod history;
pub mod matcher;
pub mod mixer;
pub mod online;
pub mod slots;
