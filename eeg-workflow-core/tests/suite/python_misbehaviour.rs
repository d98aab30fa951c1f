//! Blocks in Python that misbehave: each fails alone, with a message that says what happened, and
//! leaves nothing behind. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use std::time::Duration;

use serde_json::json;

use python_lab::{Done, Lab, processes_with, soon, workflow};

/// How a misbehaving block ends.
enum Ends {
    /// It fails, and the message has this in it.
    With(&'static str),
    /// It fails with one of these.
    Either(&'static [&'static str]),
    /// It completes: what it does harms nobody.
    Well,
}
use Ends::{Either, Well, With};

/// What each block does, and how it ends. `deadline` marks those that would go on for ever.
const CASES: &[(&str, &str, Ends)] = &[
    ("raises", "raise ValueError('no such thing')", With("ValueError: no such thing")),
    (
        "raises what cannot be printed",
        "
class Mute(Exception):
    def __str__(self): raise RuntimeError('no')
raise Mute()",
        With("Mute (and RuntimeError while it was described)"),
    ),
    (
        "raises no Exception",
        "
class Last(BaseException): pass
raise Last('really')",
        With("Last: really"),
    ),
    ("raises an endless message", "raise ValueError('x' * 10**7)", With("ValueError: xxxx")),
    ("raises half a surrogate pair", "raise ValueError('\\ud800')", With("ValueError: \\ud800")),
    ("exits", "sys.exit(3)", With("SystemExit: 3")),
    ("interrupts itself", "raise KeyboardInterrupt()", With("KeyboardInterrupt")),
    ("exits at once", "os._exit(3)", With("exited with status 3")),
    ("exits at once as if all were well", "os._exit(0)", With("exited with status 0")),
    ("aborts", "os.abort()", With("killed by signal 6")),
    ("reads no memory", "ctypes.string_at(0)", With("killed by signal 11")),
    ("kills itself", "os.kill(os.getpid(), 9)", With("killed by signal 9 (out of memory?)")),
    ("kills its group", "os.killpg(0, 9)", With("killed by signal 9")),
    ("asks for all memory", "bytearray(1 << 45)", With("MemoryError")),
    (
        "eats memory",
        "
hoard = []
while True:
    hoard.append(bytearray(1 << 24))",
        Either(&["MemoryError", "killed by signal 9 (out of memory?)"]),
    ),
    (
        "forks without end",
        "
def bomb():
    while True:
        try: os.fork()
        except OSError: pass
bomb()",
        With("timed out after 3 s"),
    ),
    ("never ends", "while True: pass", With("timed out after 3 s")),
    ("sleeps for ever", "time.sleep(1e6)", With("timed out after 3 s")),
    (
        "ignores signals",
        "
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass",
        With("timed out after 3 s"),
    ),
    ("stops itself", "os.kill(os.getpid(), signal.SIGSTOP)", With("timed out after 3 s")),
    (
        "never gives the interpreter back",
        "import re; re.match('(a+)+b', 'a' * 60)",
        With("timed out after 3 s"),
    ),
    (
        "leaves grandchildren",
        "
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '98765'])
    os._exit(0)
os.wait()",
        Well,
    ),
    ("leaves a child", "import subprocess; subprocess.Popen(['sleep', '98765'])", Well),
    (
        "forks a copy that goes on",
        "
if os.fork() == 0:
    while True: time.sleep(1)",
        Well,
    ),
    (
        "leaves a thread",
        "
def talk():
    while True: print('still here'); time.sleep(0.001)
threading.Thread(target=talk).start()",
        Well,
    ),
    ("closes the channel", "os.closerange(3, 4096)", With("closed the channel")),
    (
        "writes nonsense to the channel",
        "
for number in range(3, 1024):
    try: os.write(number, b'\\xff\\x00 what?')
    except OSError: pass",
        With("wrote"),
    ),
    (
        "writes an answer of its own",
        "
for number in range(3, 1024):
    try: os.write(number, b'J{\"id\": 1, \"outputs\": [{\"value\": 1}]}')
    except OSError: pass",
        With("wrote a message of its own"),
    ),
    (
        "writes deep nonsense",
        "
for number in range(3, 1024):
    try: os.write(number, b'J' + b'[' * 50000)
    except OSError: pass",
        With("wrote"),
    ),
    (
        "floods the channel",
        "
sockets = []
for number in range(3, 1024):
    try: sockets.append(socket.socket(fileno=os.dup(number)))
    except OSError: pass
while True:
    for each in sockets: each.send(b'J{}')",
        With("wrote"),
    ),
    (
        "prints a gigabyte",
        "
line = b'x' * 1023 + b'\\n'
for _ in range(1 << 10): os.write(1, line * 1024)",
        Well,
    ),
    (
        "prints escapes and no text",
        "os.write(1, b'\\x1b[2J\\x1b]0;owned\\x07\\xff\\xfe\\x80'); os.write(2, b'\\xc3')",
        Well,
    ),
    ("closes its output", "os.close(1); os.close(2); print('lost')", Either(&["OSError"])),
    ("takes its output away", "sys.stdout = None; sys.stderr = None", Well),
    ("recurses without end", "def f(): return f()\nf()", With("RecursionError")),
    (
        "recurses below all limits",
        "
sys.setrecursionlimit(10**9)
class A:
    def __repr__(self): return repr([self])
repr(A())",
        Either(&["killed by signal 11", "MemoryError", "RecursionError"]),
    ),
    (
        "makes a value in a circle",
        "
circle = []
circle.append(circle)
self.give(circle)",
        Well,
    ),
    (
        "makes a value without a floor",
        "
deep = []
for _ in range(100000): deep = [deep]
self.give(deep)",
        With("RecursionError"),
    ),
    ("makes numbers that are none", "self.give([float('nan'), -float('inf')])", Well),
    ("makes half a surrogate pair", "self.give('\\udfff')", Well),
    ("makes what cannot be pickled", "self.give(lambda: threading.Lock())", Well),
    ("makes a long list", "self.give(list(range(1_000_000)))", Well),
    ("makes a long number", "self.give(1 << 200_000)", Well),
    (
        "makes what says nothing of its size",
        "
class Odd:
    @property
    def nbytes(self): raise RuntimeError('no')
    def __sizeof__(self): raise RuntimeError('no')
self.give(Odd())",
        Well,
    ),
    (
        "shows what cannot be shown",
        "
class Mute:
    def __str__(self): raise RuntimeError('mute')
return Mute(), 'STRING'",
        With("RuntimeError: mute"),
    ),
    ("shows no figure", "return 'text', 'GRAPH'", With("'str' object has no attribute 'savefig'")),
    ("shows no model", "return 'text', 'MODEL'", With("'str' object has no attribute 'save'")),
    (
        "shows a model that is not saved",
        "
class Model:
    def save(self, path): pass
return Model(), 'MODEL'",
        With("wrote no file"),
    ),
    ("shows half a surrogate pair", "return '\\ud800', 'STRING'", Well),
    (
        "breaks what its worker is made of",
        "
import json
json.dumps = None
json.loads = None",
        Either(&["exited with status 1", "TypeError"]),
    ),
    ("forgets its outputs", "del self.output", Well),
    (
        "writes a file without end",
        "
with open('large', 'wb') as file:
    while True: file.write(bytes(1 << 20))",
        Either(&["OSError", "killed by signal 25"]),
    ),
    (
        "opens files without end",
        "
files = []
while True: files.append(open('/dev/null'))",
        With("OSError: [Errno 24]"),
    ),
    ("goes elsewhere", "os.chdir('/'); os.umask(0o777)", Well),
];

fn module() -> (Vec<String>, String) {
    let names: Vec<String> = (0..CASES.len()).map(|i| format!("Case{i}")).collect();
    let mut code = String::from(
        "
import ctypes, os, signal, socket, sys, threading, time

class Base(Block):
    def __init__(self):
        self.output = BlockOutput('output', ParameterType.OBJECT, 1, 100)

    def give(self, value):
        self.output.set_value(value)

class Fine(Block):
    def __init__(self):
        self.inp = BlockInput('in', 0, 1, ParameterType.OBJECT)

    def execute(self):
        return 'fine', 'STRING'
",
    );
    for (name, (_, body, _)) in names.iter().zip(CASES) {
        let body: String = body.trim().lines().map(|line| format!("        {line}\n")).collect();
        code.push_str(&format!("\nclass {name}(Base):\n    def execute(self):\n{body}"));
    }
    (names, code)
}

fn lab() -> Lab {
    Lab::with(|options| {
        options.limits.address_space = 1 << 30;
        options.limits.processes = 40;
        options.limits.file_size = 64 << 20;
        options.idle_timeout = Duration::from_secs(1);
    })
}

fn run_case(lab: &Lab, name: &str, ends: &Ends) -> Done {
    let is_endless = matches!(ends, With(text) if text.contains("timed out after 3 s"));
    let deadline = Duration::from_secs(if is_endless { 3 } else { 120 });

    // Beside it one that uses its output, and one that has nothing to do with it.
    let document = workflow(
        &[(1, name, json!({})), (2, "Fine", json!({})), (3, "Fine", json!({}))],
        &[(1, "output", 2, "in")],
    );
    lab.run_with(&document, |options| options.block_deadline = Some(deadline))
}

#[test]
fn a_misbehaving_block_fails_alone_and_says_what_happened() {
    let lab = lab();
    let (names, code) = module();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["Fine"]).collect();
    lab.blocks(&names, &code);
    let mut wrong = Vec::new();
    for (name, (what, _, ends)) in names.iter().zip(CASES) {
        let done = run_case(&lab, name, ends);
        let failures: Vec<String> =
            done.report.failures().iter().map(|(_, error)| error.to_string()).collect();
        let message = failures.join("; ");
        let fine = match ends {
            With(text) => failures.len() == 1 && message.contains(text),
            Either(texts) => failures.len() == 1 && texts.iter().any(|text| message.contains(text)),
            Well => failures.is_empty(),
        };
        let shown: String = message.chars().take(300).collect();
        if !fine {
            wrong.push(format!("a block that {what}: {shown:?}"));
        }
        if done.failure(2).is_some() {
            wrong.push(format!("beside a block that {what}: {:?}", done.failure(2)));
        }
        let after = lab.run_block("Fine", json!({}));
        if after.failure(0).is_some() {
            wrong.push(format!("after a block that {what}: {:?}", after.failure(0)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Nothing is left: neither the workers, once they are idle, nor what blocks have started.
    let marks = ["98765", lab.folder.path().to_str().unwrap()];
    let left = || marks.iter().flat_map(|mark| processes_with(mark)).count();
    assert!(soon(|| left() == 0), "{} processes are left", left());
    let workers = lab.folder.path().join("python/workers");
    assert!(soon(|| std::fs::read_dir(&workers).unwrap().count() == 0));
}

#[test]
fn a_worker_that_is_killed_from_outside_costs_its_block_only() {
    let lab = lab();
    lab.blocks(
        &["Sleep"],
        "
import time
class Sleep(Block):
    def execute(self):
        print('asleep')
        time.sleep(1000)
",
    );
    let plan = lab.plan(&workflow(&[(1, "Sleep", json!({}))], &[]));
    let run = lab.engine.start(&plan, Default::default());
    let mark = lab.folder.path().to_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(500));
    // The interpreter itself; what has started it has a number below.
    let interpreter = processes_with(&mark).into_iter().max().unwrap();
    std::process::Command::new("kill").args(["-9", &interpreter.to_string()]).status().unwrap();
    let report = run.wait();
    let failures = report.failures();
    let message = failures[0].1.to_string();
    assert!(message.contains("killed by signal 9"), "{message}");
    assert!(soon(|| processes_with(&mark).is_empty()));
}

#[test]
fn a_module_that_takes_too_long_to_load_or_ends_its_worker_is_refused() {
    let lab = Lab::with(|options| options.start_timeout = Duration::from_secs(2));
    let refused = |code: &str| {
        let error = lab.install(&[("Lab/__init__.py", code)]).unwrap_err().to_string();
        assert!(soon(|| processes_with(lab.folder.path().to_str().unwrap()).is_empty()));
        error
    };
    let late = refused("import time; time.sleep(100)");
    assert!(late.contains("not loaded within 2 s"), "{late}");
    let gone = refused("import os; os._exit(7)");
    assert!(gone.contains("exited with status 7"), "{gone}");
    let killed = refused("import os; os.kill(os.getpid(), 9)");
    assert!(killed.contains("killed by signal 9"), "{killed}");
    let forged = refused(
        "import os\nfor n in range(3, 1024):\n  try: os.write(n, b'J{}')\n  except OSError: pass",
    );
    assert!(forged.contains("wrote"), "{forged}");
    let empty = lab.folder.path().join("python/archives");
    assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0);
    lab.blocks(&[], "");
}
