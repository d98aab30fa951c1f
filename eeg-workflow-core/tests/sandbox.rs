//! What confined processes can and cannot do, tried with the machine's Python.
#![cfg(all(feature = "python", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod sandbox_support;

use std::time::Duration;

use eeg_workflow_core::runtime::sandbox::ProcessEnd;
use sandbox_support::{Playground, kinds};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn the_end_of_the_program_itself_is_told() {
    for sandbox in kinds() {
        let place = Playground::new(&sandbox);
        for (code, end, text) in [
            ("pass", ProcessEnd::Exited(0), "exited with status 0"),
            ("os._exit(3)", ProcessEnd::Exited(3), "exited with status 3"),
            ("os.kill(os.getpid(), 9)", ProcessEnd::Signalled(9), "killed by signal 9"),
            ("os.kill(os.getpid(), 11)", ProcessEnd::Signalled(11), "killed by signal 11"),
        ] {
            let mut running = place.start(code);
            let ended = running.process.wait_timeout(LONG).unwrap();
            assert_eq!(ended, Some(end), "{}: {code}: {}", sandbox.kind(), running.output());
            assert_eq!(end.to_string(), text);
            running.process.kill();
            assert_eq!(running.process.try_wait().unwrap(), Some(end), "told again after the end");
        }
    }
}
