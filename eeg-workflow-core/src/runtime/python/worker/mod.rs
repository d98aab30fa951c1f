//! One worker: a confined interpreter that has loaded the modules of one archive.

pub(crate) mod channel;
mod environment;
pub(crate) mod link;
pub(crate) mod output;
mod slot;
pub(crate) mod waiter;

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value as Json, json};

use crate::block::{BlockError, BlockErrorKind, Stop};
use crate::runtime::python::PythonError;
use crate::runtime::python::code::Code;
use crate::runtime::python::files::{StagedFolder, make_folder};
use crate::runtime::python::settings::Settings;
use crate::runtime::python::worker::channel::{Broken, Packet};
use crate::runtime::python::worker::environment::variables;
use crate::runtime::python::worker::link::WorkerLink;
use crate::runtime::python::worker::output::{Pipe, Printed};
use crate::runtime::python::worker::slot::Slot;
use crate::runtime::python::worker::waiter::Waiter;
use crate::runtime::removal;
use crate::runtime::sandbox::{Confined, Launch, ProcessEnd};

/// How often a waiting host looks whether the run must stop.
const SLICE: Duration = Duration::from_millis(25);
/// A worker whose channel is closed gets so long to end by itself.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The exit status by which a worker says so itself.
const CLOSED: i32 = 113;
const CLOSED_CHANNEL: &str = "closed the channel to this program";

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The run must stop, and the worker was ended.
    Stopped(Stop),
    /// The worker ended.
    Ended(ProcessEnd),
    /// The worker closed its channel, or wrote nonsense to it, and was ended.
    Spoiled(String),
    /// Nothing was sent: the worker had ended before.
    NotSent,
}

/// A running worker.
pub(crate) struct Worker {
    pub(crate) link: Arc<WorkerLink>,
    pub(crate) staged_folder: Arc<StagedFolder>,
    process: Confined,
    /// Given back after the process has ended.
    slot: Slot,
    out: Pipe,
    errors: Pipe,
    folder: PathBuf,
    buffer: Vec<u8>,
    last: u64,
    /// What the modules' blocks declare.
    pub(crate) listing: Json,
    /// Something that a block started still runs in it.
    pub(crate) is_tainted: bool,
    /// CPU seconds that it has used.
    pub(crate) cpu: f64,
}

impl Worker {
    /// Starts a worker and lets it load its modules.
    pub(crate) fn start(
        settings: &Settings,
        code: &Code,
        id: u64,
        staged_folder: Option<Arc<StagedFolder>>,
        waiter: &dyn Waiter,
    ) -> Result<Self, PythonError> {
        let interpreter = code.interpreter(settings)?;
        let folder = settings.folder.join("workers").join(format!("{}-{id}", std::process::id()));
        let (scratch, files) = (folder.join("scratch"), folder.join("files"));
        for folder in [&folder, &scratch] {
            make_folder(folder).map_err(PythonError::storage(folder))?;
        }
        let for_others = settings.sandbox.changes_user();
        let staged_folder = match staged_folder {
            Some(staged_folder) => staged_folder,
            None => {
                let staged_folder = StagedFolder::new(files.clone(), for_others);
                Arc::new(staged_folder.map_err(PythonError::storage(&files))?)
            }
        };
        let start = |error: std::io::Error| PythonError::Start {
            problem: error.to_string(),
            printed: String::new(),
        };
        let slot = Slot::take();
        let (socket, theirs) = channel::pair().map_err(start)?;
        let (out, out_end) = Pipe::new().map_err(start)?;
        let (errors, errors_end) = Pipe::new().map_err(start)?;
        let script = settings.support.join("start.py");
        let arguments = ["-I", "-S", "-B"].map(OsString::from).into_iter().chain([script.into()]);
        let arguments: Vec<OsString> = arguments.collect();
        let mut readable = interpreter.readable.clone();
        readable.extend([settings.support.clone(), code.root().to_owned()]);
        let process = settings.sandbox.spawn(Launch {
            program: &interpreter.program,
            args: &arguments,
            environment: &variables(&interpreter.program, &scratch),
            readable: &readable,
            files: staged_folder.folder(),
            scratch: &scratch,
            slot: slot.number(),
            stdin: theirs,
            stdout: out_end,
            stderr: errors_end,
        });
        let process = match process {
            Ok(process) => process,
            Err(error) => {
                // What is left is swept away when the runtime is made again.
                let _ = removal::remove_folder(&folder);
                return Err(error.into());
            }
        };
        let files = settings.sandbox.files_path(staged_folder.folder()).to_owned();
        let mut worker = Self {
            link: Arc::new(WorkerLink::new(id, socket)),
            staged_folder,
            slot,
            process,
            out,
            errors,
            folder,
            buffer: Vec::new(),
            last: 0,
            listing: Json::Null,
            is_tainted: false,
            cpu: 0.0,
        };
        worker.load(settings, code, &files, waiter)?;
        Ok(worker)
    }

    fn load(
        &mut self,
        settings: &Settings,
        code: &Code,
        files: &Path,
        waiter: &dyn Waiter,
    ) -> Result<(), PythonError> {
        let configuration = json!({
            "confine": settings.sandbox.bootstrap(&settings.limits, self.slot.number()),
            "root": code.root(),
            "modules": code.modules,
            "files": files,
            "own_folders": settings.sandbox.own_folders(),
        });
        let mut printed = Printed::default();
        let sent = channel::send(self.link.socket(), &configuration, &[], true);
        let answer = match sent {
            Ok(()) => self.exchange(json!({ "op": "load" }), &[], waiter, &mut printed),
            Err(_) => Err(self.end_of_channel("closed its channel".to_owned())),
        };
        let problem = match answer {
            Ok(mut packet) => {
                if let Some(bad) = packet.message.get("bad_module") {
                    let text = |name| bad.get(name).and_then(Json::as_str).unwrap_or_default();
                    let mut problem = text("message").to_owned();
                    if !text("package").is_empty() {
                        problem.push_str(
                            "; it must be listed in the module's requirements.txt, and \
                             `eeg-workflow-server modules install` be run with the archive",
                        );
                    }
                    return Err(PythonError::Module {
                        module: text("module").to_owned(),
                        problem,
                        details: text("details").to_owned(),
                    });
                }
                if let Some(listing) = packet.message.get_mut("modules") {
                    self.listing = listing.take();
                    return Ok(());
                }
                let error = packet.message.get("error").and_then(|error| error.get("message"));
                error.and_then(Json::as_str).unwrap_or("its answer makes no sense").to_owned()
            }
            Err(Failure::Stopped(Stop::Cancelled)) => "cancelled".to_owned(),
            Err(Failure::Stopped(Stop::TimedOut(after))) => {
                format!("its modules were not loaded within {} s", after.as_secs_f64())
            }
            Err(Failure::Ended(end)) => {
                format!("it was {} while it loaded its modules", ended(end))
            }
            Err(Failure::Spoiled(what)) => format!("it {what} while it loaded its modules"),
            Err(Failure::NotSent) => "it ended at once".to_owned(),
        };
        Err(PythonError::Start { problem, printed: printed.tail() })
    }

    /// Whether the worker is there, and has nothing to say that nobody asked for.
    pub(crate) fn is_well(&mut self) -> bool {
        // What a thread of an earlier block has printed since belongs to nobody.
        let mut nobody = Printed::default();
        self.out.drain(&mut nobody, |_| {});
        self.errors.drain(&mut nobody, |_| {});
        let silent = matches!(channel::receive(self.link.socket(), &mut self.buffer), Ok(None));
        silent && matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a request and waits for its answer. Whatever goes wrong, the worker is ended then.
    pub(crate) fn exchange(
        &mut self,
        mut request: Json,
        descriptors: &[BorrowedFd<'_>],
        waiter: &dyn Waiter,
        printed: &mut Printed,
    ) -> Result<Packet, Failure> {
        self.last += 1;
        let released = self.link.take_released();
        if let Some(fields) = request.as_object_mut() {
            fields.insert("id".to_owned(), self.last.into());
            fields.insert("release".to_owned(), released.into());
        }
        if channel::send(self.link.socket(), &request, descriptors, true).is_err() {
            self.end();
            return Err(Failure::NotSent);
        }
        let answer = self.wait(waiter, printed);
        let log = |line: &str| waiter.log(line);
        self.out.drain(printed, log);
        self.errors.drain(printed, log);
        self.out.finish(printed, log);
        self.errors.finish(printed, log);
        printed.close(log);
        let packet = answer?;
        let number = |name| packet.message.get(name).and_then(Json::as_u64);
        if number("id") != Some(self.last) {
            return Err(self.spoiled("wrote a message of its own to its channel".to_owned()));
        }
        let lasts = |name| packet.message.get(name).is_some();
        self.is_tainted |= lasts("left") || lasts("changed");
        self.cpu = packet.message.get("cpu").and_then(Json::as_f64).unwrap_or(self.cpu);
        Ok(packet)
    }

    fn wait(&mut self, waiter: &dyn Waiter, printed: &mut Printed) -> Result<Packet, Failure> {
        loop {
            if let Some(stop) = waiter.stop() {
                self.end();
                return Err(Failure::Stopped(stop));
            }
            self.poll(SLICE);
            let log = |line: &str| waiter.log(line);
            self.out.drain(printed, log);
            self.errors.drain(printed, log);
            match channel::receive(self.link.socket(), &mut self.buffer) {
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => {}
                Err(Broken::Closed) => {
                    return Err(self.end_of_channel(CLOSED_CHANNEL.to_owned()));
                }
                Err(Broken::Garbage(what)) => {
                    return Err(self.spoiled(format!("wrote {what} to its channel")));
                }
            }
            // A process that it has forked may hold the channel open.
            if let Ok(Some(end)) = self.process.try_wait() {
                return Err(self.ended(end));
            }
        }
    }

    /// Waits until there is something to read.
    fn poll(&self, most: Duration) {
        let mut all = vec![PollFd::new(self.link.socket(), PollFlags::IN)];
        for pipe in [&self.out, &self.errors] {
            all.extend(pipe.descriptor().map(|fd| PollFd::new(fd, PollFlags::IN)));
        }
        let most = Timespec::try_from(most).ok();
        // Interrupted or not, all are looked at next.
        let _ = rustix::event::poll(&mut all, most.as_ref());
    }

    /// The channel is closed: because the process is ending, or because a block closed it.
    fn end_of_channel(&mut self, otherwise: String) -> Failure {
        match self.process.wait_timeout(LAST_WORDS) {
            Ok(Some(end)) => self.ended(end),
            _ => self.spoiled(otherwise),
        }
    }

    fn ended(&mut self, end: ProcessEnd) -> Failure {
        self.end();
        match end {
            ProcessEnd::Exited(CLOSED) => Failure::Spoiled(CLOSED_CHANNEL.to_owned()),
            end => Failure::Ended(end),
        }
    }

    fn spoiled(&mut self, what: String) -> Failure {
        self.end();
        Failure::Spoiled(what)
    }

    /// Ends the worker with everything that it has started.
    pub(crate) fn end(&mut self) {
        self.link.leave();
        self.process.kill();
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.link.is_gone()
    }

    /// Removes what blocks have left in the worker's own folder.
    pub(crate) fn tidy(&self) {
        // What cannot be removed now goes with the worker.
        let is_cache = |name: &std::ffi::CStr| name.to_bytes().starts_with(b".cache");
        let _ = removal::empty_folder(&self.folder.join("scratch"), is_cache);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
        // What is left is swept away when the runtime is made again.
        let _ = removal::remove_folder(&self.folder);
    }
}

/// How a process ended, in words that follow "was" or stand alone.
pub(crate) fn ended(end: ProcessEnd) -> String {
    match end {
        ProcessEnd::Signalled(9) => "killed by signal 9 (out of memory?)".to_owned(),
        ProcessEnd::Signalled(24) => "killed by signal 24 (its limit on CPU time)".to_owned(),
        end => end.to_string(),
    }
}

impl Failure {
    /// As the error of the block that ran.
    pub(crate) fn into_error(self, printed: &Printed) -> BlockError {
        let kind = self.kind();
        let message = match self {
            Self::Stopped(stop) => return stop.into(),
            Self::Ended(end) => ended(end),
            Self::Spoiled(what) => format!("the block {what}"),
            Self::NotSent => "the worker ended before the block was started".to_owned(),
        };
        let tail = printed.tail();
        let details = if tail.is_empty() { message.clone() } else { format!("{message}\n{tail}") };
        BlockError::of(kind, message).with_details(details)
    }

    /// Signals by which processes are told to end come from outside, others from what the block
    /// does.
    fn kind(&self) -> BlockErrorKind {
        const HANGUP_INTERRUPT_QUIT_KILL_TERMINATE: [i32; 5] = [1, 2, 3, 9, 15];
        match self {
            Self::Ended(ProcessEnd::Signalled(signal))
                if HANGUP_INTERRUPT_QUIT_KILL_TERMINATE.contains(signal) =>
            {
                BlockErrorKind::Killed
            }
            Self::NotSent => BlockErrorKind::Killed,
            _ => BlockErrorKind::Failed,
        }
    }
}
