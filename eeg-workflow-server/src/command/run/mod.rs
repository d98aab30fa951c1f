//! The `run` command: one workflow, without a server.

mod npy;
mod progress;
mod save;
mod table;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use eeg_workflow_core::block::{FileRoots, OwnerId};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, RunOptions as EngineRun, RunStatus};
use eeg_workflow_core::job::{
    ArtifactFolder, Job, JobId, JobStatus, JobToken, RunRecorder, Timestamp,
};
use eeg_workflow_core::workflow::{Plan, Workflow};

use crate::cli::{AssignmentParts, RunOptions, exit};
use crate::command::available_modules::AvailableModules;
use crate::command::failure::Failure;
use crate::command::files::{print_diagnostics, read_workflow};
use crate::command::interrupt::Interrupt;
use crate::text::with_causes;
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
    let folder = output_folder(options)?;

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
    let recorder = follow(&events, &plan, folder, &mut progress, &interrupt);
    progress.finish();
    let report = run.wait();
    if options.json {
        let job = Job {
            id: JobId(0),
            token: JobToken(0),
            owner: OwnerId::LOCAL,
            started,
            document: workflow.as_json().into(),
            modules: Vec::new(),
            state: recorder.state().clone(),
        };
        let details = job.details().map_err(|error| Failure::failed(error.to_string()))?;
        writeln!(io::stdout().lock(), "{details}")?;
    } else {
        table::print(&recorder, &plan)?;
    }
    save::write(&saves, &report)?;
    Ok(match recorder.state().status {
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
        workflow = workflow.set_parameter(block, name, value).map_err(|error| {
            let (path, problem) = (options.workflow.display(), with_causes(&error));
            Failure::usage(format!("{path}: --set: {problem}"))
        })?;
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
            let path = options.workflow.display();
            let problem = format!("{path}: --set: block {block} has no parameter \"{name}\"");
            return Err(Failure::usage(problem));
        }
    }
    Ok(())
}

/// Where files go that blocks make: the folder that the command line names, which is made now, or
/// a new one named after the workflow, which is made when there is something to put into it.
fn output_folder(options: &RunOptions) -> Result<ArtifactFolder, Failure> {
    if let Some(path) = &options.output {
        fs::create_dir_all(path)
            .map_err(|error| Failure::usage(format!("--output {}: {error}", path.display())))?;
        return Ok(ArtifactFolder::new(path));
    }
    let stem = options.workflow.file_stem().unwrap_or_default().to_string_lossy();
    Ok(ArtifactFolder::numbered(format!("{stem}-output")))
}

/// Follows the run to its end.
fn follow(
    events: &Receiver<Event>,
    plan: &Plan,
    folder: ArtifactFolder,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> RunRecorder {
    let mut recorder = RunRecorder::new(plan, folder);
    while recorder.state().ended.is_none() {
        // The sender lives until the run has ended, and that is the last event.
        let Ok(event) = events.recv() else {
            recorder.end(RunStatus::Failed);
            break;
        };
        progress.event(&event);
        // The signal that interrupts a run may end a worker before the run is cancelled.
        if interrupt.was_interrupted() {
            recorder.cancel();
        }
        recorder.record(event);
    }
    recorder
}
