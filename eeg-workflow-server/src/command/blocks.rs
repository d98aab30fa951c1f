//! The command `blocks`: the block types that there are.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::block_types::{BlockType, block_types};
use crate::cli::BlocksOptions;
use crate::command::available_modules::AvailableModules;
use crate::command::failure::Failure;
use crate::command::files::print_json;
use crate::command::interrupt::Interrupt;

/// Lists the block types.
pub(crate) fn main(options: &BlocksOptions) -> ExitCode {
    list(options).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}

fn list(options: &BlocksOptions) -> Result<(), Failure> {
    let modules = AvailableModules::open(&options.modules, &Interrupt::listen()?)?;
    let types: Vec<BlockType<'_>> =
        modules.view.modules().flat_map(|module| block_types(module, true)).collect();
    if options.json {
        return print_json(&types);
    }
    let mut out = io::stdout().lock();
    let mut module = "";
    for block in &types {
        if module != block.module {
            module = block.module;
            writeln!(out, "{module}")?;
        }
        writeln!(out, "  {}", block.summary())?;
    }
    Ok(())
}
