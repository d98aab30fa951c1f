//! The `run` command: one workflow, without a server.

mod artifacts;
mod ended;
mod npy;
mod progress;
mod save;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use eeg_workflow_core::block::{BlockError, FileRoots, OwnerId};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, RunOptions as EngineRun, RunStatus};
use eeg_workflow_core::job::{BlockState, Job, JobId, JobState, JobStatus, Phase, Timestamp};
use eeg_workflow_core::workflow::{BlockIndex, Plan, Workflow};

use crate::cli::{AssignmentParts, RunOptions, exit};
use crate::command::available_modules::AvailableModules;
use crate::command::failure::Failure;
use crate::command::files::{print_diagnostics, read_workflow};
use crate::command::interrupt::Interrupt;
use crate::text::with_causes;
use artifacts::Folder;
use ended::Ended;
use progress::Progress;
use save::find_block;

/// Runs the workflow and shows what came of it.
pub(crate) fn main(options: &RunOptions) -> ExitCode {
    run(options).unwrap_or_else(Failure::report)
}

fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let interrupt = Interrupt::listen()?;
    let modules = AvailableModules::open(&options.modules, &interrupt)?;
    let text = read_workflow(&options.workflow)?;
    let planned = Workflow::from_json(&text).map(|workflow| set(workflow, options));
    let planned = planned.and_then(|workflow| match workflow {
        Ok(workflow) => workflow.plan(&modules.view).map(|plan| Ok((workflow, plan))),
        Err(failure) => Ok(Err(failure)),
    });
    let (workflow, plan) = match planned {
        Ok(planned) => planned?,
        Err(invalid) => {
            print_diagnostics(&options.workflow, &invalid.diagnostics);
            return Ok(exit::INVALID.into());
        }
    };
    print_diagnostics(&options.workflow, plan.warnings());
    check_set(&plan, options)?;
    let saves = save::resolve(&options.save, &plan)?;
    let mut folder = Folder::new(options)?;

    let threads = options.threads.map(usize::from);
    let engine = Engine::new(EngineOptions { threads, ..EngineOptions::default() })
        .map_err(|error| Failure::failed(with_causes(&error)))?;
    let (sender, events) = channel::<Event>();
    let started = Timestamp::now();
    let run = engine.start(
        &plan,
        EngineRun {
            listener: Some(Arc::new(sender)),
            keep: save::keep(&saves),
            files: options.files.clone().map(FileRoots::new),
            ..EngineRun::default()
        },
    );
    interrupt.cancels(&run);
    let mut progress = Progress::new(&plan, options.json);
    let (state, elapsed) = follow(&events, &plan, &mut folder, &mut progress, &interrupt);
    progress.finish();
    let report = run.wait();
    let document = workflow.as_json().into();
    let job =
        Job { id: JobId(0), owner: OwnerId::LOCAL, started, document, modules: Vec::new(), state };
    let done = Ended { job, elapsed };
    if options.json {
        let details = done.job.details().map_err(|error| Failure::failed(error.to_string()))?;
        writeln!(io::stdout().lock(), "{details}")?;
    } else {
        table::print(&done, &plan, &folder)?;
    }
    save::write(&saves, &report)?;
    Ok(match done.job.state.status {
        _ if interrupt.was_interrupted() => exit::INTERRUPTED.into(),
        JobStatus::Completed => ExitCode::SUCCESS,
        _ => exit::FAILED.into(),
    })
}

/// The workflow with the parameters that the command line replaces.
fn set(mut workflow: Workflow, options: &RunOptions) -> Result<Workflow, Failure> {
    let ids = workflow.block_ids();
    for assignment in &options.set {
        let AssignmentParts { block, name, value } = assignment.parts(|id| ids.contains(id));
        workflow = workflow
            .set_parameter(block, name, value)
            .map_err(|error| Failure::usage(format!("--set: {}", with_causes(&error))))?;
    }
    Ok(workflow)
}

/// Refuses parameters that their blocks do not have.
fn check_set(plan: &Plan, options: &RunOptions) -> Result<(), Failure> {
    for assignment in &options.set {
        let parts = assignment.parts(|id| find_block(plan, id).is_some());
        let block = find_block(plan, parts.block).and_then(|block| plan.block(block));
        let has_it = block.is_some_and(|block| {
            block.spec().parameters().iter().any(|parameter| parameter.name == parts.name)
        });
        if !has_it {
            let AssignmentParts { block, name, .. } = parts;
            let problem = format!("--set: block {block} has no parameter \"{name}\"");
            return Err(Failure::usage(problem));
        }
    }
    Ok(())
}

/// Follows the run to its end: what became of it, and how long each block took.
fn follow(
    events: &Receiver<Event>,
    plan: &Plan,
    folder: &mut Folder,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> (JobState, Vec<Option<Duration>>) {
    let mut blocks = vec![BlockState::default(); plan.len()];
    let mut times = vec![None; plan.len()];
    let status = loop {
        // The sender lives until the run has ended, and that is the last event.
        let Ok(event) = events.recv() else { break RunStatus::Failed };
        progress.event(&event);
        let (block, phase, elapsed) = match event {
            Event::BlockFinished { block, display, elapsed, .. } => {
                let id = plan.id(block).map(ToString::to_string).unwrap_or_default();
                let shown = display.map(|display| folder.keep(&id, &display)).transpose();
                let phase = shown.map_or_else(
                    |error| {
                        Phase::Failed(format!("what it made cannot be written: {error}").into())
                    },
                    Phase::Finished,
                );
                (block, phase, Some(elapsed))
            }
            // The signal that interrupts a run may end a worker before the run is cancelled.
            Event::BlockFailed { block, elapsed, .. } if interrupt.was_interrupted() => {
                (block, Phase::Cancelled("cancelled".into()), Some(elapsed))
            }
            Event::BlockFailed { block, error, elapsed } => {
                (block, Phase::Failed(error.details().into()), Some(elapsed))
            }
            Event::BlockSkipped { block, cause } => (block, Phase::Skipped(cause.0), None),
            Event::BlockCancelled { block, stop } => {
                (block, Phase::Cancelled(BlockError::from(stop).to_string().into()), None)
            }
            Event::BlockLog { block, line } => {
                if let Some(state) = position(block).and_then(|at| blocks.get_mut(at)) {
                    state.log.get_or_insert_default().push(line);
                }
                continue;
            }
            Event::RunFinished { status } => break status,
            _ => continue,
        };
        let Some(at) = position(block) else { continue };
        if let (Some(state), Some(time)) = (blocks.get_mut(at), times.get_mut(at)) {
            state.phase = phase;
            *time = elapsed;
        }
    };
    // A block may have failed after all, when what it made could not be written.
    let has_failed = blocks.iter().any(|block| matches!(block.phase, Phase::Failed(_)));
    let status = match status {
        _ if interrupt.was_interrupted() => JobStatus::Cancelled,
        RunStatus::Completed if !has_failed => JobStatus::Completed,
        RunStatus::Cancelled => JobStatus::Cancelled,
        _ => JobStatus::Failed,
    };
    let ended = Some(Timestamp::now());
    (JobState { status, ended, blocks, ..JobState::default() }, times)
}

fn position(block: BlockIndex) -> Option<usize> {
    usize::try_from(block.0).ok()
}
