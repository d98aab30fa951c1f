//! How confined processes start, work within their limits, and end with all they have started.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use crate::support::sandbox_support;

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use eeg_workflow_core::runtime::sandbox::{Limits, ProcessEnd, Sandbox, SandboxKind};
use sandbox_support::{FOLDER, LONG, Playground, is_root, kinds, note, nothing, processes_with};

/// No process has this in its command line.
fn assert_gone(text: &str, kind: SandboxKind) {
    let left = processes_with(text);
    assert!(left.is_empty(), "{kind}: still there: {left:?}");
}

/// A text that is in the command line of one test's processes only.
fn mark(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[test]
fn the_end_of_the_program_itself_is_told() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        for (code, end, text) in [
            ("pass", ProcessEnd::Exited(0), "exited with status 0"),
            ("os._exit(3)", ProcessEnd::Exited(3), "exited with status 3"),
            (
                "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
                ProcessEnd::Signalled(9),
                "killed by signal 9",
            ),
            ("ctypes.string_at(0)", ProcessEnd::Signalled(11), "killed by signal 11"),
        ] {
            let mut running = place.start(code);
            assert_eq!(running.end(), end, "{}: {code}: {}", sandbox.kind(), running.output());
            assert_eq!(end.to_string(), text);
            running.process.kill();
            assert_eq!(running.process.try_wait().unwrap(), Some(end), "told again after the end");
        }
    }
}

#[test]
fn a_killed_process_says_so_and_can_be_killed_again() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        let mut running =
            place.start("signal.signal(15, signal.SIG_IGN); print('on'); time.sleep(600)");
        assert_eq!(running.process.try_wait().unwrap(), None);
        assert_eq!(running.process.wait_timeout(Duration::from_millis(1)).unwrap(), None);
        assert!(running.process.id() > 1);
        running.process.kill();
        running.process.kill();
        assert_eq!(running.process.try_wait().unwrap(), Some(ProcessEnd::Signalled(9)));
        assert_eq!(running.process.wait_timeout(LONG).unwrap(), Some(ProcessEnd::Signalled(9)));
    }
}

#[test]
fn usual_work_goes_on_inside() {
    let work = r#"
import concurrent.futures, glob, hashlib, json, logging, math, pathlib, pickle, platform, random
import shutil, sqlite3, ssl, tempfile, threading, uuid, zipfile
assert os.getcwd() == os.environ["HOME"] == os.path.realpath(tempfile.gettempdir())
pathlib.Path("a/b").mkdir(parents=True)
pathlib.Path("a/b/text").write_text("text")
shutil.copy2("a/b/text", "copied")
shutil.move("copied", "a/moved")
os.replace("a/b/text", "a/other")
os.symlink("a", "link")
assert sorted(os.listdir("link")) == ["b", "moved", "other"]
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x" * 1000000)
with zipfile.ZipFile("z.zip", "w") as archive:
    archive.write("a/moved")
shutil.unpack_archive("z.zip", "unpacked")
database = sqlite3.connect("d.sqlite")
database.execute("create table t (x)")
database.commit()
assert subprocess.run(["/usr/bin/env", "printf", "hello"], stdout=-1, check=True).stdout == b"hello"
assert subprocess.run([sys.executable, "-c", "import json, ctypes; print(1)"], capture_output=True).stdout == b"1\n"
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    assert sum(pool.map(abs, range(100))) == 4950
one, other = socket.socketpair()
one.sendall(b"x")
assert other.recv(1) == b"x"
open("/dev/null", "w").write("x")
assert len(open("/dev/urandom", "rb").read(10)) == 10
assert "MemTotal" in open("/proc/meminfo").read()
assert os.cpu_count() >= 1
assert set(os.environ) <= {"HOME", "TMPDIR", "PWD", "LC_CTYPE", "EEG_WORKFLOW_SANDBOX"}, os.environ
assert os.getsid(0) == os.getpid() or config["reaper"] is False
print("done")
"#;
    for sandbox in kinds() {
        let said = Playground::new(&sandbox).run(&format!("config = json.loads(config)\n{work}"));
        assert_eq!(said.trim(), "done", "{}", sandbox.kind());
    }
}

#[test]
fn under_bubblewrap_folders_in_memory_are_its_own_and_small() {
    let Ok(sandbox) = Sandbox::new(SandboxKind::Bubblewrap) else {
        return note("NOT TRIED: folders in memory under bubblewrap");
    };
    let said = Playground::new(&sandbox).run(
        "
import multiprocessing
for folder, most in [('/tmp', 256 << 20), ('/dev/shm', 64 << 20)]:
    assert os.listdir(folder) == [], folder
    file = os.open(folder + '/big', os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(file, bytes(1 << 20)):
            assert os.fstat(file).st_size <= most
    except OSError as error:
        assert error.errno == 28, error
    os.close(file)
    os.unlink(folder + '/big')
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))",
    );
    assert_eq!(said, "[1, 2]\n");
}

#[test]
fn a_file_that_is_put_there_later_is_seen() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        fs::write(place.path("recording"), "microvolts").unwrap();
        let (mine, theirs) = UnixStream::pair().unwrap();
        let path = place.file("later");
        let code = format!(
            "print('ready', os.listdir({:?}), flush=True)\nos.read(0, 1)\nprint(open({path:?}).read())",
            path.parent().unwrap()
        );
        let mut running = place.start_with(&code, theirs.into());
        running.wait_for("ready []");
        fs::hard_link(place.path("recording"), place.path("files/later")).unwrap();
        drop(mine);
        running.end();
        assert!(
            running.output().ends_with("microvolts\n"),
            "{}: {}",
            sandbox.kind(),
            running.output()
        );
    }
}

#[test]
fn a_process_outlives_the_thread_that_asked_for_it() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        let (mine, theirs) = UnixStream::pair().unwrap();
        let mut running = thread::scope(|scope| {
            let code = "os.read(0, 1); print('lives')";
            scope.spawn(|| place.start_with(code, theirs.into())).join().unwrap()
        });
        let kind = sandbox.kind();
        // Nor does it end with the sandbox that it came from.
        drop(sandbox);
        assert_eq!(
            running.process.wait_timeout(Duration::from_millis(200)).unwrap(),
            None,
            "{kind}"
        );
        drop(mine);
        assert_eq!(running.end(), ProcessEnd::Exited(0), "{kind}: {}", running.output());
        assert_eq!(running.output(), "lives\n");
    }
}

#[test]
fn a_fork_bomb_is_contained_and_ends() {
    for sandbox in kinds() {
        let kind = sandbox.kind();
        let shares = sandbox.kind() != SandboxKind::Bubblewrap
            && sandbox.bootstrap(&Limits::default(), 0)["user"].is_null();
        if shares && is_root() {
            note(&format!("NOT TRIED: a fork bomb under {kind} as root, for which no limit holds"));
            continue;
        }
        let mark = mark("bomb");
        let mut place = Playground::new(&sandbox);
        place.limits.processes = 40;
        let code = format!(
            "# {mark}
import itertools
for count in itertools.count():
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        print('full', flush=True)
        break
while True:
    try:
        os.fork()
    except OSError:
        pass"
        );
        let mut running = place.start(&code);
        running.wait_for("full");
        thread::sleep(Duration::from_millis(300));
        // Bubblewrap's own are some more. A user's other processes, as those of other tests,
        // count where there is no user or namespace for these alone.
        let all = processes_with(&mark).len();
        assert!(all <= if shares { 200 } else { 45 }, "{kind}: {all} processes");
        running.process.kill();
        assert_gone(&mark, kind);
    }
}

#[test]
fn grandchildren_that_hide_end_too() {
    let orphan = "
def headless():
    # Its first thread ends, another goes on.
    threading.Thread(target=time.sleep, args=(600,)).start()
    libc = ctypes.PyDLL(None)
    libc.syscall(60 if os.uname().machine == 'x86_64' else 93, 0)
def orphan(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            os.chdir('/')
            work()
        os._exit(0)
    os.wait()
";
    for sandbox in kinds() {
        let kind = sandbox.kind();
        // Nothing in its environment tells where it comes from.
        let emptied = "lambda: os.execve(sys.executable, [sys.executable, '-ISBc', f'import time; time.sleep(600) # {MARK}'], {})";
        let mark = mark("orphan");
        let place = Playground::new(&sandbox);
        let code = format!(
            "MARK = {mark:?}\n{orphan}\norphan(lambda: time.sleep(600))\norphan({emptied})\n\
             orphan(headless)\n\
             time.sleep(0.3)\nprint('ready', flush=True)\ntime.sleep(600)"
        );
        let (mut mine, theirs) = UnixStream::pair().unwrap();
        let mut running = place.start_with(&code, theirs.into());
        running.wait_for("ready");
        assert!(processes_with(&mark).len() >= 3, "{kind}: {:?}", processes_with(&mark));
        running.process.kill();
        assert_gone(&mark, kind);
        // It ends when nobody has the other end any more.
        mine.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert_eq!(mine.read(&mut [0]).unwrap(), 0, "{kind}");

        // The same when their parent has ended before.
        let code = format!("# {mark}\n{orphan}\norphan(lambda: time.sleep(600))");
        let (mut mine, theirs) = UnixStream::pair().unwrap();
        let mut running = place.start_with(&code, theirs.into());
        assert_eq!(running.end(), ProcessEnd::Exited(0), "{kind}: {}", running.output());
        drop(running);
        assert_gone(&mark, kind);
        mine.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert_eq!(mine.read(&mut [0]).unwrap(), 0, "{kind}");
    }
}

#[test]
fn two_kills_end_only_their_own() {
    for sandbox in kinds() {
        let places = [(); 2].map(|()| Playground::new(&sandbox));
        let code =
            "subprocess.Popen(['/bin/sleep', '600']); print('ready', flush=True); time.sleep(600)";
        let [mut one, mut other] = places.each_ref().map(|place| place.start(code));
        one.wait_for("ready");
        other.wait_for("ready");
        one.process.kill();
        assert_eq!(other.process.wait_timeout(Duration::from_millis(100)).unwrap(), None);
    }
}

#[test]
fn the_limits_hold() {
    for sandbox in kinds() {
        let kind = sandbox.kind();
        let mut place = Playground::new(&sandbox);
        place.limits.address_space = 1 << 30;
        place.limits.open_files = 50;
        place.limits.file_size = 1 << 20;
        let said = place.run(
            "
def refused(what, work):
    try:
        work()
        print(what, 'allowed')
    except (OSError, MemoryError) as error:
        print(what, type(error).__name__)
refused('memory', lambda: bytearray(2 << 30))
refused('files', lambda: [open('/dev/null') for _ in range(60)])
refused('size', lambda: open('big', 'wb').write(bytes(2 << 20)))
print('core', resource.getrlimit(resource.RLIMIT_CORE))",
        );
        assert_eq!(
            said, "memory MemoryError\nfiles OSError\nsize OSError\ncore (0, 0)\n",
            "{kind}"
        );
    }
}

#[test]
fn a_process_that_has_used_its_cpu_time_ends() {
    for sandbox in kinds() {
        let mut place = Playground::new(&sandbox);
        place.limits.cpu_seconds = 1;
        let mut running = place.start("while True: pass");
        // SIGXCPU
        assert_eq!(running.end(), ProcessEnd::Signalled(24), "{}", sandbox.kind());
    }
}

#[test]
fn what_the_host_has_open_is_closed() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        let said = place.run(
            "
for number in range(3, 1024):
    try:
        os.fstat(number)
        print(number)
    except OSError:
        pass",
        );
        assert_eq!(said, "", "{}", sandbox.kind());
    }
}

#[test]
fn bad_paths_are_refused_before_anything_starts() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        if is_root() && sandbox.kind() == SandboxKind::Bubblewrap {
            fs::set_permissions(place.path("code"), Permissions::from_mode(0o700)).unwrap();
            let error = place.try_start("pass", nothing()).unwrap_err().to_string();
            assert!(
                error.contains("code") && error.contains("closes it to other users"),
                "{error}"
            );
            fs::set_permissions(place.path("code"), Permissions::from_mode(0o755)).unwrap();
        }
        fs::remove_dir(place.path("files")).unwrap();
        let error = place.try_start("pass", nothing()).unwrap_err();
        assert!(error.to_string().contains("files"), "{error}");
    }
}

#[test]
fn under_bubblewrap_processes_end_with_the_host() {
    const HOST: &str = "EEG_SANDBOX_HOST";
    if let Ok(mark) = env::var(HOST) {
        let sandbox = Sandbox::new(SandboxKind::Bubblewrap).unwrap();
        let place = Playground::new(&sandbox);
        let mut running =
            place.start(&format!("print('on', flush=True)\ntime.sleep(600) # {mark}"));
        running.wait_for("on");
        println!("started");
        thread::sleep(LONG);
        return;
    }
    if let Err(error) = Sandbox::new(SandboxKind::Bubblewrap) {
        return note(&format!("NOT TRIED: the end of the host under bubblewrap: {error}"));
    }
    let mark = mark("host");
    let left_behind = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut host = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "sandbox_lifetime::under_bubblewrap_processes_end_with_the_host",
            "--nocapture",
        ])
        .env(HOST, &mark)
        .env(FOLDER, left_behind.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("started")));
    assert!(!processes_with(&mark).is_empty());
    host.kill().unwrap();
    host.wait().unwrap();
    let deadline = Instant::now() + LONG;
    while !processes_with(&mark).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_with(&mark));
        thread::sleep(Duration::from_millis(5));
    }
}
