//! What tests share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr
)]

pub mod common;
#[path = "../../../../eeg-workflow-core/tests/suite/support/needs.rs"]
pub mod needs;
pub mod python_lab;
