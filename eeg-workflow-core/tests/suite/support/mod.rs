//! What tests share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr
)]

pub mod common;
pub mod edf_files;
pub mod eeg_signal;
pub mod eeg_support;
pub mod jobs;
pub mod lab;
pub mod needs;
pub mod python;
pub mod python_lab;
pub mod sandbox_support;
pub mod zips;
