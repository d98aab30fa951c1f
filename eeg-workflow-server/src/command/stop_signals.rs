//! The signals that ask the program to end.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM from a service manager, SIGINT from a terminal, and SIGHUP from one that closes.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// None where it is ignored.
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Listens from now on, inside a runtime. A program that was started by `nohup` is to outlive
    /// its terminal: for it SIGHUP stays ignored.
    pub(crate) fn listen() -> io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// Resolves when one of them comes.
    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether SIGHUP is ignored, as far as the system tells.
fn ignores_hangup() -> bool {
    /// The bit of signal 1 in the mask of ignored signals.
    const HANGUP: u64 = 1;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & HANGUP != 0)
}
