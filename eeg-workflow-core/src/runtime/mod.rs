//! Blocks whose code runs outside of this process.

pub mod python;
mod removal;
pub mod sandbox;
