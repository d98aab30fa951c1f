//! Packets to and from a worker: JSON text with descriptors, over a socket of its own.
//!
//! A packet is one byte and what follows it: `J` the text, `M` nothing: the text is in the first
//! of the descriptors. Nothing that comes is believed: it is the work of uploaded code.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde_json::Value as Json;

use crate::runtime::python::memory::{self, Memory};

/// Texts longer than this go through memory of their own.
const INLINE: usize = 60_000;
/// Longer messages from a worker are refused.
const LONGEST: usize = 512 << 20;
/// Descriptors in one packet at most.
const DESCRIPTORS: usize = 240;

/// What came from a worker.
pub(crate) struct Packet {
    pub(crate) message: Json,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Why nothing came from a worker.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other end is closed.
    Closed,
    /// What came is not a message.
    Garbage(String),
}

/// Both ends of a channel: the host's, and the worker's.
pub(crate) fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Sends a message; `wait` says whether to wait until there is room for it.
pub(crate) fn send(
    socket: &OwnedFd,
    message: &Json,
    descriptors: &[BorrowedFd<'_>],
    wait: bool,
) -> std::io::Result<()> {
    let text = message.to_string();
    let memory;
    let mut all = Vec::with_capacity(descriptors.len() + 1);
    let packet = if text.len() <= INLINE {
        [&b"J"[..], text.as_bytes()].concat()
    } else {
        memory = Memory::of(text.as_bytes())?;
        all.push(memory.as_fd());
        b"M".to_vec()
    };
    all.extend_from_slice(descriptors);
    if all.len() > DESCRIPTORS {
        return Err(std::io::Error::other("too many values for one block"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !all.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&all));
    }
    let flags = if wait { SendFlags::empty() } else { SendFlags::DONTWAIT };
    let flags = flags | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(&packet)], &mut control, flags)
    })?;
    Ok(())
}

/// Takes the packet that is there; none if there is none yet.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut Vec<u8>) -> Result<Option<Packet>, Broken> {
    buffer.resize(INLINE + 4096, 0);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)
    });
    let received = match received {
        Ok(received) => received,
        Err(rustix::io::Errno::AGAIN) => return Ok(None),
        Err(_) => return Err(Broken::Closed),
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Err(Broken::Closed);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Broken::Garbage("a packet that is too long".to_owned()));
    }
    let (kind, text) = match buffer.get(..received.bytes).and_then(<[u8]>::split_first) {
        Some((kind, text)) => (*kind, text),
        None => return Err(Broken::Closed),
    };
    let outside;
    let text = match kind {
        b'J' => text,
        b'M' if !descriptors.is_empty() => {
            outside = memory::read_all(descriptors.remove(0).as_fd(), LONGEST)
                .map_err(|error| Broken::Garbage(error.to_string()))?;
            &outside
        }
        _ => {
            return Err(Broken::Garbage(format!(
                "{} bytes that are not a message",
                received.bytes
            )));
        }
    };
    match serde_json::from_slice(text) {
        Ok(message) => Ok(Some(Packet { message, descriptors })),
        Err(error) => Err(Broken::Garbage(format!("a string that is not JSON ({error})"))),
    }
}
