//! Placeholder that is replaced below.
fn main() {}
