//! What tests share.
#![allow(unreachable_pub)]

pub mod common;
pub mod python_lab;
