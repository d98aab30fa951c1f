//! What tests share.
#![allow(unreachable_pub)]

pub mod common;
pub mod edf_files;
pub mod eeg_signal;
pub mod eeg_support;
pub mod jobs;
pub mod lab;
pub mod python;
pub mod python_lab;
pub mod sandbox_support;
pub mod zips;
