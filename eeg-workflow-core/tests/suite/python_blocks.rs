//! Blocks in Python: what they get, what they give, and what they show. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{PythonRepr, Value};
use serde_json::json;

use python_lab::{Lab, workflow};

const ECHO: &str = r#"
class Echo(Block):
    family = "Data"
    name = "Echo"
    description = "Says what it gets"

    def __init__(self):
        self.inp = BlockInput("in", 0, 100, ParameterType.OBJECT)
        self.text = BlockParameter("text", ParameterType.STRING, "hello", "Any text")
        self.number = BlockParameter("number", ParameterType.NUMBER, 1)
        self.items = BlockParameter("items", ParameterType.STRING_ARRAY, "")
        self.flag = BlockParameter("flag", ParameterType.BOOLEAN, True)
        self.plain = 3
        self.output = BlockOutput("output", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.data = data

    def execute(self):
        print("echo runs")
        self.output.set_value(self.data)
        return (sorted(self.data.items()), "STRING")
"#;

#[test]
fn a_block_gets_its_parameters_as_the_document_has_them_and_defaults_as_texts() {
    let lab = Lab::new();
    lab.blocks(&["Echo"], ECHO);
    let done = lab.run_block("Echo", json!({"text": "hi", "items": ["a", "b"]})).completed();
    assert_eq!(
        done.text(0),
        "[('flag', 'True'), ('items', ['a', 'b']), ('number', '1'), ('text', 'hi')]"
    );
    assert_eq!(done.lines(0), ["echo runs"]);
    let value = PythonRepr(&done.value(0)).to_string();
    assert_eq!(value, "{'text': 'hi', 'number': '1', 'items': ['a', 'b'], 'flag': 'True'}");
}

#[test]
fn one_value_at_an_input_comes_as_itself_and_several_as_a_list() {
    let lab = Lab::new();
    lab.blocks(&["Echo"], ECHO);
    let constant = "Arithmetic.zip:Arithmetic/Constant";
    let one = workflow(
        &[(1, constant, json!({"constant value": "3"})), (2, "Echo", json!({}))],
        &[(1, "output", 2, "in")],
    );
    assert!(lab.run(&one).completed().text(1).contains("('in', 3)"));
    let several = workflow(
        &[
            (1, constant, json!({"constant value": "3"})),
            (2, constant, json!({"constant value": "4.5"})),
            (3, "Echo", json!({})),
        ],
        &[(2, "output", 3, "in"), (1, "output", 3, "in")],
    );
    let text = lab.run(&several).completed().text(2);
    assert!(text.contains("('in', [4.5, 3])"), "{text}");
}

#[test]
fn plain_values_go_there_and_back_unchanged() {
    let lab = Lab::new();
    lab.blocks(
        &["Make", "Repr"],
        r#"
class Make(Block):
    def __init__(self):
        self.output = BlockOutput("output", ParameterType.OBJECT, 1, 100)

    def execute(self):
        self.output.set_value([
            None, True, -1, 2**63, -2**80, 0.1, 1e300, float("inf"), -0.0, "h\u00e9\U0001f9e0\n\x00",
            [], {}, {1: "one", "two": [2.5], None: False},
        ])

class Repr(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.OBJECT)

    def input_params(self, data):
        self.data = data["in"]

    def execute(self):
        return repr(self.data), "STRING"
"#,
    );
    let document =
        workflow(&[(1, "Make", json!({})), (2, "Repr", json!({}))], &[(1, "output", 2, "in")]);
    let done = lab.run(&document).completed();
    let expected = "[None, True, -1, 9223372036854775808, -1208925819614629174706176, 0.1, 1e+300, \
                    inf, -0.0, 'h\u{e9}\u{1f9e0}\\n\\x00', [], {}, {1: 'one', 'two': [2.5], None: \
                    False}]";
    assert_eq!(done.text(1), expected);
    assert_eq!(PythonRepr(&done.value(0)).to_string(), expected);
}

#[test]
fn branches_that_share_a_value_never_see_each_others_changes() {
    let lab = Lab::new();
    lab.blocks(
        &["Make", "Append"],
        r#"
class Thing:
    def __init__(self):
        self.items = []

class Make(Block):
    def __init__(self):
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)

    def execute(self):
        self.output.set_value(Thing())

class Append(Block):
    def __init__(self):
        self.inp = BlockInput("thing", 1, 1, ParameterType.OBJECT)
        self.item = BlockParameter("item", ParameterType.STRING, "x")
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.thing = data["thing"]
        self.value = data["item"]

    def execute(self):
        self.thing.items.append(self.value)
        self.output.set_value(self.thing)
        return " ".join(self.thing.items), "STRING"
"#,
    );
    let item = |id, text: &str| (id, "Append", json!({"item": text}));
    let document = workflow(
        &[(1, "Make", json!({})), item(2, "a"), item(3, "b"), item(4, "c"), item(5, "a2")],
        &[
            (1, "thing", 2, "thing"),
            (1, "thing", 3, "thing"),
            (1, "thing", 4, "thing"),
            (2, "thing", 5, "thing"),
        ],
    );
    let done = lab.run_with(&document, |options| options.keep = Default::default()).completed();
    let texts: Vec<String> = (1..5).map(|block| done.text(block)).collect();
    assert_eq!(texts, ["a", "b", "c", "a a2"]);
}

#[test]
fn an_exception_is_the_blocks_error_with_its_traceback() {
    let lab = Lab::new();
    lab.blocks(
        &["Fails"],
        r#"
class Fails(Block):
    def execute(self):
        raise RuntimeError('h\u00e9llo "quoted"')
"#,
    );
    let done = lab.run_block("Fails", json!({}));
    assert_eq!(done.error(), "RuntimeError: h\u{e9}llo \"quoted\"");
    let details = done.details();
    assert!(details.starts_with("Traceback (most recent call last):\n"), "{details}");
    assert!(details.ends_with("RuntimeError: h\u{e9}llo \"quoted\""), "{details}");
    assert!(details.contains("Lab/__init__.py\", line") && !details.contains("runner.py"));
    let none: Option<&Value> = done.report.output(eeg_workflow_core::workflow::BlockIndex(0), 0);
    assert!(none.is_none());
}

#[test]
fn a_value_that_is_not_of_the_declared_type_is_the_blocks_own_affair() {
    let lab = Lab::new();
    lab.blocks(&["Echo"], ECHO);
    let document = workflow(&[(1, "Echo", json!({"number": "1 or 2"}))], &[]);
    let plan = lab.plan(&document);
    let warnings: Vec<String> = plan.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("number"), "{warnings:?}");
    assert!(lab.run(&document).completed().text(0).contains("('number', '1 or 2')"));
}

const FILES: &str = r#"
import os

class Read(Block):
    def __init__(self):
        self.file = BlockParameter("file", ParameterType.FILE, "")
        self.more = BlockParameter("more", ParameterType.FILE_ARRAY, "")

    def input_params(self, data):
        self.data = data

    def execute(self):
        names = [self.data["file"], *(self.data["more"] or [])]
        paths = [self.FILE_BASE_PATH + "/".join(name.split("/")[1:]) for name in names if name]
        texts = [open(path).read() for path in paths]
        seen = sorted(
            os.path.relpath(os.path.join(folder, name), self.FILE_BASE_PATH)
            for folder, _, names in os.walk(self.FILE_BASE_PATH)
            for name in names
        )
        written = []
        for path in paths:
            try:
                open(path, "a").write("changed")
                written.append(path)
            except OSError:
                pass
        return f"{texts} {seen} {written}", "STRING"
"#;

#[test]
fn file_parameters_make_exactly_their_files_readable() {
    let lab = Lab::new();
    lab.blocks(&["Read"], FILES);
    let path = |name: &str| lab.files.join(name);
    for (name, text) in [
        ("a/rec.vhdr", "header"),
        ("a/rec.vmrk", "markers"),
        ("a/other.txt", "secret"),
        ("b.txt", "b"),
        ("c.txt", "c"),
    ] {
        python_lab::write(&path(name), text.as_bytes());
    }
    let values = json!({"file": "Home/a/rec.vhdr", "more": ["Home/b.txt", "Shared/c.txt"]});
    let text = lab.run_block("Read", values).completed().text(0);
    assert_eq!(text, "['header', 'b', 'c'] ['a/rec.vhdr', 'a/rec.vmrk', 'b.txt', 'c.txt'] []",);
    // What a header names belongs to it.
    python_lab::write(&path("d/x.vhdr"), b"[Common Infos]\nDataFile=y.eeg\nMarkerFile=../c.txt\n");
    python_lab::write(&path("d/y.eeg"), b"data");
    python_lab::write(&path("d/z.eeg"), b"other data");
    let text = lab.run_block("Read", json!({"file": "Home/d/x.vhdr"})).completed().text(0);
    assert!(text.ends_with(" ['d/x.vhdr', 'd/y.eeg'] []"), "{text}");
    // The same worker sees nothing of them afterwards.
    let text = lab.run_block("Read", json!({"file": "Home/b.txt"})).completed().text(0);
    assert_eq!(text, "['b'] ['b.txt'] []");
    assert_eq!(std::fs::read_to_string(path("b.txt")).unwrap(), "b");

    let missing = lab.run_block("Read", json!({"file": "Home/none.txt"})).error();
    assert!(missing.contains("FileNotFoundError"), "{missing}");
    let outside = lab.run_block("Read", json!({"file": "Home/../../etc/passwd"})).error();
    assert!(outside.contains("\"file\"") && outside.contains("outside"), "{outside}");
}

#[test]
fn independent_blocks_run_at_the_same_time() {
    let lab = Lab::new();
    lab.blocks(
        &["Meet"],
        r#"
import time

class Meet(Block):
    def execute(self):
        begin = time.time()
        time.sleep(3)
        return f"{begin} {time.time()}", "STRING"
"#,
    );
    let blocks: Vec<_> = (0..4).map(|id| (id, "Meet", json!({}))).collect();
    let done = lab.run(&workflow(&blocks, &[])).completed();
    let times: Vec<(f64, f64)> = (0..4)
        .map(|block| {
            let text = done.text(block);
            let (begin, end) = text.split_once(' ').unwrap();
            (begin.parse().unwrap(), end.parse().unwrap())
        })
        .collect();
    let last_begin = times.iter().map(|time| time.0).fold(0.0, f64::max);
    let first_end = times.iter().map(|time| time.1).fold(f64::MAX, f64::min);
    assert!(last_begin < first_end, "no moment at which all four ran: {times:?}");
}

const HELD: &str = r#"
import os, threading, time

class Thing:
    def __init__(self, lock=None):
        self.made_in = os.getpid(), id(threading.main_thread())
        self.lock = lock

class Make(Block):
    def __init__(self):
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)
    def execute(self):
        self.output.set_value(Thing())

class MakeFast(Make):
    def execute(self):
        self.output.set_value(Thing(threading.Lock()))

class MakeBoth(Make):
    def __init__(self):
        super().__init__()
        self.other = BlockOutput("other", ParameterType.OBJECT, 1, 100)
    def execute(self):
        self.output.set_value(Thing(threading.Lock()))
        self.other.set_value(Thing(threading.Lock()))

class Same(Block):
    def __init__(self):
        self.inp = BlockInput("thing", 0, 9, ParameterType.OBJECT)
        self.output = BlockOutput("thing", ParameterType.OBJECT, 1, 100)
    def input_params(self, data):
        self.thing = data["thing"]
    def execute(self):
        self.output.set_value(self.thing)
        if isinstance(self.thing, list):
            return f"{len(self.thing)} things", "STRING"
        here = os.getpid(), id(threading.main_thread())
        return "here" if self.thing.made_in == here else "moved", "STRING"

class Wait(Same):
    def execute(self):
        time.sleep(3)
        return super().execute()
"#;

#[test]
fn a_value_of_one_consumer_stays_in_its_worker_and_one_of_several_is_copied_to_others() {
    let lab = Lab::new();
    lab.blocks(&["Make", "MakeFast", "MakeBoth", "Same", "Wait"], HELD);
    let same = |id| (id, "Same", json!({}));
    let leaves = |options: &mut eeg_workflow_core::engine::RunOptions| {
        options.keep = eeg_workflow_core::engine::Keep::None;
    };
    let chain = workflow(
        &[(1, "Make", json!({})), same(2), same(3), same(4)],
        &[(1, "thing", 2, "thing"), (2, "thing", 3, "thing"), (3, "thing", 4, "thing")],
    );
    let done = lab.run_with(&chain, leaves).completed();
    assert_eq!([1, 2, 3].map(|block| done.text(block)), ["here"; 3]);

    // What cannot be pickled keeps even its several consumers where it is.
    let fast = workflow(&[(1, "MakeFast", json!({})), same(2)], &[(1, "thing", 2, "thing")]);
    assert_eq!(lab.run_with(&fast, leaves).completed().text(1), "here");
    let shared = workflow(
        &[(1, "MakeFast", json!({})), same(2), same(3)],
        &[(1, "thing", 2, "thing"), (1, "thing", 3, "thing")],
    );
    let done = lab.run_with(&shared, leaves);
    for block in [1, 2] {
        let failure = done.failure(block).unwrap_or_default();
        let told =
            "Thing that others take too cannot be copied for this block: TypeError: cannot pickle";
        assert!(failure.contains(told), "block {block}: {failure:?}");
    }

    // What a block gives beside it is no reason to take it from its one consumer.
    let both = workflow(
        &[(1, "MakeBoth", json!({})), same(2), same(3)],
        &[(1, "thing", 2, "thing"), (1, "other", 3, "thing")],
    );
    let done = lab.run_with(&both, leaves).completed();
    assert_eq!([1, 2].map(|block| done.text(block)), ["here"; 2]);

    // Two of them meet in one worker.
    let met = workflow(
        &[(1, "Make", json!({})), (2, "Make", json!({})), same(3)],
        &[(1, "thing", 3, "thing"), (2, "thing", 3, "thing")],
    );
    assert_eq!(lab.run_with(&met, leaves).completed().text(2), "2 things");

    // Consumers of one value run at the same time, in different workers.
    let waiting: Vec<_> = std::iter::once((1, "Make", json!({})))
        .chain((2..5).map(|id| (id, "Wait", json!({}))))
        .collect();
    let edges: Vec<_> = (2..5).map(|id| (1, "thing", id, "thing")).collect();
    let begin = std::time::Instant::now();
    lab.run_with(&workflow(&waiting, &edges), leaves).completed();
    assert!(begin.elapsed().as_secs_f64() < 8.9, "one after the other: {:?}", begin.elapsed());
}

#[test]
fn owners_never_share_a_worker() {
    let lab = Lab::new();
    lab.blocks(
        &["Remember"],
        r#"
SEEN = []

class Remember(Block):
    def __init__(self):
        self.text = BlockParameter("text", ParameterType.STRING, "")
    def input_params(self, data):
        SEEN.append(data["text"])
    def execute(self):
        return SEEN, "STRING"
"#,
    );
    let run = |owner: i64, text: &str| {
        let document = workflow(&[(1, "Remember", json!({"text": text}))], &[]);
        lab.run_with(&document, |options| options.owner = OwnerId(owner)).completed().text(0)
    };
    assert_eq!(run(1, "mine"), "['mine']");
    assert_eq!(run(2, "theirs"), "['theirs']");
    assert_eq!(run(1, "again"), "['mine', 'again']");
}

#[test]
fn one_owners_many_blocks_do_not_keep_anothers_waiting() {
    let lab = Lab::with(|options| options.max_workers = 2);
    lab.blocks(
        &["Sleep"],
        r#"
import time

class Sleep(Block):
    def __init__(self):
        self.seconds = BlockParameter("seconds", ParameterType.NUMBER, 0)
    def input_params(self, data):
        self.seconds = float(data["seconds"])
    def execute(self):
        time.sleep(self.seconds)
"#,
    );
    let document = |count: u32, seconds: f64| {
        let blocks: Vec<_> =
            (0..count).map(|id| (id, "Sleep", json!({ "seconds": seconds }))).collect();
        workflow(&blocks, &[])
    };
    let run = |owner: i64, document: &serde_json::Value| {
        lab.run_with(document, |options| options.owner = OwnerId(owner)).completed();
    };
    let longest = std::thread::scope(|scope| {
        // 20 s of work for two workers.
        scope.spawn(|| run(1, &document(80, 0.5)));
        std::thread::sleep(std::time::Duration::from_secs(2));
        // Once could be luck: whoever wakes first may get the worker that becomes free.
        let waits = (0..5).map(|_| {
            let since = std::time::Instant::now();
            run(2, &document(1, 0.0));
            since.elapsed()
        });
        waits.max().unwrap_or_default()
    });
    assert!(longest.as_secs() < 5, "the second owner waited {longest:?} for the first");
}

#[test]
fn python_blocks_stand_inside_of_declarative_ones() {
    let lab = Lab::new();
    lab.blocks(&["Make", "MakeFast", "Same", "Wait"], HELD);
    let inner = |id: &str| json!({"id": id, "type": "Same", "module": "Lab.zip:Lab", "values": {}});
    let manifest = json!({"format": 1, "blocks": [
        {"name": "Preset", "preset": {"module": "Lab.zip:Lab", "type": "Same", "values": {}}},
        {"name": "Twice", "workflow": {
            "document": {
                "blocks": [inner("a"), inner("b")],
                "edges": [{"id": 1, "block1": "a", "connector1": ["thing", "output"],
                    "block2": "b", "connector2": ["thing", "input"]}],
            },
            "inputs": [{"name": "thing", "for": {"block": "a", "port": "thing"}}],
            "outputs": [{"name": "thing", "from": {"block": "b", "port": "thing"}}],
            "shows": "b",
        }},
    ]});
    lab.install_as(1, "Made.zip", &[("Made/module.json", &manifest.to_string())]).unwrap();
    let document = workflow(
        &[
            (1, "Make", json!({})),
            (2, "Made.zip:Made/Preset", json!({})),
            (3, "Made.zip:Made/Twice", json!({})),
            (4, "Same", json!({})),
        ],
        &[(1, "thing", 2, "thing"), (2, "thing", 3, "thing"), (3, "thing", 4, "thing")],
    );
    let done = lab.run_with(&document, |options| options.keep = Default::default()).completed();
    assert_eq!(done.text(1), "here");
    assert!(["here", "moved"].contains(&done.text(3).as_str()));
}

#[test]
fn a_block_begins_in_its_own_folder_wherever_the_one_before_went() {
    let lab = Lab::new();
    lab.blocks(
        &["Go", "Stay"],
        r#"
import os, tempfile

class Go(Block):
    def execute(self):
        os.chdir(tempfile.mkdtemp())
        os.umask(0o777)

class Stay(Block):
    def execute(self):
        with open("note.txt", "w") as file:
            file.write("kept")
        return open(os.path.join(os.getcwd(), "note.txt")).read(), "STRING"
"#,
    );
    lab.run_block("Go", json!({})).completed();
    assert_eq!(lab.run_block("Stay", json!({})).completed().text(0), "kept");
}
