//! What a command without a server does when it is interrupted: its run is cancelled, and its
//! temporary folder removed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use eeg_workflow_core::engine::Run;

use crate::cli::exit;
use crate::command::failure::Failure;
use crate::command::stop_signals::StopSignals;
use crate::sync::lock;

/// Listens for SIGINT, SIGTERM and SIGHUP from when it is made to the end of the program.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    run: Option<Run>,
    folder: Option<PathBuf>,
    is_interrupted: bool,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            StopSignals::listen()?
        };
        let this = Self::default();
        let shared = this.clone();
        std::thread::Builder::new().name("interrupt".into()).spawn(move || {
            runtime.block_on(async {
                loop {
                    signals.next().await;
                    shared.interrupted();
                }
            });
        })?;
        Ok(this)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// A run that is there is cancelled, and the program ends when the run does; otherwise, and
    /// the second time, it ends at once.
    fn interrupted(&self) {
        let mut state = self.state();
        if let (Some(run), false) = (&state.run, state.is_interrupted) {
            run.cancel();
            state.is_interrupted = true;
            return;
        }
        if let Some(folder) = state.folder.take() {
            remove(&folder);
        }
        std::process::exit(exit::INTERRUPTED.into());
    }

    /// This run is cancelled when the program is interrupted.
    pub(crate) fn cancels(&self, run: &Run) {
        self.state().run = Some(run.clone());
    }

    /// This folder is removed when the program is interrupted.
    pub(crate) fn removes(&self, folder: &Path) {
        self.state().folder = Some(folder.to_owned());
    }

    pub(crate) fn was_interrupted(&self) -> bool {
        self.state().is_interrupted
    }
}

/// Removes a temporary folder. What is left over is the system's to clean.
pub(crate) fn remove(folder: &Path) {
    // Something that is about to end may still write into it.
    if std::fs::remove_dir_all(folder).is_err() {
        let _ = std::fs::remove_dir_all(folder);
    }
}
