//! Python modules on the command line: run, validate, blocks, and their packages.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{Server, soon};
use serde_json::{Value, json};
use tempfile::TempDir;

const MODULE: &str = "
import os
import time
from blocks.Block import Block
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType

class Read(Block):
    family = 'Files'
    def __init__(self):
        self.file = BlockParameter('file', ParameterType.FILE, '')
        self.seconds = BlockParameter('seconds', ParameterType.NUMBER, 0)
        self.output = BlockOutput('text', ParameterType.STRING, 1, 100)
    def input_params(self, data):
        self.path, self.time = data['file'], float(data['seconds'])
    def execute(self):
        print('reading', flush=True)
        time.sleep(self.time)
        with open(self.FILE_BASE_PATH + self.path.split('/', 1)[1]) as file:
            self.output.set_value(file.read())
        return self.output.value, 'STRING'

string_classobject_mapping = {'Read': Read()}
";

/// A folder with a workflow, a module, a file and a place for temporary files.
struct Place(TempDir);

impl Place {
    fn new(module: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        let block = json!({"id": 1, "type": "Read", "module": "Lab.zip:Lab",
            "values": {"file": "Home/notes/day.txt"}});
        place.write("w.json", json!({"blocks": [block], "edges": []}).to_string().as_bytes());
        place.write("Lab.zip", &common::zip(&[("Lab/__init__.py", module)]));
        std::fs::create_dir_all(place.path().join("home/notes")).unwrap();
        std::fs::create_dir(place.path().join("tmp")).unwrap();
        place.write("home/notes/day.txt", b"a good day");
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(common::PROGRAM);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("HOME").env_remove("XDG_DATA_HOME");
        command.env("TMPDIR", self.path().join("tmp"));
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The processes of modules, and what is among the temporary files.
    fn left(&self) -> (Vec<u32>, usize) {
        let temporary = self.path().join("tmp");
        let processes = common::processes_with(&temporary.to_string_lossy());
        (processes, std::fs::read_dir(temporary).unwrap().count())
    }

    #[track_caller]
    fn is_clean(&self) {
        soon("nothing is left", || self.left() == (Vec::new(), 0));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const RUN: &[&str] = &["run", "w.json", "--module", "Lab.zip", "--files", "home", "--json"];

#[test]
fn a_workflow_with_a_python_module_runs_without_a_server_and_leaves_nothing() {
    let place = Place::new(MODULE);
    let run = place.call(RUN);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let details: Value = serde_json::from_slice(&run.stdout).unwrap();
    let block = &details["executionStatus"][0];
    assert_eq!(block["output"]["value"], "a good day");
    assert!(block["stdout"].to_string().contains("reading"), "{block}");
    assert!(run.stderr.is_empty(), "{}", text(&run.stderr));
    place.is_clean();
    let listed = place.call(&["blocks", "--module", "Lab.zip"]);
    assert!(text(&listed.stdout).contains("Read [Files] () -> (text) parameters: file, seconds"));
    let checked = place.call(&["validate", "w.json", "--module", "Lab.zip"]);
    assert_eq!(text(&checked.stdout), "w.json: valid\n");
    place.is_clean();
}

#[test]
fn a_bad_module_is_wrong_usage_with_its_traceback() {
    let place = Place::new("def broken(:\n");
    for arguments in [RUN, &["validate", "w.json", "--module", "Lab.zip"]] {
        let run = place.call(arguments);
        assert_eq!(run.status.code(), Some(2));
        let told = text(&run.stderr);
        assert!(told.contains("Lab.zip: module \"Lab\": invalid syntax"), "{told}");
        assert!(told.contains("Lab/__init__.py, line 1") && told.contains("SyntaxError"), "{told}");
        assert!(run.stdout.is_empty());
    }
    place.is_clean();
}

#[test]
fn a_run_without_a_sandbox_must_be_allowed() {
    let place = Place::new(MODULE);
    let without = [RUN, &["--python-sandbox", "none"]].concat();
    let run = place.call(&without);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("--allow-unsandboxed-python"), "{}", text(&run.stderr));
    let run = place.call(&[&without[..], &["--allow-unsandboxed-python"]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let run = place.call(&[RUN, &["--python", "/no/such/python"]].concat());
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("/no/such/python"), "{}", text(&run.stderr));
    place.is_clean();
}

#[test]
fn an_interrupted_run_ends_its_processes_and_removes_their_folder() {
    let slow = format!("import time\ntime.sleep(600)\n{MODULE}");
    let sleeping = [RUN, &["--set", "1.seconds=600"]].concat();
    for (what, module, arguments) in [("a block", MODULE, &sleeping[..]), ("an import", &slow, RUN)]
    {
        for (name, times) in [("-INT", 1), ("-TERM", 1), ("-INT", 2)] {
            let place = Place::new(module);
            let mut run = place.start(arguments);
            soon(what, || !place.left().0.is_empty());
            // In the block, or in the import, and not before it.
            std::thread::sleep(std::time::Duration::from_millis(500));
            for _ in 0..times {
                Command::new("kill").args([name, &run.id().to_string()]).status().unwrap();
            }
            assert_eq!(run.wait().unwrap().code(), Some(130), "{what} {name} {times}");
            place.is_clean();
        }
    }
}

/// Puts a package with a module `tiny_package` into the folder, and gives the requirement.
fn wheel(folder: &Path) -> &'static str {
    let path = folder.join("tiny_package-1.0-py3-none-any.whl");
    let bytes = common::zip(&[
        ("tiny_package.py", "answer = 'forty-two'\n"),
        (
            "tiny_package-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n",
        ),
        (
            "tiny_package-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        ("tiny_package-1.0.dist-info/RECORD", ""),
    ]);
    std::fs::write(&path, bytes).unwrap();
    "tiny-package==1.0\n"
}

#[test]
fn packages_are_installed_beside_a_running_server_and_shared_by_archives() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let place = Place::new(MODULE);
    let list = wheel(place.path());
    let code = MODULE
        .replace("import os\n", "import tiny_package\n")
        .replace("return self.output.value", "return tiny_package.answer");
    let lab = [("Lab/__init__.py", code.as_str()), ("Lab/requirements.txt", list)];
    let other = [("Other/__init__.py", code.as_str()), ("Other/requirements.txt", list)];
    place.write("Lab.zip", &common::zip(&lab));

    let refused = server.upload(&token, "Lab.zip", &lab);
    assert_eq!(refused.status, 400, "{}", refused.text());
    let told = refused.error();
    assert!(told.contains("package \"tiny_package\" is not installed"), "{told}");
    assert!(told.contains("eeg-workflow-server modules install"), "{told}");

    let data = server.folder();
    let install = ["modules", "install", "Lab.zip", "--data-dir", data.to_str().unwrap()];
    let install = || {
        let mut command = place.command(&install);
        // From the folder, not from the network.
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", place.path()).output().unwrap()
    };
    let run = install();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let environments = data.join("python/environments");
    assert!(text(&run.stdout).contains(environments.to_str().unwrap()), "{}", text(&run.stdout));
    assert_eq!(install().status.code(), Some(0));
    for (archive, files) in [("Lab.zip", &lab), ("Other.zip", &other)] {
        let reply = server.upload(&token, archive, files);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(std::fs::read_dir(&environments).unwrap().count(), 1);
    let put = server.request("PUT", "/api/files/notes/day.txt").token(&token);
    assert_eq!(put.body("application/octet-stream", "x").send().status, 201);
    let document = std::fs::read_to_string(place.path().join("w.json")).unwrap();
    let details = server.finished(&token, server.schedule(&token, &document));
    assert_eq!(details["executionStatus"][0]["output"]["value"], "forty-two", "{details:#}");
}

#[test]
fn packages_that_cannot_be_installed_are_told_of_and_leave_nothing() {
    let place = Place::new(MODULE);
    let install = |archive: &str, python: &str| {
        let arguments = ["modules", "install", archive, "--data-dir", "data", "--python", python];
        place.command(&arguments).env("PIP_NO_INDEX", "1").output().unwrap()
    };
    let run = install("Lab.zip", "python3");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("no requirements.txt"), "{}", text(&run.stdout));
    let missing = "no-such-package==1.0\n";
    let files = [("Lab/__init__.py", MODULE), ("Lab/requirements.txt", missing)];
    place.write("Lab.zip", &common::zip(&files));
    let run = install("Lab.zip", "python3");
    assert_eq!(run.status.code(), Some(1));
    let told = text(&run.stderr);
    assert!(told.contains("the packages of Lab.zip could not be installed"), "{told}");
    assert!(told.contains("no-such-package==1.0"), "{told}");
    let environments = place.path().join("data/python/environments");
    assert_eq!(std::fs::read_dir(environments).unwrap().count(), 0);
    for (archive, python) in
        [("no.zip", "python3"), ("w.json", "python3"), ("Lab.zip", "no-such-python")]
    {
        let run = install(archive, python);
        assert_eq!(run.status.code(), Some(2), "{archive} {python}");
        let named = if python == "python3" { archive } else { python };
        assert!(text(&run.stderr).contains(named), "{}", text(&run.stderr));
    }
}
