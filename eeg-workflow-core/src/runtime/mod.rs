//! Blocks whose code runs outside of this process.

pub mod sandbox;
