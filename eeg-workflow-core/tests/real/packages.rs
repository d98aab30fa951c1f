//! A module with a package from PyPI. Needs a `python3` with venv and pip, and PyPI:
//! `cargo test -p eeg-workflow-core --test real packages -- --ignored`
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{python_lab, zips};

use eeg_workflow_core::module::{Archive, ArchiveLimits};
use serde_json::json;

use python_lab::{IMPORTS, Lab};

#[test]
#[ignore = "installs a package from PyPI"]
fn packages_that_a_module_lists_are_installed_and_used_from_then_on() {
    let lab = Lab::new();
    let init = format!(
        "{IMPORTS}
import roman

class Roman(Block):
    def __init__(self):
        self.number = BlockParameter('number', ParameterType.NUMBER, 7)

    def input_params(self, data):
        self.number.set_value(int(data['number']))

    def execute(self):
        return roman.toRoman(self.number.value), 'STRING'

string_classobject_mapping = {{'Roman': Roman()}}
"
    );
    let files = [("Lab/__init__.py", init.as_str()), ("Lab/requirements.txt", "roman==5.0\n")];
    let error = lab.install(&files).unwrap_err().to_string();
    assert!(error.contains("package \"roman\" is not installed"), "{error}");
    assert!(error.contains("import roman") && error.contains("modules install"), "{error}");

    let entries: Vec<_> =
        files.iter().map(|(path, text)| zips::file(path, text.as_bytes())).collect();
    let bytes = zips::archive(&entries);
    let archive = Archive::read("Lab.zip", &bytes, &ArchiveLimits::default()).unwrap();
    let place = lab.runtime.install_packages(&archive).unwrap().expect("it has a list");
    // Archives with the same list share one environment.
    assert_eq!(lab.runtime.install_packages(&archive).unwrap(), Some(place.clone()));
    let environments = std::fs::read_dir(place.parent().unwrap()).unwrap();
    assert_eq!(environments.count(), 1);

    lab.install(&files).unwrap();
    let done = lab.run_block("Roman", json!({"number": "2026"})).completed();
    assert_eq!(done.text(0), "MMXXVI");

    // What cannot be had leaves nothing.
    let missing =
        [("Bad/__init__.py", ""), ("Bad/requirements.txt", "no-such-package-at-all==9\n")];
    let entries: Vec<_> =
        missing.iter().map(|(path, text)| zips::file(path, text.as_bytes())).collect();
    let bytes = zips::archive(&entries);
    let archive = Archive::read("Bad.zip", &bytes, &ArchiveLimits::default()).unwrap();
    let error = lab.runtime.install_packages(&archive).unwrap_err();
    assert!(error.details().contains("no-such-package-at-all"), "{}", error.details());
    let environments = std::fs::read_dir(place.parent().unwrap()).unwrap();
    assert_eq!(environments.count(), 1);
}
