//! The `run` command: one workflow, without a server.

mod artifacts;
mod details;
mod npy;
mod progress;
mod save;
mod table;

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, atomic};
use std::time::Duration;

use eeg_workflow_core::block::{BlockError, FileRoots};
use eeg_workflow_core::engine::{
    Engine, EngineOptions, Event, Run, RunOptions as EngineRun, RunStatus,
};
use eeg_workflow_core::job::Timestamp;
use eeg_workflow_core::workflow::{BlockIndex, Plan, Workflow};

use crate::catalog::{Failure, Modules, print_diagnostics, read};
use crate::cli::{RunOptions, exit};
use crate::error::with_causes;
use artifacts::{Folder, Shown};
use progress::Progress;

/// What became of a block.
#[derive(Default)]
struct Ending {
    state: State,
    elapsed: Option<Duration>,
    log: Vec<Arc<str>>,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Finished(Option<Shown>),
    Failed(String),
    /// Because of the block at this position.
    Skipped(BlockIndex),
    Stopped(String),
}

/// A run that has ended.
struct Ended<'a> {
    workflow: &'a Workflow,
    plan: &'a Plan,
    status: RunStatus,
    started: Timestamp,
    ended: Timestamp,
    blocks: Vec<Ending>,
}

/// Runs the workflow and shows what came of it.
pub(crate) fn main(options: &RunOptions) -> ExitCode {
    run(options).unwrap_or_else(Failure::report)
}

fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let modules = Modules::open(&options.modules)?;
    let text = read(&options.workflow)?;
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
    let saves = save::resolve(&options.save, &plan)?;

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
    let interrupted = cancel_on_interrupt(&run)?;
    let mut folder = Folder::new(options);
    let mut progress = Progress::new(&plan, options.json);
    let (status, blocks) = follow(&events, &plan, &mut folder, &mut progress)?;
    progress.finish();
    let ended = Timestamp::now();
    let report = run.wait();
    let done = Ended { workflow: &workflow, plan: &plan, status, started, ended, blocks };
    if options.json {
        details::print(&done)?;
    } else {
        table::print(&done, &folder)?;
    }
    save::write(&saves, &report)?;
    Ok(match status {
        _ if interrupted.load(atomic::Ordering::Relaxed) => exit::INTERRUPTED.into(),
        RunStatus::Completed if !done.has_failed() => ExitCode::SUCCESS,
        _ => exit::FAILED.into(),
    })
}

impl Ended<'_> {
    /// A block may have failed after all, when what it made could not be written.
    fn has_failed(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.state, State::Failed(_)))
    }
}

/// The workflow with the parameters that the command line replaces.
fn set(mut workflow: Workflow, options: &RunOptions) -> Result<Workflow, Failure> {
    for assignment in &options.set {
        workflow = workflow
            .set_parameter(&assignment.block, &assignment.name, &assignment.value)
            .map_err(|error| Failure::usage(format!("--set: {}", with_causes(&error))))?;
    }
    Ok(workflow)
}

/// Follows the run to its end.
fn follow(
    events: &Receiver<Event>,
    plan: &Plan,
    folder: &mut Folder,
    progress: &mut Progress,
) -> Result<(RunStatus, Vec<Ending>), Failure> {
    let mut blocks: Vec<Ending> =
        std::iter::repeat_with(Ending::default).take(plan.len()).collect();
    let mut end = |block: BlockIndex, state: State, elapsed: Option<Duration>| {
        let place = usize::try_from(block.0).ok().and_then(|index| blocks.get_mut(index));
        if let Some(ending) = place {
            ending.state = state;
            ending.elapsed = elapsed;
        }
    };
    let mut logs: Vec<(BlockIndex, Arc<str>)> = Vec::new();
    let status = loop {
        // The sender lives until the run has ended, and that is the last event.
        let Ok(event) = events.recv() else { break RunStatus::Failed };
        progress.event(&event);
        match event {
            Event::BlockFinished { block, display, elapsed, .. } => {
                let id = plan.id(block).map(ToString::to_string).unwrap_or_default();
                let shown = display.map(|display| folder.keep(&id, &display)).transpose();
                let state = match shown {
                    Ok(shown) => State::Finished(shown),
                    Err(error) => State::Failed(format!("what it made cannot be written: {error}")),
                };
                end(block, state, Some(elapsed));
            }
            Event::BlockFailed { block, error, elapsed } => {
                end(block, State::Failed(error.details()), Some(elapsed));
            }
            Event::BlockSkipped { block, cause } => end(block, State::Skipped(cause), None),
            Event::BlockCancelled { block, stop } => {
                end(block, State::Stopped(BlockError::from(stop).to_string()), None);
            }
            Event::BlockLog { block, line } => logs.push((block, line)),
            Event::RunFinished { status } => break status,
            _ => {}
        }
    };
    for (block, line) in logs {
        if let Some(ending) = usize::try_from(block.0).ok().and_then(|index| blocks.get_mut(index))
        {
            ending.log.push(line);
        }
    }
    Ok((status, blocks))
}

/// Cancels the run when the user interrupts the program; a second time ends it at once.
fn cancel_on_interrupt(run: &Run) -> Result<Arc<atomic::AtomicBool>, Failure> {
    let interrupted = Arc::new(atomic::AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut interrupt = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
    };
    let (run, was_interrupted) = (run.clone(), interrupted.clone());
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        runtime.block_on(async {
            interrupt.recv().await;
            was_interrupted.store(true, atomic::Ordering::Relaxed);
            run.cancel();
            interrupt.recv().await;
            std::process::exit(exit::INTERRUPTED.into());
        });
    })?;
    Ok(interrupted)
}
