//! What the engine costs a block, beside bare rayon (the floor) and dagx, in one run: CPU and
//! wall time in ns a block, the median of several interleaved rounds.
//!
//! `cargo bench -p benches --bench engine` measures W1–W5; with `-- work` blocks of 10 µs
//! beside a sequential loop, with `-- memory` the memory of W3 (alone, in a fresh
//! process).
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod graphs;
mod measure;

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use eeg_workflow_core::block::{
    Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, RunOptions, RunStatus};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{Plan, Workflow};
use graphs::Graph;
use measure::{cpu, measure, median, per_item};

const THREADS: usize = 2;
const ROUNDS: usize = 9;
const BATCH: usize = 100_000;

/// Adds its inputs and one; spins before, if told to.
struct Sum {
    spec: BlockSpec,
    spin: Duration,
}

impl Block for Sum {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, _: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        spin(self.spin);
        let mut sum = 1;
        for (_, value) in inputs.take_every() {
            if let Value::Integer(n) = value {
                sum = n.wrapping_add(sum);
            }
        }
        Ok(Outputs::one(sum))
    }
}

fn spin(duration: Duration) {
    if !duration.is_zero() {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}

fn registry(spin: Duration) -> ModuleRegistry {
    let spec = BlockSpec::new("Sum")
        .input("in", PortType::NUMBER, 0..=100)
        .output("out", PortType::NUMBER);
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("Bench.zip:Bench").block(Sum { spec, spin }).unwrap()).unwrap();
    registry
}

fn plan(graph: &Graph, spin: Duration) -> Plan {
    let workflow = Workflow::from_json(&graphs::document(graph)).unwrap();
    workflow.plan(&registry(spin)).unwrap()
}

fn engine() -> Engine {
    let options =
        EngineOptions { threads: Some(THREADS), max_runs: usize::MAX, ..EngineOptions::default() };
    Engine::new(options).unwrap()
}

fn options() -> RunOptions {
    RunOptions { keep: Keep::None, ..RunOptions::default() }
}

fn run(engine: &Engine, plan: &Plan) {
    let report = engine.start(plan, options()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
}

fn run_batch(engine: &Engine, plan: &Plan) {
    for run in engine.start_all((0..BATCH).map(|_| (plan.clone(), options()))) {
        black_box(run.wait().status());
    }
}

/// The least that a graph costs on rayon: counters and u64 values in arrays.
struct Bare {
    successors: Vec<Vec<u32>>,
    degree: Vec<u32>,
    before: Graph,
    pending: Vec<AtomicU32>,
    values: Vec<AtomicU64>,
}

impl Bare {
    fn new(graph: &Graph) -> Self {
        let mut successors = vec![Vec::new(); graph.len()];
        for (node, before) in graph.iter().enumerate() {
            before.iter().for_each(|from| successors[*from as usize].push(node as u32));
        }
        let degree: Vec<u32> = graph.iter().map(|before| before.len() as u32).collect();
        Self {
            successors,
            pending: degree.iter().map(|_| AtomicU32::new(0)).collect(),
            values: degree.iter().map(|_| AtomicU64::new(0)).collect(),
            degree,
            before: graph.clone(),
        }
    }

    fn run(&self) {
        for (pending, degree) in self.pending.iter().zip(&self.degree) {
            pending.store(*degree, Ordering::Relaxed);
        }
        let roots: Vec<u32> =
            (0..).zip(&self.degree).filter(|(_, d)| **d == 0).map(|(n, _)| n).collect();
        rayon::scope(|scope| {
            for lot in roots.chunks(1024) {
                scope.spawn(move |scope| lot.iter().for_each(|node| self.visit(*node, scope)));
            }
        });
    }

    fn visit<'a>(&'a self, node: u32, scope: &rayon::Scope<'a>) {
        let mut next = Some(node);
        while let Some(node) = next.take() {
            let before = &self.before[node as usize];
            let sum = before.iter().map(|from| self.values[*from as usize].load(Ordering::Relaxed));
            self.values[node as usize].store(sum.fold(1, u64::wrapping_add), Ordering::Relaxed);
            for successor in &self.successors[node as usize] {
                let successor = *successor;
                let pending = &self.pending[successor as usize];
                let last = pending.load(Ordering::Acquire) == 1
                    || pending.fetch_sub(1, Ordering::AcqRel) == 1;
                if last {
                    match next {
                        None => next = Some(successor),
                        Some(_) => scope.spawn(move |scope| self.visit(successor, scope)),
                    }
                }
            }
        }
    }
}

mod peer {
    //! The same graphs on dagx.
    use dagx::{DagRunner, Task, TaskHandle, task};

    use super::Graph;

    struct Zero;
    #[task]
    impl Zero {
        async fn run(&self) -> u64 {
            1
        }
    }

    struct One;
    #[task]
    impl One {
        async fn run(a: &u64) -> u64 {
            a.wrapping_add(1)
        }
    }

    struct Two;
    #[task]
    impl Two {
        async fn run(a: &u64, b: &u64) -> u64 {
            a.wrapping_add(*b).wrapping_add(1)
        }
    }

    struct Three;
    #[task]
    impl Three {
        async fn run(a: &u64, b: &u64, c: &u64) -> u64 {
            a.wrapping_add(*b).wrapping_add(*c).wrapping_add(1)
        }
    }

    /// A dagx graph runs once, so building it is part of each run; it is not counted here.
    pub(super) fn build(graph: &Graph) -> DagRunner {
        let dag = DagRunner::new();
        let mut handles: Vec<TaskHandle<u64>> = Vec::with_capacity(graph.len());
        for before in graph {
            let at = |i: usize| &handles[before[i] as usize];
            let handle: TaskHandle<u64> = match before.len() {
                0 => dag.add_task(Zero).into(),
                1 => dag.add_task(One).depends_on(at(0)),
                2 => dag.add_task(Two).depends_on((at(0), at(1))),
                _ => dag.add_task(Three).depends_on((at(0), at(1), at(2))),
            };
            handles.push(handle);
        }
        dag
    }

    pub(super) async fn run(dag: DagRunner) {
        dag.run(|future| {
            tokio::spawn(future);
        })
        .await
        .unwrap();
    }
}

fn compare() {
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).build().unwrap();
    let engine = engine();
    println!("ns a block, median of {ROUNDS} rounds, {THREADS} threads   (cpu / wall)");
    println!(
        "{:<28}{:>20}{:>20}{:>20}{:>10}",
        "", "bare rayon", "dagx 0.3", "this engine", "budget"
    );
    let cases = [
        ("W1 100,000 independent", graphs::independent(100_000), 70),
        ("W2 chain of 100,000", graphs::chain(100_000), 85),
        ("W3 100 x 1,000, 3 inputs", graphs::layers(100, 1000), 220),
        ("W4 tree of 65,536 leaves", graphs::tree(65_536), 90),
        ("W5 100,000 runs of 3", graphs::sum(), 100),
    ];
    for (name, graph, budget) in cases {
        let batch = name.starts_with("W5");
        let blocks = if batch { 3 * BATCH } else { graph.len() };
        let (plan, bare) = (plan(&graph, Duration::ZERO), Bare::new(&graph));
        let bares: Vec<Bare> =
            if batch { (0..BATCH).map(|_| Bare::new(&graph)).collect() } else { Vec::new() };
        let [mut floor, mut peer, mut ours] = [const { Vec::new() }; 3];
        for round in 0..=ROUNDS {
            let figures = [
                if batch {
                    measure(blocks, || {
                        rayon::scope(|scope| {
                            for lot in bares.chunks(256) {
                                scope.spawn(move |scope| {
                                    for bare in lot {
                                        for (p, d) in bare.pending.iter().zip(&bare.degree) {
                                            p.store(*d, Ordering::Relaxed);
                                        }
                                        bare.visit(0, scope);
                                        bare.visit(1, scope);
                                    }
                                });
                            }
                        });
                    })
                } else {
                    measure(blocks, || bare.run())
                },
                runtime.block_on(async {
                    let dags: Vec<_> = (0..if batch { BATCH / 10 } else { 1 })
                        .map(|_| peer::build(&graph))
                        .collect();
                    let blocks = if batch { blocks / 10 } else { blocks };
                    let (cpu_before, wall) = (cpu(), Instant::now());
                    let runs: Vec<_> =
                        dags.into_iter().map(|dag| tokio::spawn(peer::run(dag))).collect();
                    for run in runs {
                        run.await.unwrap();
                    }
                    per_item(blocks, cpu() - cpu_before, wall.elapsed())
                }),
                measure(blocks, || {
                    if batch { run_batch(&engine, &plan) } else { run(&engine, &plan) }
                }),
            ];
            // The first round warms up.
            if round > 0 {
                floor.push(figures[0]);
                peer.push(figures[1]);
                ours.push(figures[2]);
            }
        }
        let show = |figures: &mut [(f64, f64)]| {
            let (cpu, wall) = median(figures);
            format!("{cpu:.0} / {wall:.0}")
        };
        let (floor, peer, ours) = (show(&mut floor), show(&mut peer), show(&mut ours));
        println!("{name:<28}{floor:>20}{peer:>20}{ours:>20}{budget:>10}");
    }
}

/// Blocks of 10 µs: the engine beside a sequential loop of the same work.
fn work() {
    const WORK: Duration = Duration::from_micros(10);
    let engine = engine();
    let cases =
        [("independent", graphs::independent(20_000)), ("layers", graphs::layers(20, 1000))];
    for (name, graph) in cases {
        let plan = plan(&graph, WORK);
        let (mut cpu_ratio, mut speedup) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (loop_cpu, loop_wall) =
                measure(graph.len(), || (0..graph.len()).for_each(|_| spin(WORK)));
            let (cpu, wall) = measure(graph.len(), || run(&engine, &plan));
            cpu_ratio.push((cpu / loop_cpu, 0.0));
            speedup.push((loop_wall / wall, 0.0));
        }
        let (cpu, speedup) = (median(&mut cpu_ratio).0, median(&mut speedup).0);
        println!(
            "{name:<14} cpu {cpu:.3} x a sequential loop (<= 1.02), wall speed-up {speedup:.2} (>= 1.9)"
        );
    }
}

fn memory_held() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib: usize = line.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
    kib << 10
}

/// What the plan of W3 holds, and what its run holds beside it (the report keeps the run's state).
fn memory() {
    let graph = graphs::layers(1000, 1000);
    let blocks = graph.len();
    let text = graphs::document(&graph);
    drop(graph);
    let workflow = Workflow::from_json(&text).unwrap();
    drop(text);
    let registry = registry(Duration::ZERO);
    let before = memory_held();
    let plan = workflow.plan(&registry).unwrap();
    let planned = memory_held();
    drop(workflow);
    let held = engine().start(&plan, options());
    assert_eq!(held.wait().status(), RunStatus::Completed);
    let peak = memory_held();
    println!(
        "W3 with {blocks} blocks: the plan holds {} bytes a block, its run {} (budget 400 in all)",
        planned.saturating_sub(before) / blocks,
        peak.saturating_sub(planned) / blocks
    );
}

fn main() {
    let modes: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    match modes.first().map(String::as_str) {
        Some("work") => work(),
        Some("memory") => memory(),
        _ => compare(),
    }
}
