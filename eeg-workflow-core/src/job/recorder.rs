//! What the events of a run mean for the state of its job.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::artifact::ArtifactFolder;
use super::budget::{Budget, cut};
use super::{BlockState, JobState, JobStatus, Phase, Shown, Timestamp};
use crate::block::{Artifact, BlockError, BlockErrorKind, Value};
use crate::engine::{Event, RunStatus};
use crate::workflow::{BlockIndex, Plan};

/// The most bytes of a log line and of an error's details that are kept.
const MAX_LINE: usize = 16 * 1024;
const MAX_ERROR: usize = 64 * 1024;
/// The most bytes of a log line of a job that has used up what its details may hold.
const SHORT_LINE: usize = 256;

/// What an event changes in the state of a job.
#[derive(Debug)]
pub(super) enum Change {
    Started,
    BlockStarted(BlockIndex),
    Progress(BlockIndex, f32),
    Log(BlockIndex, Arc<str>),
    BlockEnded {
        block: BlockIndex,
        phase: Phase,
        outputs: Option<Arc<[Value]>>,
        elapsed: Option<Duration>,
    },
}

impl Change {
    /// What the event means. What takes long is done here: a file is there before anybody hears
    /// of it.
    pub(super) fn new(
        event: Event,
        budget: &Budget,
        write: &dyn Fn(BlockIndex, &Artifact) -> io::Result<String>,
    ) -> Option<Self> {
        Some(match event {
            Event::RunStarted => Self::Started,
            Event::BlockStarted { block } => Self::BlockStarted(block),
            Event::BlockProgress { block, fraction } =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "a fraction for the eye")]
                Self::Progress(block, fraction as f32)
            }
            Event::BlockLog { block, line } => {
                let most = if budget.is_used_up() { SHORT_LINE } else { MAX_LINE };
                Self::Log(block, cut(&line, most))
            }
            Event::BlockFinished { block, display, outputs, elapsed } => {
                let write = |artifact: &Artifact| write(block, artifact);
                let shown = display.map(|display| Shown::new(&display, budget, &write));
                let phase = match shown.transpose() {
                    Ok(shown) => Phase::Finished(shown),
                    Err(problem) => Phase::Failed(problem.into()),
                };
                Self::BlockEnded { block, phase, outputs, elapsed: Some(elapsed) }
            }
            Event::BlockFailed { block, error, elapsed } => {
                let why = budget.cut(&error.details().into(), MAX_ERROR);
                let phase = match error.kind() {
                    BlockErrorKind::Cancelled => Phase::Cancelled(why),
                    _ => Phase::Failed(why),
                };
                Self::BlockEnded { block, phase, outputs: None, elapsed: Some(elapsed) }
            }
            Event::BlockSkipped { block, cause } => {
                let phase = Phase::Skipped(cause.0);
                Self::BlockEnded { block, phase, outputs: None, elapsed: None }
            }
            Event::BlockCancelled { block, stop } => {
                let phase = Phase::Cancelled(BlockError::from(stop).to_string().into());
                Self::BlockEnded { block, phase, outputs: None, elapsed: None }
            }
            Event::RunFinished { .. } => return None,
        })
    }
}

impl JobState {
    /// Notes a change; says whether it is large enough to be told.
    pub(super) fn apply(&mut self, change: &Change, budget: &Budget) -> bool {
        match change {
            Change::Started => self.status = JobStatus::Running,
            Change::BlockStarted(block) => self.set(*block, Phase::Running(0.0)),
            Change::Progress(block, fraction) => {
                match self.block(*block).map(|block| &mut block.phase) {
                    // Steps too small to be seen are not told.
                    Some(Phase::Running(before)) if (fraction - *before).abs() >= 0.01 => {
                        *before = *fraction;
                    }
                    _ => return false,
                }
            }
            Change::Log(block, line) => {
                if let Some(state) = self.block(*block) {
                    state.log.get_or_insert_default().push_within(Arc::clone(line), budget);
                }
            }
            Change::BlockEnded { block, phase, outputs, .. } => {
                if let (Phase::Finished(_), Some(outputs)) = (phase, outputs)
                    && budget.admits_outputs(outputs.iter().map(Value::byte_size).sum())
                {
                    self.saved_outputs.push((block.0, Arc::clone(outputs)));
                }
                let phase = match phase {
                    // Behind a block that was stopped nothing was skipped because of a failure.
                    Phase::Skipped(cause) => match self.block(BlockIndex(*cause)) {
                        Some(BlockState { phase: Phase::Cancelled(why), .. }) => {
                            Phase::Cancelled(Arc::clone(why))
                        }
                        _ => Phase::Skipped(*cause),
                    },
                    phase => phase.clone(),
                };
                self.set(*block, phase);
            }
        }
        true
    }

    pub(super) fn block(&mut self, block: BlockIndex) -> Option<&mut BlockState> {
        self.blocks.get_mut(usize::try_from(block.0).ok()?)
    }

    fn set(&mut self, block: BlockIndex, phase: Phase) {
        if let Some(state) = self.block(block) {
            state.phase = phase;
        }
    }
}

/// Notes what comes of a run as the state of a job: for programs that run a workflow without a
/// [`JobService`](super::JobService).
///
/// ```
/// use std::sync::{Arc, mpsc};
///
/// use eeg_workflow_core::engine::{Engine, EngineOptions, Event, RunOptions};
/// use eeg_workflow_core::job::{ArtifactFolder, JobStatus, RunRecorder};
/// use eeg_workflow_core::module::{Module, ModuleRegistry};
/// use eeg_workflow_core::workflow::Workflow;
///
/// let mut modules = ModuleRegistry::new();
/// modules.register(Module::new("Lab.zip:Lab").function("Two", [], "out", || Ok(2.0))?)?;
/// let workflow = Workflow::from_json(
///     r#"{"blocks": [{"id": 1, "type": "Two", "module": "Lab.zip:Lab"}], "edges": []}"#,
/// )?;
/// let plan = workflow.plan(&modules)?;
/// let (sender, events) = mpsc::channel::<Event>();
/// let options = RunOptions { listener: Some(Arc::new(sender)), ..RunOptions::default() };
/// let folder = tempfile::tempdir()?;
/// let mut recorder = RunRecorder::new(&plan, ArtifactFolder::new(folder.path().join("files")));
/// let _run = Engine::new(EngineOptions::default())?.start(&plan, options);
/// while recorder.state().ended.is_none() {
///     recorder.record(events.recv()?);
/// }
/// assert_eq!(recorder.state().status, JobStatus::Completed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunRecorder {
    state: JobState,
    budget: Budget,
    folder: ArtifactFolder,
    /// What the names of a block's files begin with: its id.
    prefixes: Vec<String>,
    elapsed: Vec<Option<Duration>>,
}

impl RunRecorder {
    /// For a run of this plan that has not started; files that its blocks make go into the
    /// folder, under names that begin with the id of the block.
    pub fn new(plan: &Plan, folder: ArtifactFolder) -> Self {
        let mut state = JobState::default();
        state.blocks.resize_with(plan.len(), BlockState::default);
        let id = |block| plan.id(block).map(ToString::to_string).unwrap_or_default();
        let prefixes = plan.indices().map(id).collect();
        let elapsed = vec![None; plan.len()];
        Self { budget: Budget::default(), state, folder, prefixes, elapsed }
    }

    /// Notes an event.
    pub fn record(&mut self, event: Event) {
        if let Event::RunFinished { status } = event {
            return self.end(status);
        }
        let write = |block: BlockIndex, artifact: &Artifact| {
            let prefix = usize::try_from(block.0).ok().and_then(|at| self.prefixes.get(at));
            self.folder.write(prefix.map_or("", String::as_str), artifact)
        };
        let Some(mut change) = Change::new(event, &self.budget, &write) else { return };
        if let Change::BlockEnded { block, phase, elapsed, .. } = &mut change {
            if self.state.cancel_requested && matches!(phase, Phase::Failed(_)) {
                *phase = Phase::Cancelled("cancelled".into());
            }
            let at = usize::try_from(block.0).ok();
            if let Some(noted) = at.and_then(|at| self.elapsed.get_mut(at)) {
                *noted = *elapsed;
            }
        }
        self.state.apply(&change, &self.budget);
        // They are for jobs that are resumed.
        self.state.saved_outputs.clear();
    }

    /// The run was asked to stop, and may be by a signal that its workers got too: from now on a
    /// block that fails was cancelled, and so is the job.
    pub fn cancel(&mut self) {
        self.state.cancel_requested = true;
    }

    /// Ends the job as after a run that has ended like this.
    pub fn end(&mut self, run: RunStatus) {
        let status = self.state.status_after(run);
        self.state.end(status, Timestamp::now());
    }

    /// What has come of the run so far; it has ended once there is a time of its end.
    pub fn state(&self) -> &JobState {
        &self.state
    }

    /// How long each block took, in the document's order; none for those that did not run.
    pub fn elapsed(&self) -> &[Option<Duration>] {
        &self.elapsed
    }

    /// Where the files are.
    pub fn folder(&self) -> &ArtifactFolder {
        &self.folder
    }
}
