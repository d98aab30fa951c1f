//! What a server has beside the scratch folder of a block: what must stay out of its reach.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command};

use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind};
use serde_json::json;

use super::{Playground, Running, python};

const IN_ENVIRONMENT: &str = "the-secret-in-an-environment";

pub(crate) struct World {
    pub(crate) place: Playground,
    neighbour: Running,
    other: Playground,
    victim: Child,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: UnixListener,
    hidden: UnixListener,
    datagram: UnixDatagram,
    shared_key: u32,
    shared_file: PathBuf,
    before: Vec<String>,
}

impl World {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let place = Playground::new(sandbox);
        fs::write(place.path("server.sqlite"), "all accounts and jobs").unwrap();
        fs::write(place.path("secret.key"), "a secret of the server").unwrap();
        fs::set_permissions(place.path("secret.key"), fs::Permissions::from_mode(0o600)).unwrap();
        for name in ["me", "another"] {
            fs::create_dir_all(place.path("users").join(name)).unwrap();
            fs::write(place.path("users").join(name).join("a.eeg"), "microvolts").unwrap();
        }
        fs::hard_link(place.path("users/me/a.eeg"), place.path("files/a.eeg")).unwrap();

        let other = Playground::new(sandbox);
        let mut neighbour = other.start(
            "open('result', 'w').write('of another job'); print('ready', flush=True); time.sleep(600)",
        );
        neighbour.wait_for("ready");
        let victim =
            Command::new("/bin/sleep").arg("600").env("IT", IN_ENVIRONMENT).spawn().unwrap();

        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(place.path("unix")).unwrap();
        let hidden =
            SocketAddr::from_abstract_name(place.path("hidden").to_str().unwrap()).unwrap();
        let hidden = UnixListener::bind_addr(&hidden).unwrap();
        let datagram = UnixDatagram::bind(place.path("datagram")).unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        hidden.set_nonblocking(true).unwrap();
        datagram.set_nonblocking(true).unwrap();

        let shared_key = 0x0EE6_0000 + (victim.id() & 0xffff);
        shared_memory(shared_key, "shmget(KEY, 4096, 0o1666)");
        let shared_file = PathBuf::from(format!("/dev/shm/eeg-sandbox-{}", victim.id()));
        fs::write(&shared_file, "shared by the host").unwrap();

        let mut world = Self {
            place,
            neighbour,
            other,
            victim,
            tcp,
            udp,
            unix,
            hidden,
            datagram,
            shared_key,
            shared_file,
            before: Vec::new(),
        };
        world.before = world.state();
        world
    }

    /// The attempts' code, which knows where everything is.
    pub(crate) fn attempts(&self) -> String {
        let path = |name: &str| self.place.path(name);
        let known = json!({
            "only_harmless": self.place.sandbox.kind() == SandboxKind::None,
            "own_network": self.place.sandbox.kind() == SandboxKind::Bubblewrap,
            "database": path("server.sqlite"),
            "secret": path("secret.key"),
            "users": path("users"),
            "other_file": path("users/another/a.eeg"),
            "other_scratch": self.other.path("scratch"),
            "scratch": path("scratch"),
            "code": path("code"),
            "files": self.place.sandbox.files_path(&path("files")),
            "file": self.place.file("a.eeg"),
            "server": std::process::id(),
            "victim": self.victim.id(),
            "neighbour": self.neighbour.process.id(),
            "in_environment": IN_ENVIRONMENT,
            "tcp": self.tcp.local_addr().unwrap().port(),
            "udp": self.udp.local_addr().unwrap().port(),
            "unix": path("unix"),
            "abstract": path("hidden"),
            "datagram": path("datagram"),
            "shared_key": self.shared_key,
            "shared_file": self.shared_file,
        });
        let attempts = include_str!("attempts.py");
        format!("place = json.loads({:?})\n{attempts}", known.to_string())
    }

    /// All that the attempts might have changed.
    fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        let mut folders = vec![self.place.folder.path().to_owned(), self.other.path("scratch")];
        while let Some(folder) = folders.pop() {
            let own = [self.place.path("scratch"), self.place.path("output")];
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if own.contains(&path) {
                    continue;
                }
                let data = fs::metadata(&path).unwrap();
                let text = if data.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let (mode, owner, size) = (data.mode(), data.uid(), text.len());
                let changed = if data.is_file() { data.mtime_nsec() } else { 0 };
                state.push(format!("{path:?} {mode:o} {owner} {size} {changed}"));
                if data.is_dir() {
                    folders.push(path);
                }
            }
        }
        let lib = python().readable.iter().map(|path| path.join("sandbox_escape.py"));
        for path in
            lib.chain(["/usr", "/etc", "/"].map(|f| PathBuf::from(f).join("sandbox_escape")))
        {
            state.push(format!("{path:?} {}", path.exists()));
        }
        state.sort();
        state
    }

    /// Asserts that nothing has been changed or has arrived.
    pub(crate) fn assert_untouched(&mut self) {
        assert_eq!(self.state(), self.before);
        assert_eq!(self.victim.try_wait().unwrap(), None, "the host's process lives");
        assert_eq!(self.neighbour.process.try_wait().unwrap(), None, "the other worker lives");
        let quiet = |result: std::io::Result<()>| {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        };
        quiet(self.tcp.accept().map(|_| ()));
        quiet(self.udp.recv(&mut [0]).map(|_| ()));
        quiet(self.unix.accept().map(|_| ()));
        quiet(self.hidden.accept().map(|_| ()));
        quiet(self.datagram.recv(&mut [0]).map(|_| ()));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_file(&self.shared_file);
        shared_memory(self.shared_key, "shmctl(libc.shmget(KEY, 0, 0), 0, None)");
    }
}

/// A call on shared memory, which only C has.
fn shared_memory(key: u32, call: &str) {
    let code = format!("import ctypes\nKEY = {key}\nlibc = ctypes.CDLL(None)\nlibc.{call}");
    let status = Command::new(&python().program).args(["-ISBc", &code]).status().unwrap();
    assert!(status.success());
}
