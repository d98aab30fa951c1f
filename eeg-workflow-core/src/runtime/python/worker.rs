//! One worker: a confined interpreter that has loaded the modules of one archive.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value as Json, json};

use super::PythonError;
use super::environment::variables;
use super::files::{Shelf, make_folder};
use super::home::Home;
use super::log::{Pipe, Printed};
use super::packet::{self, Broken, Packet};
use super::setting::{Code, Setting};
use super::slot::Slot;
use super::watch::Watch;
use crate::block::{BlockError, Stop};
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
pub(super) enum Failure {
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
pub(super) struct Worker {
    pub(super) home: Arc<Home>,
    pub(super) shelf: Arc<Shelf>,
    process: Confined,
    /// Given back after the process has ended.
    slot: Slot,
    out: Pipe,
    errors: Pipe,
    folder: PathBuf,
    buffer: Vec<u8>,
    last: u64,
    /// What the modules' blocks declare.
    pub(super) listing: Json,
    /// Something that a block started still runs in it.
    pub(super) is_tainted: bool,
    /// CPU seconds that it has used.
    pub(super) cpu: f64,
}

impl Worker {
    /// Starts a worker and lets it load its modules.
    pub(super) fn start(
        setting: &Setting,
        code: &Code,
        id: u64,
        shelf: Option<Arc<Shelf>>,
        watch: &dyn Watch,
    ) -> Result<Self, PythonError> {
        let interpreter = code.interpreter(setting)?;
        let folder = setting.folder.join("workers").join(format!("{}-{id}", std::process::id()));
        let (scratch, files) = (folder.join("scratch"), folder.join("files"));
        for folder in [&folder, &scratch] {
            make_folder(folder).map_err(PythonError::storage(folder))?;
        }
        let for_others = setting.sandbox.changes_user();
        let shelf = match shelf {
            Some(shelf) => shelf,
            None => {
                let shelf = Shelf::new(files.clone(), for_others);
                Arc::new(shelf.map_err(PythonError::storage(&files))?)
            }
        };
        let start = |error: std::io::Error| PythonError::Start {
            problem: error.to_string(),
            printed: String::new(),
        };
        let slot = Slot::take();
        let (socket, theirs) = packet::channel().map_err(start)?;
        let (out, out_end) = Pipe::new().map_err(start)?;
        let (errors, errors_end) = Pipe::new().map_err(start)?;
        let script = setting.support.join("start.py");
        let arguments = ["-I", "-S", "-B"].map(OsString::from).into_iter().chain([script.into()]);
        let arguments: Vec<OsString> = arguments.collect();
        let mut readable = interpreter.readable.clone();
        readable.extend([setting.support.clone(), code.root().to_owned()]);
        let process = setting.sandbox.spawn(Launch {
            program: &interpreter.program,
            args: &arguments,
            environment: &variables(&interpreter.program, &scratch),
            readable: &readable,
            files: shelf.folder(),
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
                let _ = std::fs::remove_dir_all(&folder);
                return Err(error.into());
            }
        };
        let files = setting.sandbox.files_path(shelf.folder()).to_owned();
        let mut worker = Self {
            home: Arc::new(Home::new(id, socket)),
            shelf,
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
        worker.load(setting, code, &files, watch)?;
        Ok(worker)
    }

    fn load(
        &mut self,
        setting: &Setting,
        code: &Code,
        files: &Path,
        watch: &dyn Watch,
    ) -> Result<(), PythonError> {
        let configuration = json!({
            "confine": setting.sandbox.bootstrap(&setting.limits, self.slot.number()),
            "root": code.root(),
            "modules": code.modules,
            "files": files,
        });
        let mut printed = Printed::default();
        let sent = packet::send(self.home.socket(), &configuration, &[], true);
        let answer = match sent {
            Ok(()) => self.exchange(json!({ "op": "load" }), &[], watch, &mut printed),
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
    pub(super) fn is_well(&mut self) -> bool {
        // What a thread of an earlier block has printed since belongs to nobody.
        let mut nobody = Printed::default();
        self.out.drain(&mut nobody, |_| {});
        self.errors.drain(&mut nobody, |_| {});
        let silent = matches!(packet::receive(self.home.socket(), &mut self.buffer), Ok(None));
        silent && matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a request and waits for its answer. Whatever goes wrong, the worker is ended then.
    pub(super) fn exchange(
        &mut self,
        mut request: Json,
        descriptors: &[BorrowedFd<'_>],
        watch: &dyn Watch,
        printed: &mut Printed,
    ) -> Result<Packet, Failure> {
        self.last += 1;
        let released = self.home.take_released();
        if let Some(fields) = request.as_object_mut() {
            fields.insert("id".to_owned(), self.last.into());
            fields.insert("release".to_owned(), released.into());
        }
        if packet::send(self.home.socket(), &request, descriptors, true).is_err() {
            self.end();
            return Err(Failure::NotSent);
        }
        let answer = self.wait(watch, printed);
        let log = |line: &str| watch.log(line);
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
        self.is_tainted |= packet.message.get("left").is_some();
        self.cpu = packet.message.get("cpu").and_then(Json::as_f64).unwrap_or(self.cpu);
        Ok(packet)
    }

    fn wait(&mut self, watch: &dyn Watch, printed: &mut Printed) -> Result<Packet, Failure> {
        loop {
            if let Some(stop) = watch.stop() {
                self.end();
                return Err(Failure::Stopped(stop));
            }
            self.poll(SLICE);
            let log = |line: &str| watch.log(line);
            self.out.drain(printed, log);
            self.errors.drain(printed, log);
            match packet::receive(self.home.socket(), &mut self.buffer) {
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
        let mut all = vec![PollFd::new(self.home.socket(), PollFlags::IN)];
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
    pub(super) fn end(&mut self) {
        self.home.leave();
        self.process.kill();
    }

    pub(super) fn is_ended(&self) -> bool {
        self.home.is_gone()
    }

    /// Removes what blocks have left in the worker's own folder.
    pub(super) fn tidy(&self) {
        let scratch = self.folder.join("scratch");
        for entry in std::fs::read_dir(scratch).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".cache") {
                continue;
            }
            let path = entry.path();
            // What cannot be removed now goes with the worker.
            let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
        // What is left is swept away when the runtime is made again.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How a process ended, in words that follow "was" or stand alone.
pub(super) fn ended(end: ProcessEnd) -> String {
    match end {
        ProcessEnd::Signalled(9) => "killed by signal 9 (out of memory?)".to_owned(),
        ProcessEnd::Signalled(24) => "killed by signal 24 (its limit on CPU time)".to_owned(),
        end => end.to_string(),
    }
}

impl Failure {
    /// As the error of the block that ran.
    pub(super) fn into_error(self, printed: &Printed) -> BlockError {
        let message = match self {
            Self::Stopped(stop) => return stop.into(),
            Self::Ended(end) => ended(end),
            Self::Spoiled(what) => format!("the block {what}"),
            Self::NotSent => "the worker ended before the block was started".to_owned(),
        };
        let tail = printed.tail();
        let details = if tail.is_empty() { message.clone() } else { format!("{message}\n{tail}") };
        BlockError::new(message).with_details(details)
    }
}
