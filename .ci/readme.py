#!/usr/bin/env python3
"""Runs every `sh` block of a README in its order; a failing command fails the run.

The block that starts the server is left running in a data folder of its own until the end.
The `cargo test` block is run last, so that its closing line is the last thing printed."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

SERVER = "cargo run --release"
TESTS = "cargo test --workspace"


def main(readme):
    text = open(readme, encoding="utf-8").read()
    blocks = [block.strip() for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)]
    assert SERVER in blocks and TESTS in blocks, "the README must have the two main commands"
    with tempfile.TemporaryDirectory() as data:
        environment = dict(os.environ, EEG_WORKFLOW_DATA=data)
        server = None
        try:
            for block in sorted(blocks, key=lambda block: block == TESTS):
                print(f"\n$ {block}", flush=True)
                if block == SERVER:
                    server = start(block, environment)
                    continue
                script = ["bash", "-euo", "pipefail", "-c", block]
                started = time.monotonic()
                subprocess.run(script, check=True, env=environment, stdin=subprocess.DEVNULL)
                print(f"({time.monotonic() - started:.0f} s)", flush=True)
        finally:
            if server is not None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(timeout=30)


def start(command, environment):
    server = subprocess.Popen(
        command.split(), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )
    line = server.stdout.readline()
    if not line.startswith("listening on http://"):
        sys.exit(f"the server did not start: {line!r}")
    print(line, end="", flush=True)
    return server


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with status {error.returncode}: {error.cmd[-1]}")
