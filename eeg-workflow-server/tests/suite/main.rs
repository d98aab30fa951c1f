//! The server and the command line from outside: a real process, real sockets, real files.

mod accounts;
mod auth;
mod command_line;
mod events;
mod files;
mod hosts;
mod imports;
mod limits;
mod operators;
mod python_commands;
mod python_modules;
mod python_workers;
mod restart;
mod schedule;
mod sessions;
mod support;
mod transcripts;
