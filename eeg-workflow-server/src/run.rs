use crate::cli::RunOptions;
use std::process::ExitCode;
pub(crate) fn main(_: &RunOptions) -> ExitCode {
    ExitCode::SUCCESS
}
