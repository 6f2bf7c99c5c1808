"""What the load scripts share: the forest, its requests, wrk that sends them, and what a server takes meanwhile."""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "journeys"))

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from chasqui import KEY

BEARER = {"Authorization": f"Bearer {KEY}"}
TICKS = os.sysconf("SC_CLK_TCK")
# The requests are put together before the load: the machine is shared, and the generator must cost little.
WRK = """
wrk.method = "POST"
{headers}
local requests, sent = {{}}, 0
init = function()
  for i = 1, {count} do
    local file = io.open("{folder}/" .. i, "rb")
    requests[i] = wrk.format(nil, file:read("*l"), nil, file:read("*a"))
    file:close()
  end
end
request = function()
  sent = sent % {count} + 1
  return requests[sent]
end
{thinking}
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
"""


class LoadError(Exception):
    """Answers that were wrong, or none."""


def forest(seed=1):
    """Rows, and a forest of 100 trees of depth 10 over their 30 features as ONNX."""
    X, y = make_classification(4000, 30, n_informative=15, n_redundant=5, flip_y=.05, random_state=seed)
    X = X.astype(np.float32)
    model = RandomForestClassifier(100, max_depth=10, random_state=seed, n_jobs=2).fit(X, y)
    return X, to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString()


def register(server, onnx, name="forest", rows=None):
    """Registers a model; with the rows that it was trained on its traffic is watched for drift."""
    path = f"/api/v1/models/{name}/versions"
    if rows is not None:
        lines = [",".join(f"f{i}" for i in range(rows.shape[1])), *(",".join(map(str, row)) for row in rows)]
        server.call("POST", f"/api/v1/datasets/{name}/versions", "\n".join(lines).encode(), content="text/csv")
        path += "?lineage=" + urllib.parse.quote(json.dumps({"dataset": {"name": name, "version": 1}}))
    version = server.call("POST", path, onnx, content="application/octet-stream")
    if rows is not None and not version["profile_sha256"]:
        raise LoadError("the traffic of the model is not watched")


def of_json(rows):
    """A JSON body of the inference protocol, and its headers."""
    return json.dumps({"inputs": [{"name": "X", "shape": list(rows.shape), "datatype": "FP32",
                                   "data": [round(float(v), 6) for v in rows.ravel()]}]}).encode(), {}


def of_binary(rows):
    """Binary tensors both ways, as tritonclient sends them, and their headers."""
    head = json.dumps({"inputs": [{"name": "X", "shape": list(rows.shape), "datatype": "FP32",
                                   "parameters": {"binary_data_size": rows.nbytes}}],
                       "parameters": {"binary_data_output": True}}).encode()
    return head + rows.tobytes(), {"Inference-Header-Content-Length": str(len(head))}


def infer_path(name="forest"):
    return f"/v2/models/{name}/infer"


class Wrk:
    """Sends the same requests (path and body) in turn by one thread of wrk; each connection waits so many ms between two."""

    def __init__(self, requests, headers, connections=16, think_ms=0):
        self.requests, self.connections = requests, connections
        self.thinking = f"delay = function() return {think_ms} end" if think_ms else ""
        self.headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())

    def drive(self, url, seconds):
        """Answers, rate a second and latency in ms of a load of so many seconds."""
        with tempfile.TemporaryDirectory() as folder:
            for i, (path, body) in enumerate(self.requests, 1):
                Path(folder, str(i)).write_bytes(path.encode() + b"\n" + body)
            script = Path(folder, "wrk.lua")
            script.write_text(WRK.format(headers=self.headers, thinking=self.thinking, count=len(self.requests), folder=folder))
            run = subprocess.run(["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", script, url],
                                 capture_output=True, text=True)
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", run.stdout)
        if not found:
            raise LoadError(f"wrk failed at {url}: {run.stdout}{run.stderr}")
        count, micros, p50, p99, p999, errors = map(int, found.groups())
        if errors or not count:
            raise LoadError(f"{errors} errors and {count} answers from {url}")
        return {"requests": count, "rate": count / micros * 1e6, "p50": p50 / 1000, "p99": p99 / 1000, "p99.9": p999 / 1000}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def memory_mib(pids):
    """What is resident of a process, MiB; of several, what they share is counted once."""
    what, total = "Pss" if len(pids) > 1 else "Rss", 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        total += int(re.search(rf"^{what}:\s+(\d+)", text, re.MULTILINE)[1])
    return total / 1024


def cpu_seconds(pid):
    """Processor time that a process has had so far: user, system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


class Spent:
    """Microseconds of processor time a request, user and system, from its making until `of` so many requests."""

    def __init__(self, pid):
        self.pid, self.before = pid, cpu_seconds(pid)

    def of(self, requests):
        user, system = ((after - before) / requests * 1e6 for before, after in zip(self.before, cpu_seconds(self.pid)))
        return {"user": user, "system": system}


def settle(pid):
    """Waits until a server has done what a load left for later, which is to seal its log: the next load shall not pay for it."""
    for _ in range(120):
        before = sum(cpu_seconds(pid))
        time.sleep(0.5)
        if sum(cpu_seconds(pid)) - before < 0.03:
            return
    raise LoadError("the server does not come to rest")


def median(turns, what):
    return statistics.median(turn[what] for turn in turns)


def table(lines, markdown):
    """Lines of cells, the first one the head, for a page or for the terminal."""
    if markdown:
        head, *rest = lines
        return "\n".join("| " + " | ".join(line) + " |" for line in (head, ("---",) + ("---:",) * (len(head) - 1), *rest))
    widths = [max(map(len, column)) + 2 for column in zip(*lines)]
    return "\n".join(line[0].ljust(widths[0]) + "".join(map(str.rjust, line[1:], widths[1:])) for line in lines)


class Process:
    """A command that ends with all that it started; a context manager."""

    def __init__(self, command, folder, environment):
        # What it starts is known by its environment: children can leave group, session and parent.
        self.mark = f"LOAD_PROCESS={uuid.uuid4()}"
        self.log = Path(folder, "server.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], cwd=folder, stdout=log, stderr=log,
                                            env={**os.environ, **environment, **dict([self.mark.split("=")])},
                                            start_new_session=True)

    def pids(self):
        # Its own is told apart: nginx writes over its environment.
        found = [self.process.pid] if self.process.poll() is None else []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if int(folder.name) not in found and self.mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            for pid in self.pids():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            until = time.monotonic() + patience
            while time.monotonic() < until:
                self.process.poll()
                if not self.pids():
                    return
                time.sleep(0.1)
