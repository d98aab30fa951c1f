//! What the program does, one file or folder a command.

mod available_modules;
pub(crate) mod blocks;
mod failure;
mod files;
pub(crate) mod install;
mod interrupt;
mod open_files;
pub(crate) mod run;
pub(crate) mod serve;
mod stop_signals;
mod telemetry;
pub(crate) mod users;
pub(crate) mod validate;
