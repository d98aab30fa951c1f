//! What a block leaves in its process does not reach the block that runs there next; and modules
//! that derive from the built-in ones. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use python_lab::{Lab, workflow};
use serde_json::json;

const BLOCKS: &str = r#"
import builtins, json, logging, os, resource, signal, sys, time

class Do(Block):
    """Runs its code, and shows what that calls `result` and which process it was."""

    def __init__(self):
        self.code = BlockParameter("code", ParameterType.STRING, "")

    def input_params(self, data):
        self.code.value = data["code"]

    def execute(self):
        names = dict(globals())
        exec(self.code.value, names)
        return (names.get("result"), os.getpid()), "STRING"
"#;

/// What a block does, and what tells whether the next one is as the first one was.
const CHANGES: [(&str, &str); 18] = [
    ("signal.alarm(1)", "time.sleep(1.5); result = signal.alarm(0)"),
    ("signal.setitimer(signal.ITIMER_PROF, 60)", "result = signal.getitimer(signal.ITIMER_PROF)"),
    ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "result = signal.getsignal(signal.SIGTERM)"),
    (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [15])",
        "result = signal.pthread_sigmask(signal.SIG_BLOCK, ())",
    ),
    (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))",
        "result = resource.getrlimit(resource.RLIMIT_FSIZE)",
    ),
    ("os.environ['LEFT'] = 'x'; del os.environ['PATH']", "result = sorted(os.environ.items())"),
    ("os.umask(0); os.chdir('/')", "result = os.umask(0o77), os.getcwd()"),
    (
        "logging.disable(logging.CRITICAL); logging.getLogger().setLevel(1)",
        "result = logging.root.level, logging.root.manager.disable",
    ),
    (
        "logging.basicConfig(); logging.root.handlers.append(0)",
        "result = len(logging.root.handlers)",
    ),
    ("sys.path.insert(0, '/left'); sys.path = sys.path[:1]", "result = sys.path"),
    ("sys.modules['json'] = None", "import json; result = json.dumps([1])"),
    (
        "builtins.len = lambda _: 0; builtins.left = 1",
        "result = len('four'), hasattr(builtins, 'left')",
    ),
    (
        "import decimal; decimal.getcontext().prec = 2",
        "import decimal; result = decimal.getcontext().prec",
    ),
    (
        "sys.setrecursionlimit(5000); sys.excepthook = print",
        "result = sys.getrecursionlimit(), sys.excepthook is sys.__excepthook__",
    ),
    ("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})", "result = os.sched_getaffinity(0)"),
    (
        "sys.stdout = open('left', 'w'); os.dup2(os.open('other', 65), 1)",
        "result = [(n, os.fstat(n).st_ino) for n in (0, 1, 2)]",
    ),
    ("os.close(0); os.close(2)", "result = [(n, os.fstat(n).st_ino) for n in (0, 1, 2)]"),
    ("open('file', 'w').write('x'); os.makedirs('a/b')", "result = os.listdir('.')"),
];

fn lab() -> Lab {
    let lab = Lab::with(|options| options.max_workers = 1);
    lab.blocks(&["Do"], BLOCKS);
    lab
}

#[test]
fn what_a_block_changes_in_its_process_is_put_back_for_the_next_one() {
    let lab = lab();
    for (change, look) in CHANGES {
        let shown = |code: &str| lab.run_block("Do", json!({ "code": code })).completed().text(0);
        let before = shown(look);
        let changed = lab.run_block("Do", json!({ "code": change }));
        assert!(changed.report.failures().is_empty(), "{change}: {}", changed.details());
        // The same answer, and in the same process.
        assert_eq!(shown(look), before, "{change}");
    }
}

#[test]
fn a_process_whose_priority_or_limits_cannot_be_put_back_is_not_used_again() {
    let lab = lab();
    let lowered = [
        "os.nice(5)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); raise ValueError('so')",
    ];
    let look = "result = os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_NOFILE), \
                resource.getrlimit(resource.RLIMIT_FSIZE)";
    let shown = |lab: &Lab| lab.run_block("Do", json!({ "code": look })).completed().text(0);
    let state = |text: &str| text.rsplit_once(", ").unwrap().0.to_owned();
    let before = shown(&lab);
    for code in lowered {
        let done = lab.run_block("Do", json!({ "code": code }));
        let lines = done.lines(0);
        let told =
            lines.iter().any(|line| line.ends_with("for good; its worker is not used again"));
        // A process that may raise them again has put them back.
        assert_eq!(state(&shown(&lab)), state(&before), "{code}: {told} {lines:?}");
    }
}

#[test]
fn what_a_block_that_fails_leaves_running_is_told_to_it() {
    let lab = lab();
    let code = "import subprocess; subprocess.Popen(['sleep', '98761']); raise ValueError('so')";
    let done = lab.run_block("Do", json!({ "code": code }));
    assert_eq!(done.error(), "ValueError: so");
    assert!(
        done.lines(0).iter().any(|line| line.contains("running; its worker is not used again"))
    );
    let next = lab.run_block("Do", json!({ "code": "" })).completed();
    assert_eq!(next.lines(0), Vec::<String>::new());
}

#[test]
fn temporary_folders_of_a_process_are_empty_for_the_next_block() {
    let lab = lab();
    let write = "
for folder in ('/tmp', '/dev/shm'):
    try: open(folder + '/left-by-a-block', 'w').write('x')
    except OSError: pass";
    lab.run_block("Do", json!({ "code": write })).completed();
    let look = "
result = []
for folder in ('/tmp', '/dev/shm'):
    try: result += [name for name in os.listdir(folder) if name == 'left-by-a-block']
    except OSError: pass";
    let sandboxed = std::env::var("EEG_TEST_SANDBOX").as_deref() != Ok("none");
    if sandboxed {
        let text = lab.run_block("Do", json!({ "code": look })).completed().text(0);
        assert!(text.starts_with("([], "), "{text}");
    }
}

#[test]
fn folders_nested_deeper_than_any_path_are_removed() {
    let lab = lab();
    let deep = "
for _ in range(18000):
    os.mkdir('deep'); os.chdir('deep')
open('file', 'w').write('x')";
    lab.run_block("Do", json!({ "code": deep })).completed();
    let text =
        lab.run_block("Do", json!({ "code": "result = os.listdir('.')" })).completed().text(0);
    assert!(text.starts_with("([], "), "{text}");
    let workers = lab.folder.path().join("python/workers");
    drop(lab.runtime);
    drop(lab.library);
    drop(lab.engine);
    assert!(python_lab::soon(|| std::fs::read_dir(&workers).unwrap().next().is_none()));
}

#[test]
fn a_module_derives_from_blocks_of_the_built_in_ones() {
    let lab = Lab::new();
    let code = "
from blocks.Arithmetic.AddSub.Addition import Addition
from blocks.Arithmetic import Division, string_classobject_mapping as built_in

class Twice(Addition):
    name = 'Twice'

    def execute(self):
        super().execute()
        self.output.set_value(2 * self.output.value)
        return self.output.value, 'STRING'

class Known(Block):
    def execute(self):
        return sorted(built_in), 'STRING'
";
    lab.blocks(&["Twice", "Division", "Known"], code);
    let constant = "Arithmetic.zip:Arithmetic/Constant";
    let document = workflow(
        &[
            (1, constant, json!({ "constant value": "40" })),
            (2, constant, json!({ "constant value": "30" })),
            (3, "Twice", json!({})),
            (4, "Division", json!({})),
            (5, "Known", json!({})),
        ],
        &[
            (1, "output", 3, "num1"),
            (2, "output", 3, "num2"),
            (3, "output", 4, "num1"),
            (2, "output", 4, "num2"),
        ],
    );
    let done = lab.run(&document).completed();
    assert_eq!(done.text(2), "140");
    assert_eq!(done.text(3), format!("{{'output': {}}}", 140.0 / 30.0));
    assert_eq!(
        done.text(4),
        "['Addition', 'Constant', 'Division', 'Multiplication', 'Plot', 'Subtraction']"
    );
}

#[test]
fn numbers_of_every_kind_are_numbers_at_native_ports() {
    let lab = Lab::new();
    let code = "
import fractions

class Number(Block):
    def __init__(self):
        self.code = BlockParameter('code', ParameterType.STRING, '')
        self.number = BlockOutput('number', ParameterType.NUMBER, 1, 100)

    def input_params(self, data):
        self.code.value = data['code']

    def execute(self):
        import decimal, enum, fractions
        class Level(enum.IntEnum):
            HIGH = 3
        class Own(float):
            pass
        self.number.set_value(eval(self.code.value, dict(locals())))
";
    lab.blocks(&["Number"], code);
    let cases = [
        ("decimal.Decimal('2.5')", "3.5"),
        ("fractions.Fraction(1, 4)", "1.25"),
        ("Level.HIGH", "4"),
        ("Own(0.5)", "1.5"),
        ("True", "2"),
    ];
    for (code, expected) in cases {
        let document = workflow(
            &[
                (1, "Number", json!({ "code": code })),
                (2, "Arithmetic.zip:Arithmetic/Constant", json!({ "constant value": "1" })),
                (3, "Arithmetic.zip:Arithmetic/Addition", json!({})),
            ],
            &[(1, "number", 3, "num1"), (2, "output", 3, "num2")],
        );
        let done = lab.run(&document).completed();
        assert_eq!(done.text(2), format!("{{'output': {expected}}}"), "{code}");
    }
}
