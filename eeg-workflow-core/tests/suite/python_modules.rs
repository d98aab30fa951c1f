//! The code of modules in Python: what it may import and read, and what is refused when it is
//! installed. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use serde_json::json;

use python_lab::Lab;

#[test]
fn modules_import_their_parts_in_every_way_and_read_their_data() {
    let lab = Lab::new();
    let init = format!(
        "{}\n{}",
        python_lab::IMPORTS,
        r#"
import os
from .parts.inner import ONE
from blocks.Lab.parts.inner import TWO
from Lab.parts.inner import ONE as ALSO
from lab_tools import THREE
from blocks.lab_tools import THREE as SAME
import Lab.parts

HERE = os.path.dirname(__file__)

class Data(Block):
    def execute(self):
        with open(os.path.join(HERE, "data", "table.txt")) as file:
            return f"{ONE} {TWO} {ALSO} {THREE} {SAME} {file.read()}", "STRING"

string_classobject_mapping = {"Data": Data()}
"#
    );
    lab.install(&[
        ("Lab/__init__.py", &init),
        ("Lab/parts/__init__.py", ""),
        ("Lab/parts/inner.py", "ONE = 1\nTWO = 2\n"),
        ("Lab/data/table.txt", "contents"),
        ("lab_tools/__init__.py", "THREE = 3\n"),
    ])
    .unwrap();
    assert_eq!(lab.run_block("Data", json!({})).completed().text(0), "1 2 1 3 3 contents");
}

#[test]
fn a_module_that_cannot_be_used_is_refused_with_the_line_and_can_be_mended() {
    let lab = Lab::new();
    let block = |body: &str| format!("{}\n{body}", python_lab::IMPORTS);
    let cases = [
        ("x = (", " (Lab/__init__.py, line 1)".to_owned()),
        (
            "\n\nimport nowhere.at_all",
            "package \"nowhere\" is not installed (Lab/__init__.py, line 3: import nowhere.at_all)"
                .into(),
        ),
        ("from . import absent", "ImportError: cannot import name 'absent'".into()),
        ("1 / 0", "ZeroDivisionError: division by zero (Lab/__init__.py, line 1: 1 / 0)".into()),
        ("raise SystemExit(4)", "SystemExit: 4".into()),
        ("x = 1", "string_classobject_mapping must be a dict of blocks".into()),
        ("string_classobject_mapping = []", "has a list".into()),
        (
            "string_classobject_mapping = {'A': 5}",
            "entry \"A\" of string_classobject_mapping is not a block but a int".into(),
        ),
        (
            "string_classobject_mapping = {'A': object}",
            "the class object, which does not derive".into(),
        ),
        ("string_classobject_mapping = {1: Block()}", "the key 1".into()),
        (
            "class A(Block):\n  def __init__(self):\n    self.x = BlockInput('x', 1, 1, 5)\nstring_classobject_mapping = {'A': A()}",
            "TypeError: Incorrect parameter type (Lab/__init__.py, line".into(),
        ),
        (
            "class A(Block):\n  def __init__(self):\n    self.x = BlockInput('x', 3, 1, 'T')\nstring_classobject_mapping = {'A': A()}",
            "port \"x\" has the cardinality 3-1".into(),
        ),
        (
            "class A(Block):\n  def __init__(self):\n    self.x = BlockInput('x', 0, 1, 'T')\n    self.y = BlockInput('x', 0, 1, 'T')\nstring_classobject_mapping = {'A': A()}",
            "two inputs named \"x\"".into(),
        ),
    ];
    for (code, expected) in cases {
        let code = if code.starts_with("x") || code.contains("import") || code.starts_with('1') {
            code.to_owned()
        } else {
            block(code)
        };
        let error = lab.install(&[("Lab/__init__.py", &code)]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&expected), "{code}\n{message}");
        let kept = lab.folder.path().join("python/archives");
        assert_eq!(std::fs::read_dir(kept).unwrap().count(), 0, "{code}");
    }
    lab.blocks(&["Echo"], "class Echo(Block):\n    pass");
    lab.run_block("Echo", json!({})).completed();
}

#[test]
fn processes_that_python_starts_find_its_packages_and_the_module() {
    let lab = Lab::new();
    lab.blocks(
        &["Spawn", "Import"],
        r#"
import multiprocessing, os, subprocess, sys

class Spawn(Block):
    def execute(self):
        context = multiprocessing.get_context("spawn")
        from multiprocessing.util import _args_from_interpreter_flags
        return str(_args_from_interpreter_flags()), "STRING"

class Import(Block):
    def execute(self):
        code = "from blocks.Lab import Import; print(Import.FILE_BASE_PATH, end='')"
        there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, text=True)
        return str((child.stdout == self.FILE_BASE_PATH, child.stderr)), "STRING"
"#,
    );
    assert_eq!(lab.run_block("Spawn", json!({})).completed().text(0), "['-B']");
    assert_eq!(lab.run_block("Import", json!({})).completed().text(0), "(True, '')");
}

#[test]
fn an_interpreter_that_is_not_there_is_named_and_leaves_no_folder() {
    let lab = Lab::with(|options| options.interpreter = "/no/such/python".into());
    let error = lab.install(&[("Lab/__init__.py", "string_classobject_mapping = {}")]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("/no/such/python"), "{error}");
    let workers = std::fs::read_dir(lab.folder.path().join("python/workers"));
    assert_eq!(workers.map_or(0, Iterator::count), 0);
}
