//! Blocks whose code runs outside of this process.

pub mod python;
pub mod sandbox;
