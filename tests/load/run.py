"""Requests a second, latency and memory of the release binary beside a hand-written FastAPI + onnxruntime server.

One row, 100 trees of depth 10, 30 features, JSON, all logging on; the two servers take turns, so that a
machine that slows down slows both. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/run.py [--seconds 10] [--rounds 3] [--connections 16] [--markdown]
"""

import argparse
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "journeys"))

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from chasqui import KEY, Chasqui

WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format(nil, "/v2/models/forest/infer", nil, bodies[i])
end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resident_mib(pid):
    """Resident memory of a process and its children, MiB."""
    pids, total = [pid], 0
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    for p in pids + [int(c) for c in children]:
        total += int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{p}/status").read_text())[1])
    return total / 1024


def drive(url, script, connections, seconds):
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, url],
                         capture_output=True, text=True, check=True).stdout
    requests, micros, p50, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", out).groups())
    if errors:
        sys.exit(f"{errors} errors from {url}:\n{out}")
    return {"rate": requests / micros * 1e6, "p50": p50 / 1000, "p99": p99 / 1000}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/performance.md")
    arguments = parser.parse_args()

    X, y = make_classification(4000, 30, n_informative=15, n_redundant=5, flip_y=.05, random_state=1)
    X = X.astype(np.float32)
    model = RandomForestClassifier(100, max_depth=10, random_state=1, n_jobs=2).fit(X, y)
    onnx = to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString()

    with tempfile.TemporaryDirectory() as folder, Chasqui() as ours:
        bodies, script, path = Path(folder, "bodies"), Path(folder, "wrk.lua"), Path(folder, "forest.onnx")
        bodies.write_text("\n".join(json.dumps({"inputs": [
            {"name": "X", "shape": [1, 30], "datatype": "FP32", "data": [round(float(v), 6) for v in row]}]})
            for row in X[:500]))
        script.write_text(WRK.format(key=KEY, bodies=bodies))
        path.write_bytes(onnx)
        ours.call("POST", "/api/v1/models/forest/versions", onnx, content="application/octet-stream")

        port = free_port()
        peer = subprocess.Popen([sys.executable, "-m", "uvicorn", "peer:app", "--app-dir", str(Path(__file__).parent),
                                 "--workers", "2", "--port", str(port), "--log-level", "error", "--no-access-log"],
                                env={**os.environ, "PEER_MODEL": str(path)}, start_new_session=True)
        try:
            theirs = f"http://127.0.0.1:{port}"
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            time.sleep(2)
            for url in (theirs, ours.url):
                drive(url, script, arguments.connections, 2)
            turns = {"chasqui": [], "fastapi": []}
            for turn in range(arguments.rounds):
                turns["fastapi"].append(drive(theirs, script, arguments.connections, arguments.seconds))
                turns["chasqui"].append(drive(ours.url, script, arguments.connections, arguments.seconds))
                print(f"turn {turn + 1}: " + ", ".join(
                    f"{k} {v[-1]['rate']:.0f}/s p50 {v[-1]['p50']:.2f} ms p99 {v[-1]['p99']:.2f} ms"
                    for k, v in turns.items()), flush=True)
            memory = {"chasqui": resident_mib(ours.process.pid), "fastapi": resident_mib(peer.pid)}
        finally:
            os.killpg(peer.pid, signal.SIGTERM)

    def median(who, what):
        return statistics.median(t[what] for t in turns[who])
    rows = [(what, unit, median("chasqui", what), median("fastapi", what)) for what, unit in
            (("rate", "requests/s"), ("p50", "ms"), ("p99", "ms"))]
    rows.append(("memory", "MiB", memory["chasqui"], memory["fastapi"]))
    if arguments.markdown:
        print("| | Chasqui | FastAPI + onnxruntime, 2 workers | ratio |\n| --- | --- | --- | --- |")
    for what, unit, a, b in rows:
        line = (f"{what}, {unit}", f"{a:,.2f}", f"{b:,.2f}", f"{a / b:.2f}")
        print("| " + " | ".join(line) + " |" if arguments.markdown else "  ".join(line))


if __name__ == "__main__":
    main()
