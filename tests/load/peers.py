#!/usr/bin/env python3
"""Requests a second, latency and memory of the release binary beside the servers that others use.

One row, 100 trees of depth 10, 30 features, JSON, all logging on; the servers take turns, so that a machine that slows
down slows all. Each peer gets the row in its own JSON form, logs nothing, and is asked for rows whose answers are known
before the load. Needs `wrk` and the packages of tests/requirements.txt; makes an environment for each peer where it is
missing (tests/load/peer/*.txt, from PyPI):

    cargo build --release && tests/load/peers.py [--seconds 8] [--rounds 3] [--only NAME] [--markdown]
"""

import argparse
import json
import re
import signal
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from environment import CannotInstall, python_of
from generator import (BEARER, LoadError, Process, Wrk, forest, free_port, infer_path, median, memory_mib, of_json, register,
                       settle, table)

from chasqui import Chasqui  # generator.py says where it is

PEERS = Path(__file__).resolve().parent / "peer"
WORKERS = "2"
WATCHING = "Chasqui, watching for drift"
HEADERS = {"Content-Type": "application/json", **BEARER}
QUIET = {"DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}


def fastapi(python, port):
    return [python, "-m", "uvicorn", "fastapi_app:app", "--app-dir", PEERS, "--workers", WORKERS, "--port", port,
            "--log-level", "error", "--no-access-log"], {}


def pytriton(python, port):
    # Triton's stub loads libpython by name: the system's can be another one than that of this interpreter's library.
    return [python, PEERS / "pytriton_server.py", port, free_port(), free_port()], {
        "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR"), "PYTRITON_HOME": "."}


def mlserver(python, port):
    # Without workers it is faster for small models: each request saves the way to another process and back.
    return [python.parent / "mlserver", "start", "."], {
        "MLSERVER_DEBUG": "false", "MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(free_port()), "MLSERVER_METRICS_PORT": str(free_port()),
        "MLSERVER_MODEL_NAME": "forest", "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_model.Forest"}


def bentoml(python, port):
    return [python, "-m", "bentoml", "serve", "bentoml_service:Forest", "--working-dir", PEERS, "--port", port], {
        "BENTOML_HOME": "."}


def mlflow(python, port):
    return [python, PEERS / "mlflow_server.py", port, WORKERS], {
        "UVICORN_LOG_LEVEL": "error", "PATH": f"{python.parent}:/usr/bin:/bin"}


def by_outputs(answer):
    """Label and probabilities of an answer of the inference protocol."""
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    return outputs["label"][0], outputs["probabilities"]


def by_columns(answer):
    """Label and probabilities where each output is a list of rows."""
    return answer["label"][0], answer["probabilities"][0]


@dataclass(frozen=True)
class Peer:
    """A server to compare with: `start` gives its command and environment; the rest is its own form of a request."""

    title: str
    start: Callable
    path: str = infer_path()
    body: Callable = lambda row: of_json(row)[0]
    read: Callable = by_outputs

    @property
    def requirements(self):
        return PEERS / f"{self.start.__name__}.txt"

    def named(self):
        """The title with the version that is asked for."""
        return self.title.format(re.search(r"==([\w.]+)", self.requirements.read_text())[1])


def listed(name):
    """The maker of a body that has the rows as a list of lists under one name."""
    def body(rows):
        return json.dumps({name: [[round(float(v), 6) for v in row] for row in rows]}).encode()
    return body


CATALOGUE = {peer.start.__name__: peer for peer in (
    Peer("FastAPI {} + onnxruntime, 2 workers", fastapi),
    Peer("PyTriton {} (Triton 2.51)", pytriton),
    Peer("MLServer {}", mlserver),
    Peer("BentoML {}, 2 workers", bentoml, "/predict", listed("rows"), by_columns),
    Peer("MLflow {}, ONNX scoring server, 2 workers", mlflow, "/invocations", listed("inputs"),
         lambda answer: by_columns(answer["predictions"])),
)}


class Question:
    """The forest as a file, rows, and what onnxruntime answers for the first of them."""

    def __init__(self, folder):
        X, self.onnx = forest()
        self.learned, self.rows = X, X[:500]
        self.expected = list(zip(*onnxruntime.InferenceSession(self.onnx).run(None, {"X": self.rows[:20]})))
        self.model = Path(folder, "forest.onnx")
        self.model.write_bytes(self.onnx)


class Contestant:
    """A started server with the requests that it gets and what they must be answered."""

    def __init__(self, title, url, pids, peer, question):
        self.title, self.url, self.pids, self.peer = title, url, pids, peer
        self.bodies = [peer.body(row[None]) for row in question.rows]
        self.expected = question.expected
        self.turns = []

    def drive(self, seconds, connections):
        wrk = Wrk([(self.peer.path, body) for body in self.bodies], HEADERS, connections)
        return {**wrk.drive(self.url, seconds), "memory": memory_mib(self.pids())}

    def ask(self, body):
        request = urllib.request.Request(self.url + self.peer.path, body, HEADERS)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return self.peer.read(json.load(answer))

    def check(self):
        """Ends the comparison with a server that does not predict what onnxruntime predicts."""
        for body, (label, probabilities) in zip(self.bodies[:20], self.expected):
            got = self.ask(body)
            if got[0] != label or not np.allclose(got[1], probabilities, atol=1e-5):
                raise LoadError(f"answers {got}, where {label}, {probabilities} is right")

    def wait(self, started, seconds=120):
        """Waits for a first answer; a server that ends or gives none is told with the end of its log."""
        told = "no answer"
        for _ in range(seconds * 5):
            if started.process.poll() is not None:
                told = f"ended with {started.process.returncode}"
                break
            try:
                return self.ask(self.bodies[0])
            except urllib.error.HTTPError as error:
                told = f"{error.code}: {error.read().decode(errors='replace')[:300]}"
            except OSError as error:
                told = str(error)
            time.sleep(0.2)
        raise LoadError(f"{told}\n{started.log.read_text(errors='replace')[-1500:]}")


def started(peer, python, question, stack):
    """A peer that answers and answers rightly; it ends with the stack."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = free_port()
    command, environment = peer.start(python, port)
    process = stack.enter_context(Process(command, folder, {
        **QUIET, "PEER_MODEL": str(question.model), "PYTHONPATH": str(PEERS), **environment}))
    contestant = Contestant(peer.named(), f"http://127.0.0.1:{port}", process.pids, peer, question)
    contestant.wait(process)
    contestant.check()
    return contestant


def take_turns(contestants, absent, arguments):
    """Drives the servers by turns; one that fails leaves, and is told as absent."""
    for turn in range(-1, arguments.rounds):  # the first warms up and does not count
        for contestant in list(contestants):
            try:
                seconds = arguments.seconds if turn >= 0 else min(2, arguments.seconds)
                result = contestant.drive(seconds, arguments.connections)
            except LoadError as error:
                contestants.remove(contestant)
                absent[contestant.title] = str(error)
                continue
            if contestant.peer.start is None:
                settle(*contestant.pids())
            if turn >= 0:
                contestant.turns.append(result)
                print(f"turn {turn + 1}: {contestant.title} {result['rate']:.0f}/s p50 {result['p50']:.2f} ms "
                      f"p99 {result['p99']:.2f} ms", file=sys.stderr, flush=True)


def summary(contestants):
    """The lines of the table; the rates of our two servers are told as so many times that of each."""
    lines = [("", "requests/s", "p50, ms", "p99, ms", "memory, MiB", "our rate to its", "and watching")]
    for contestant in contestants:
        rate, p50, p99, memory = (median(contestant.turns, what) for what in ("rate", "p50", "p99", "memory"))
        ratios = [f"{median(ours.turns, 'rate') / rate:.1f}" for ours in contestants[:2]]
        lines.append((contestant.title, f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{memory:,.0f}", *ratios))
    return lines


def compare(peers, arguments, python_for):
    """Starts the peers that can be started, lets all take turns, and prints the table and who is absent."""
    absent = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with an ended comparison too
    with ExitStack() as stack:
        question = Question(stack.enter_context(tempfile.TemporaryDirectory()))
        contestants = []
        for title, rows in (("Chasqui", None), (WATCHING, question.learned)):
            server = stack.enter_context(Chasqui())
            register(server, question.onnx, rows=rows)
            pids = [server.process.pid]
            contestants.append(Contestant(title, server.url, lambda pids=pids: pids, Peer(title, None), question))
            contestants[-1].check()
        for peer in peers:
            mine = stack.enter_context(ExitStack())
            try:
                contestants.append(started(peer, python_for(peer), question, mine))
            except (LoadError, CannotInstall, LookupError, TypeError, ValueError, OSError) as error:
                absent[peer.named()] = f"{type(error).__name__}: {error}"
                mine.close()
        take_turns(contestants, absent, arguments)
    if [contestant.title for contestant in contestants[:2]] == ["Chasqui", WATCHING]:
        print(table(summary(contestants), arguments.markdown))
    for title, reason in absent.items():
        print(f"\nNot measured: {title}: {reason}")
    if absent:
        sys.exit(1)


def arguments_of(description):
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=8, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/performance.md")
    return parser


def main():
    parser = arguments_of(__doc__)
    parser.add_argument("--only", choices=CATALOGUE, help="one peer")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "chasqui-load",
                        help="folder of the peers' environments")
    arguments = parser.parse_args()
    peers = [CATALOGUE[arguments.only]] if arguments.only else CATALOGUE.values()
    compare(peers, arguments, lambda peer: python_of(arguments.cache.absolute() / peer.start.__name__, peer.requirements))


if __name__ == "__main__":
    main()
