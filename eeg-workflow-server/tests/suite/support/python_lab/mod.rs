//! Modules in Python, and workflows of their blocks, for the tests of several programs.
#![allow(dead_code)]

use serde_json::{Value, json};

use crate::support::common::Server;

/// What every module begins with.
pub(crate) const IMPORTS: &str = "\
from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType
";

/// A module of blocks, each a class without arguments.
pub(crate) fn module(blocks: &[&str], code: &str) -> String {
    let mapping: String = blocks.iter().map(|name| format!("    '{name}': {name}(),\n")).collect();
    format!("{IMPORTS}\n{code}\n\nstring_classobject_mapping = {{\n{mapping}}}\n")
}

/// A block that sleeps, and one that says so to begin with.
pub(crate) const SLEEP: &str = "
import time

class Begin(Block):
    def __init__(self):
        self.output = BlockOutput('value', ParameterType.STRING, 1, 100)
    def execute(self):
        self.output.set_value('begun')
        return 'begun', 'STRING'

class Sleep(Block):
    def __init__(self):
        self.inp = BlockInput('value', 0, 1, ParameterType.STRING)
        self.seconds = BlockParameter('seconds', ParameterType.NUMBER, 1)
    def input_params(self, data):
        self.time = float(data['seconds'])
    def execute(self):
        time.sleep(self.time)
        return 'slept', 'STRING'
";

pub(crate) fn block(id: u32, module: &str, name: &str, values: Value) -> Value {
    json!({"id": id, "type": name, "module": module, "values": values})
}

pub(crate) fn edge(from: (u32, &str), to: (u32, &str)) -> Value {
    json!({"block1": from.0, "connector1": [from.1, "output"],
        "block2": to.0, "connector2": [to.1, "input"]})
}

pub(crate) fn workflow(blocks: &[Value], edges: &[Value]) -> String {
    json!({"blocks": blocks, "edges": edges}).to_string()
}

/// A job of one block of `Lab.zip:Lab`, as soon as it has ended.
pub(crate) fn run_block(server: &Server, token: &str, name: &str, values: Value) -> Value {
    let document = workflow(&[block(1, "Lab.zip:Lab", name, values)], &[]);
    let details = server.finished(token, server.schedule(token, &document));
    details["executionStatus"][0].clone()
}

#[track_caller]
pub(crate) fn uploaded(server: &Server, token: &str, archive: &str, files: &[(&str, &str)]) {
    let reply = server.upload(token, archive, files);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

pub(crate) const MAKE: &str = r#"
import logging
import os
import sys
from blocks.Block import Block
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType
from ..Tools.text import shout

class Make(Block):
    family = 'Sources'
    name = 'Make'
    description = 'Says what it was given'

    def __init__(self):
        self.number = BlockParameter('number', ParameterType.NUMBER, 1.5, 'a number')
        self.numbers = BlockParameter('numbers', ParameterType.NUMBER_ARRAY, [1, 2])
        self.text = BlockParameter('text', ParameterType.STRING, 'abc')
        self.texts = BlockParameter('texts', ParameterType.STRING_ARRAY, ['a', 'b'])
        self.flag = BlockParameter('flag', ParameterType.BOOLEAN, True)
        self.file = BlockParameter('file', ParameterType.FILE, '')
        self.place = BlockParameter('place', ParameterType.FILE_LOCATION, 'out')
        self.files = BlockParameter('files', ParameterType.FILE_ARRAY, [])
        self.plain = 'no field'
        self.output = BlockOutput('lines', ParameterType.STRING_ARRAY, 1, 100)

    def input_params(self, data):
        self.data = data

    def execute(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, '..', 'words.txt'), encoding='utf-8') as words:
            lines = words.read().split()
        for name in [self.data['file']] + list(self.data['files']):
            with open(os.path.join(self.FILE_BASE_PATH, name.split('/', 1)[1])) as file:
                lines.append(file.read().strip())
        print('made', shout(self.data['text']))
        logging.getLogger('lab').warning('a warning')
        print('to stderr', file=sys.stderr)
        self.output.set_value(lines)
        given = sorted((key, repr(value)) for key, value in self.data.items())
        return '\n'.join(f'{key}={value}' for key, value in given), 'STRING'
"#;

pub(crate) const SHOW: &str = r#"
from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType

class Gather(Block):
    family = 'Sinks'
    name = 'Gather'

    def __init__(self):
        self.inp = BlockInput('any', 0, 100, ParameterType.STRING_ARRAY)
        self.output = BlockOutput('count', ParameterType.NUMBER, 0, 100)

    def input_params(self, data):
        self.got = data.get('any', 'nothing')

    def execute(self):
        self.output.set_value(len(self.got))
        return repr(self.got), 'STRING'

class Figure:
    def savefig(self, target, **options):
        target.write(b'\x89PNG\r\n\x1a\n' + b'x' * 1000)

class Picture(Gather):
    def execute(self):
        return Figure(), 'GRAPH'

class Model:
    def save(self, path):
        with open(path, 'w') as file:
            file.write('weights')

class Train(Gather):
    def execute(self):
        return Model(), 'MODEL'
"#;

/// The files of a module that has everything that modules may have.
pub(crate) fn everything() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "Lab/__init__.py",
            "from .Sources.Make import Make\n\
             from .Sinks.Show import Gather, Picture, Train\n\
             string_classobject_mapping = {Make.name: Make(), Gather.name: Gather(),\n    \
             'Picture': Picture(), 'Train': Train()}\n",
        ),
        ("Lab/words.txt", "été naïve\n"),
        ("Lab/Sources/__init__.py", ""),
        ("Lab/Sources/Make.py", MAKE),
        ("Lab/Sinks/__init__.py", ""),
        ("Lab/Sinks/Show.py", SHOW),
        ("Lab/Tools/__init__.py", ""),
        ("Lab/Tools/text.py", "def shout(text):\n    return text.upper() + '!'\n"),
    ]
}
