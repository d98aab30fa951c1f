//! Tests beside real packages from PyPI; each module says what it needs. They are ignored unless
//! asked for: `cargo test --test real mne -- --ignored`.

mod differential;
mod mne;
mod modules;
mod onnxruntime;
mod packages;
#[path = "../suite/support/mod.rs"]
mod support;
