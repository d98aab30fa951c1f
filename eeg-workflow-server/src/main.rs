//! The program: runs EEG processing workflows from the command line and over HTTP.

mod api;
mod app;
mod auth;
mod body;
mod catalog;
mod cli;
mod connection;
mod data_dir;
mod download;
mod error;
mod interrupt;
mod metrics;
mod packages;
#[cfg_attr(not(target_os = "linux"), path = "no_python.rs")]
mod python;
mod request;
mod response;
mod router;
mod run;
mod serve;
mod telemetry;
mod terminal;
mod user_files;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse() {
        cli::Command::Serve(options) => serve::main(options),
        cli::Command::Run(options) => run::main(&options),
        cli::Command::Validate(options) => catalog::validate(&options),
        cli::Command::Blocks(options) => catalog::blocks(&options),
        cli::Command::Modules(cli::ModulesCommand::Install(options)) => packages::install(&options),
    }
}
