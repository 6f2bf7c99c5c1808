#!/usr/bin/env python3
"""Latency well below the maximum rate, processor time a request, and memory over two million requests.

One row, 100 trees of depth 10, 30 features, JSON, all logging on. The maximum is what `wrk` reaches; below it each client
thinks for a millisecond between two requests (`h2load --rps` sends what ten milliseconds owe at once, and so measures the
maximum rate again and again). Memory is that of a fresh server. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/steady.py [--seconds 8] [--rounds 3] [--requests 2000000] [--markdown]
"""

import argparse
import sys

import numpy as np

from generator import BEARER, Spent, Wrk, forest, infer_path, median, memory_mib, of_json, register, table

from chasqui import Chasqui  # generator.py says where it is

STEP = 100_000
WARM = 200_000


def speed(server, requests, arguments):
    """Turns at the maximum rate, and of clients that think between two requests."""
    loads = [Wrk(requests, BEARER, arguments.connections), Wrk(requests, BEARER, arguments.thinking, think_ms=1)]
    loads[0].drive(server.url, min(2, arguments.seconds))
    seen = [[], []]
    for _ in range(arguments.rounds):
        for load, turns in zip(loads, seen):
            spent = Spent(server.process.pid)
            result = load.drive(server.url, arguments.seconds)
            turns.append({**result, **spent.of(result["requests"])})
            print(f"{result['rate']:.0f}/s p99 {result['p99']:.2f} ms", file=sys.stderr, flush=True)
    return seen


def speed_lines(most, half):
    lines = [("", "requests/s", "of the maximum", "p50, ms", "p99, ms", "p99.9, ms", "user, µs", "system, µs")]
    for title, turns in (("maximum", most), ("thinking", half)):
        figures = [f"{median(turns, what):.2f}" for what in ("p50", "p99", "p99.9")]
        figures += [f"{median(turns, what):.1f}" for what in ("user", "system")]
        rate = median(turns, "rate")
        lines.append((title, f"{rate:,.0f}", f"{rate / median(most, 'rate'):.2f}", *figures))
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
    parser.add_argument("--rounds", type=int, default=3, help="turns at the maximum and at half of it")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--thinking", type=int, default=30, help="connections that think for 1 ms between two requests")
    parser.add_argument("--requests", type=int, default=2_000_000, help="over which memory is watched; 0 for none")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    arguments = parser.parse_args()
    X, onnx = forest()
    requests = [(infer_path(), of_json(row[None])[0]) for row in X[:500]]
    with Chasqui() as server:
        register(server, onnx, rows=X)
        print(table(speed_lines(*speed(server, requests, arguments)), arguments.markdown))
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
