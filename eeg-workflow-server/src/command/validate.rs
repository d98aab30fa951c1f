//! The command `validate`: whether a workflow is valid, without running it.

use std::io::{self, Write};
use std::process::ExitCode;

use eeg_workflow_core::workflow::{InvalidWorkflow, Workflow};

use crate::cli::{ValidateOptions, exit};
use crate::command::available_modules::AvailableModules;
use crate::command::failure::Failure;
use crate::command::files::{print_diagnostics, print_json, read_workflow};
use crate::command::interrupt::Interrupt;
use crate::validity::Validity;

/// Checks a workflow and prints what there is to say about it.
pub(crate) fn main(options: &ValidateOptions) -> ExitCode {
    check(options).unwrap_or_else(Failure::report)
}

fn check(options: &ValidateOptions) -> Result<ExitCode, Failure> {
    let modules = AvailableModules::open(&options.modules, &Interrupt::listen()?)?;
    let text = read_workflow(&options.workflow)?;
    let plan = Workflow::from_json(&text).and_then(|workflow| workflow.plan(&modules.view));
    let (valid, diagnostics) = match plan {
        Ok(plan) => (true, plan.warnings().to_vec()),
        Err(InvalidWorkflow { diagnostics, .. }) => (false, diagnostics),
    };
    if options.json {
        print_json(&Validity { valid, diagnostics: &diagnostics })?;
    } else {
        print_diagnostics(&options.workflow, &diagnostics);
        if valid {
            writeln!(io::stdout(), "{}: valid", options.workflow.display())?;
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { exit::INVALID.into() })
}
