#!/usr/bin/env python3
"""Where the instructions of a request go: HTTP, reading, the model, the log, writing, counting.

One row, 100 trees of depth 10, 30 features, JSON, all logging on. The release binary runs under callgrind, which counts
instructions and not seconds: the same binary gives the same figures. What the kernel does is not in them; steady.py tells
its share. Needs `valgrind` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/profile.py [--requests 2000] [--markdown]
"""

import argparse
import http.client
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from generator import BEARER, forest, infer_path, of_json, register, table

from chasqui import Chasqui, binary  # generator.py says where it is

# Functions that are counted with everything that they call; none calls another.
STAGES = {
    "reading and checking": r"inference::tensors::rest::parse",
    "model": r"chasqui_runtime::model::Model::predict",
    "log": r"inference::execute::log\b",
    "writing": r"infer::json_answer::JsonAnswer::of",
    "counting for drift": r"inference::execute::tell\b",
    "the database, in the background": r"ExecuteIter as core::iter::traits::iterator::Iterator>::next",
}
TOTAL = r"PROGRAM TOTALS"


def under_callgrind(folder):
    """A command that stands for the binary and counts, once it is told to."""
    command = Path(folder, "chasqui")
    command.write_text("#!/bin/sh\nexec valgrind --tool=callgrind --instr-atstart=no --separate-threads=no "
                       f"--callgrind-out-file={folder}/out '{binary()}' \"$@\"\n")
    command.chmod(0o755)
    return str(command)


def control(pid, *arguments):
    subprocess.run(["callgrind_control", *arguments, str(pid)], check=True, capture_output=True)


def send(url, bodies, requests):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    for i in range(requests):
        connection.request("POST", infer_path(), bodies[i % len(bodies)], BEARER)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {text[:300]}")


def counted(report, name):
    """Instructions of the functions of this name with what they call; a generic one is there once for each use."""
    lines = re.findall(r"^\s*([\d,]+) \([^)]*\)\s+(\S.*)$", report, re.MULTILINE)
    return sum(int(count.replace(",", "")) for count, place in lines if re.search(name, place))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=1, help="of a request")
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/performance.md")
    arguments = parser.parse_args()

    X, onnx = forest()
    bodies = [of_json(X[i:i + arguments.rows])[0] for i in range(0, 100 * arguments.rows, arguments.rows)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHASQUI_BIN"] = under_callgrind(folder)
        with Chasqui() as server:
            register(server, onnx, rows=X)
            send(server.url, bodies, 100)
            pid = server.process.pid
            control(pid, "-i", "on")
            send(server.url, bodies, arguments.requests)
            time.sleep(3)  # what is handed over is counted a little later
            control(pid, "-i", "off")
            control(pid, "-d")
            dump = max(Path(folder).glob("out*"), key=lambda path: path.stat().st_size)
            report = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", dump],
                                    capture_output=True, text=True, check=True).stdout
    found = {stage: counted(report, name) for stage, name in STAGES.items()}
    missing = [stage for stage, count in found.items() if not count]
    if missing:
        raise SystemExit(f"not found in the profile: {', '.join(missing)}")
    total = counted(report, TOTAL)
    found["HTTP, routing and the rest"] = total - sum(found.values())
    lines = [("stage", "instructions a request", "share")]
    lines += [(stage, f"{count / arguments.requests:,.0f}", f"{count / total:.0%}") for stage, count in found.items()]
    lines.append(("all", f"{total / arguments.requests:,.0f}", ""))
    print(table(lines, arguments.markdown))


if __name__ == "__main__":
    main()
