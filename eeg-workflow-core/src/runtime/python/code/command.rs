//! Commands that an operator runs: what they print, within a time.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::deadline::Deadline;

/// How a command ended, and what it said.
pub(crate) struct Output {
    pub(crate) status: std::process::ExitStatus,
    pub(crate) printed: String,
    pub(crate) errors: String,
}

/// Runs a command that ends within a time.
pub(crate) fn run(command: &mut Command, most: Duration) -> std::io::Result<Output> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // What was read before an error is all there is to tell.
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let errors = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let deadline = Deadline::after(most);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if deadline.has_passed() {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!("no answer within {} s", most.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Ok(Output {
        status,
        printed: out.join().unwrap_or_default(),
        errors: errors.join().unwrap_or_default(),
    })
}
