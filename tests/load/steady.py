#!/usr/bin/env python3
"""Latency well below the maximum rate, processor time a request, and memory over two million requests.

One row, 100 trees of depth 10, 30 features, JSON, all logging on, watched for drift. The maximum is what sixteen
connections reach; below it there are two that ask without a pause, or many that think for a millisecond between two
requests (`h2load --rps` sends what ten milliseconds owe at once, and so measures the maximum again and again). wrk adds to
its percentiles the requests that it would have sent while it waited for an answer. Where nginx is installed it answers the
same bytes from memory in turns with the server: what it shows is the machine's and the generator's. Memory is that of a
fresh server. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/steady.py [--seconds 8] [--rounds 3] [--requests 2000000] [--markdown]
"""

import argparse
import json
import shutil
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from generator import (BEARER, Process, Spent, Wrk, forest, free_port, infer_path, median, memory_mib, of_json, register, settle,
                       table)

from chasqui import Chasqui  # generator.py says where it is

STEP = 100_000
WARM = 200_000
NGINX = """
worker_processes auto; daemon off; pid {folder}/pid;
events {{}}
http {{
  access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; default_type application/json; return 200 '{answer}'; }}
}}
"""


@contextmanager
def nginx(answer):
    """The address of an nginx that gives one answer to everything."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        Path(folder, "nginx.conf").write_text(NGINX.format(folder=folder, port=port, answer=answer))
        with Process(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", "stderr"], folder, {}) as process:
            for _ in range(100):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            else:
                sys.exit(f"nginx does not answer: {process.log.read_text()}")
            yield f"http://127.0.0.1:{port}"


def speed(server, requests, arguments):
    """Turns of each load, of the server and of nginx."""
    def wrk(connections, think_ms=0):
        return Wrk(requests, BEARER, connections, think_ms)

    loads = {"maximum": wrk(arguments.connections), "two clients": wrk(2), "thinking": wrk(arguments.thinking, 1)}
    pid = server.process.pid
    loads["maximum"].drive(server.url, min(2, arguments.seconds))
    seen = {}
    with ExitStack() as stack:
        fixed = None
        if shutil.which("nginx"):
            answer = server.call("POST", requests[0][0], requests[0][1])
            fixed = stack.enter_context(nginx(json.dumps(answer, separators=(",", ":"))))
        for _ in range(arguments.rounds):
            for title, load in loads.items():
                settle(pid)
                spent = Spent(pid)
                result = load.drive(server.url, arguments.seconds)
                seen.setdefault(title, []).append({**result, **spent.of(result["requests"])})
                print(f"{title}: {result['rate']:.0f}/s p99 {result['p99']:.2f} ms", file=sys.stderr, flush=True)
            for title, load in loads.items() if fixed else ():
                settle(pid)
                seen.setdefault(f"nginx, {title}", []).append(load.drive(fixed, arguments.seconds))
    return seen


def speed_lines(seen):
    lines = [("", "requests/s", "of the maximum", "p50, ms", "p99, ms", "p99.9, ms", "user, µs", "system, µs")]
    most = median(seen["maximum"], "rate")
    for title, turns in seen.items():
        is_ours = "user" in turns[0]
        rate = median(turns, "rate")
        figures = [f"{median(turns, what):.2f}" for what in ("p50", "p99", "p99.9")]
        figures += [f"{median(turns, what):.1f}" if is_ours else "" for what in ("user", "system")]
        lines.append((title, f"{rate:,.0f}", f"{rate / most:.2f}" if is_ours else "", *figures))
    return lines


def memory(server, requests, arguments):
    """Requests so far and resident MiB, after about every step of requests at the maximum rate."""
    wrk = Wrk(requests, BEARER, arguments.connections)
    points, total, seconds = [(0, memory_mib([server.process.pid]))], 0, 1
    while total < arguments.requests:
        result = wrk.drive(server.url, seconds)
        total += result["requests"]
        points.append((total, memory_mib([server.process.pid])))
        print(f"{total:,} requests: {points[-1][1]:.1f} MiB", file=sys.stderr, flush=True)
        # wrk takes whole seconds: the next turn ends where the steps have to be by then.
        seconds = max(1, round((len(points) * STEP - total) / result["rate"]))
    return points


def slope(points):
    """MiB a million requests, once the server is warm; None where there is too little to tell."""
    warm = [(requests / 1e6, mib) for requests, mib in points if requests >= 0.99 * WARM]
    return np.polyfit(*zip(*warm), 1)[0] if len(warm) > 1 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=8, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each load")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--thinking", type=int, default=30, help="connections that think for 1 ms between two requests")
    parser.add_argument("--requests", type=int, default=2_000_000, help="over which memory is watched; 0 for none")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    arguments = parser.parse_args()
    X, onnx = forest()
    requests = [(infer_path(), of_json(row[None])[0]) for row in X[:500]]
    with Chasqui() as server:
        register(server, onnx, rows=X)
        print(table(speed_lines(speed(server, requests, arguments)), arguments.markdown))
    if not arguments.requests:
        return
    with Chasqui() as server:
        register(server, onnx, rows=X)
        points = memory(server, requests, arguments)
    lines = [("requests", "resident, MiB"), *((f"{count:,}", f"{mib:.1f}") for count, mib in points)]
    print("\n" + table(lines, arguments.markdown))
    if (growth := slope(points)) is not None:
        print(f"\nAfter the first {WARM:,} requests: {growth:+.2f} MiB a million requests.")


if __name__ == "__main__":
    main()
