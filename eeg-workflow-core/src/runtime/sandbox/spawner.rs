//! The thread that starts processes.
//!
//! `PR_SET_PDEATHSIG`, by which bubblewrap ends with its parent, means the parent's *thread*. So
//! all are started by one that lives as long as any of them.

use crate::sync::Mutex;
use std::io;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread;

type Task = Box<dyn FnOnce() + Send>;

/// Starts processes on one thread, which begins with the first and ends when no `Spawner` is left.
#[derive(Clone, Debug, Default)]
pub(super) struct Spawner {
    thread: Arc<Mutex<Option<Sender<Task>>>>,
}

impl Spawner {
    /// Starts a process.
    pub(super) fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let (answer, answered) = sync_channel(1);
        let task: Task = Box::new(move || {
            let _ = answer.send(command.spawn());
        });
        self.send(task)?;
        answered.recv().unwrap_or_else(|_| Err(ended()))
    }

    fn send(&self, task: Task) -> io::Result<()> {
        let mut sender = self.thread.lock();
        if sender.is_none() {
            let (tasks, received) = channel::<Task>();
            thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
                for task in received {
                    task();
                }
            })?;
            *sender = Some(tasks);
        }
        sender.as_ref().and_then(|sender| sender.send(task).ok()).ok_or_else(ended)
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that starts processes has ended")
}
