//! What the job service costs on top of the engine: jobs of three blocks on the in-memory
//! store, nobody listening. CPU and wall µs a job.
//!
//! `cargo bench -p benches --bench jobs`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod graphs;
mod measure;

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, RunOptions};
use eeg_workflow_core::job::{JobOptions, JobService, MemoryStore};
use eeg_workflow_core::module::ArchiveLimits;
use eeg_workflow_core::module::ModuleLibrary;
use eeg_workflow_core::workflow::Workflow;
use measure::{measure, median};

const JOBS: usize = 20_000;
const ROUNDS: usize = 7;

fn main() {
    let folder = std::env::temp_dir().join(format!("bench-jobs-{}", std::process::id()));
    let library = ModuleLibrary::open(
        &folder.join("modules"),
        builtin::registry().unwrap(),
        ArchiveLimits::default(),
    );
    let engine =
        Engine::new(EngineOptions { threads: Some(2), ..EngineOptions::default() }).unwrap();
    let mut options = JobOptions::new(folder.join("artifacts"));
    options.max_unfinished_per_owner = JOBS;
    let store = Arc::new(MemoryStore::new());
    let service =
        JobService::open(engine.clone(), store, Arc::new(library.unwrap()), options).unwrap();

    let workflow =
        Workflow::from_json(include_str!("../examples/workflows/arithmetic.json")).unwrap();
    let registry = builtin::registry().unwrap();
    let [mut alone, mut served] = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        let engine_alone = measure(JOBS, || {
            let plans = (0..JOBS).map(|_| {
                let plan = workflow.plan(&registry).unwrap();
                (plan, RunOptions { keep: Keep::None, ..RunOptions::default() })
            });
            engine.start_all(plans).iter().for_each(|run| drop(run.wait()));
        });
        let with_service = measure(JOBS, || {
            for _ in 0..JOBS {
                drop(service.submit(OwnerId(1), workflow.clone()).unwrap());
            }
            while service.counts().running + service.counts().queued > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        service.delete_finished(OwnerId(1)).unwrap();
        if round > 0 {
            alone.push(engine_alone);
            served.push(with_service);
        }
    }
    let show = |name: &str, figures: &mut [(f64, f64)]| {
        let (cpu, wall) = median(figures);
        println!("{name:<34}{:>8.2} µs cpu {:>8.2} µs wall a job", cpu / 1e3, wall / 1e3);
        cpu
    };
    let alone = show("plan and run, engine alone", &mut alone);
    let served = show("submitted to the job service", &mut served);
    println!("the service adds {:.2} µs of cpu a job (budget 3)", (served - alone) / 1e3);
    let _ = std::fs::remove_dir_all(folder);
}
