//! The longer documents.

#[doc = include_str!("../docs/ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../docs/DIAGNOSTICS.md")]
pub mod diagnostics {}

#[doc = include_str!("../docs/MODULES.md")]
pub mod modules {}

#[doc = include_str!("../docs/CHANGELOG.md")]
pub mod changelog {}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
