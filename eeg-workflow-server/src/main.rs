//! The program: runs EEG processing workflows from the command line and over HTTP.

mod account_store;
mod block_types;
mod cli;
mod command;
mod data_dir;
mod http;
mod origin;
#[cfg_attr(not(target_os = "linux"), path = "no_python.rs")]
mod python;
mod secret;
mod sync;
mod text;
mod user_entry;
mod validity;

use std::process::ExitCode;

use command::{blocks, install, run, serve, users, validate};

fn main() -> ExitCode {
    match cli::parse() {
        cli::Command::Serve(options) => serve::main(options),
        cli::Command::Run(options) => run::main(&options),
        cli::Command::Validate(options) => validate::main(&options),
        cli::Command::Blocks(options) => blocks::main(&options),
        cli::Command::Modules(cli::ModulesCommand::Install(options)) => install::main(&options),
        cli::Command::Users(options) => users::main(&options),
    }
}
