"""The channel to the host: packets of JSON with descriptors, on a descriptor of its own.

A packet is one byte and what follows it: `J` the JSON text itself, `M` nothing: the text is in
the first of the descriptors that come with it.
"""

import fcntl
import json
import os
import select
import signal
import socket
import threading

#: Texts longer than this go through memory of their own.
INLINE = 60_000
#: Descriptors that come with one packet at most.
MOST_DESCRIPTORS = 200
#: The exit status of a process whose channel was closed by what it ran.
CLOSED = 113
#: A number that no program picks by chance.
DESCRIPTOR = 700


def first_message():
    """The first packet, from standard input, which is the channel until there is a `Channel`."""
    with socket.socket(fileno=os.dup(0)) as standard_input:
        return json.loads(standard_input.recv(INLINE + 1024)[1:])


class Channel:
    def __init__(self):
        """Takes standard input, which is the channel, away from whoever may read it."""
        try:
            number = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR)
        except OSError:
            number = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self.socket = socket.socket(fileno=number)
        # A process that a block forks must not keep the channel open.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def receive(self):
        """The next packet and its descriptors; none when the host is gone."""
        packet, descriptors, _, _ = socket.recv_fds(self.socket, INLINE + 1024, MOST_DESCRIPTORS)
        if not packet:
            return None, []
        if packet[:1] == b"M":
            source = descriptors.pop(0)
            text = os.pread(source, os.fstat(source).st_size, 0)
            os.close(source)
        else:
            text = packet[1:]
        return json.loads(text), descriptors

    def send(self, message, descriptors=()):
        try:
            self._send(message, descriptors)
        except OSError:
            # A block has closed it. The host cannot see that: whatever put up the sandbox holds
            # the channel open too.
            os._exit(CLOSED)

    def _send(self, message, descriptors):
        text = json.dumps(message, separators=(",", ":")).encode()
        descriptors = list(descriptors)
        if len(text) <= INLINE:
            socket.send_fds(self.socket, [b"J" + text], descriptors)
            return
        memory = memory_file(text)
        try:
            socket.send_fds(self.socket, [b"M"], [memory, *descriptors])
        finally:
            os.close(memory)

    def end_with_host(self):
        """Ends this process and its group when the host is gone, whatever it is doing."""
        number = self.socket.fileno()

        def watch():
            poll = select.poll()
            poll.register(number, 0)
            while True:
                # Looked at anew now and then: a channel that a block closes stays open as long
                # as somebody waits for it.
                for _, event in poll.poll(1000):
                    if event & select.POLLNVAL:
                        return
                    if event & select.POLLHUP:
                        try:
                            if os.getpgid(0) == os.getpid():
                                os.killpg(0, signal.SIGKILL)
                        finally:
                            os._exit(1)

        threading.Thread(target=watch, name="end-with-host", daemon=True).start()


def memory_file(*parts):
    """A descriptor of memory that holds these bytes."""
    memory = os.memfd_create("eeg-workflow", os.MFD_CLOEXEC)
    try:
        for part in parts:
            write(memory, part)
    except BaseException:
        os.close(memory)
        raise
    return memory


def write(descriptor, data):
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]
