//! What a worker prints: its two pipes, as lines.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

/// Lines longer than this are cut.
const LONGEST: usize = 8 << 10;
/// The maximum number of bytes kept of what one block prints.
const MOST: usize = 256 << 10;
/// So much of the end of what was printed is kept for an error's details.
const TAIL: usize = 4 << 10;

/// The read end of a pipe, and the line that is not complete yet.
#[derive(Debug)]
pub(crate) struct Pipe {
    descriptor: OwnedFd,
    line: Vec<u8>,
    is_closed: bool,
}

/// How much of what a block prints was passed on, and its end.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    passed: usize,
    dropped: usize,
    tail: Vec<u8>,
}

impl Pipe {
    /// A pipe whose write end goes to a worker.
    pub(crate) fn new() -> std::io::Result<(Self, OwnedFd)> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Less waiting for whoever prints much; the usual size does as well.
        let _ = rustix::pipe::fcntl_setpipe_size(&read, 256 << 10);
        let flags = rustix::fs::fcntl_getfl(&read)?;
        rustix::fs::fcntl_setfl(&read, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok((Self { descriptor: read, line: Vec::new(), is_closed: false }, write))
    }

    pub(crate) fn descriptor(&self) -> Option<&OwnedFd> {
        (!self.is_closed).then_some(&self.descriptor)
    }

    /// Reads what is there, and passes complete lines on. At most a few pipefuls: what is
    /// printed without end must not keep the reader from everything else.
    pub(crate) fn drain(&mut self, printed: &mut Printed, mut log: impl FnMut(&str)) {
        let mut buffer = [0; 64 << 10];
        for _ in 0..64 {
            let count = match rustix::io::read(&self.descriptor, &mut buffer) {
                Ok(0) => {
                    self.is_closed = true;
                    break;
                }
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            printed.keep_tail(bytes);
            if printed.is_full() {
                printed.dropped += bytes.len();
                continue;
            }
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                let room = LONGEST.saturating_sub(self.line.len());
                self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
                if piece.ends_with(b"\n") || self.line.len() >= LONGEST {
                    printed.pass(&self.line, &mut log);
                    self.line.clear();
                }
            }
        }
    }

    /// Passes on what has no end of line.
    pub(crate) fn finish(&mut self, printed: &mut Printed, log: impl FnMut(&str)) {
        if !self.line.is_empty() {
            printed.pass(&self.line, log);
            self.line.clear();
        }
    }
}

impl Printed {
    fn is_full(&self) -> bool {
        self.dropped > 0
    }

    fn pass(&mut self, line: &[u8], mut log: impl FnMut(&str)) {
        if self.is_full() || self.passed + line.len() > MOST {
            self.dropped += line.len();
            return;
        }
        self.passed += line.len();
        let text = String::from_utf8_lossy(line);
        log(text.trim_end_matches(['\n', '\r']));
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let last = bytes.len().saturating_sub(TAIL);
        self.tail.extend_from_slice(bytes.get(last..).unwrap_or_default());
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
    }

    /// Says how much was not passed on.
    pub(crate) fn close(&self, mut log: impl FnMut(&str)) {
        if self.dropped > 0 {
            log(&format!("… {} more bytes were printed, and not kept", self.dropped));
        }
    }

    /// The end of what was printed.
    pub(crate) fn tail(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim().to_owned()
    }
}
