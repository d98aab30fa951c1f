//! The server and the command line from outside: a real process, real sockets, real files.

mod accounts;
mod auth;
mod command_line;
mod connections;
mod data_folder;
mod events;
mod files;
mod hosts;
mod imports;
mod kills;
mod limits;
mod metrics;
mod module_archives;
mod operators;
mod python_commands;
mod python_modules;
mod python_workers;
mod requests;
mod restart;
mod schedule;
mod sessions;
mod shared_files;
mod signals;
mod support;
mod transcripts;
