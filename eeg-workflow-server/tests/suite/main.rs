//! The server and the command line from outside: a real process, real sockets, real files.

mod auth;
mod command_line;
mod events;
mod files;
mod imports;
mod limits;
mod module_archives;
mod python_commands;
mod python_modules;
mod python_workers;
mod restart;
mod schedule;
mod support;
mod transcripts;
