#!/usr/bin/env python3
"""Latency at half of the maximum rate, processor time a request, and memory over two million requests.

One row, 100 trees of depth 10, 30 features, JSON, all logging on. The maximum is what `wrk` reaches; half of it is sent at
a constant rate by this script: each request has its time, and one that waits for a connection waits in its latency too
(`h2load --rps` sends what ten milliseconds owe at once, and so measures the maximum rate again and again). Memory is that
of a fresh server. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/steady.py [--seconds 8] [--rounds 3] [--requests 2000000] [--markdown]
"""

import argparse
import ctypes
import gc
import select
import socket
import sys
import time

import numpy as np

from generator import BEARER, LoadError, Spent, Wrk, forest, infer_path, median, memory_mib, of_json, register, table

from chasqui import Chasqui  # generator.py says where it is

STEP = 100_000
WARM = 200_000
PR_SET_TIMERSLACK = 29


def messages(requests, headers):
    """Whole HTTP requests, as bytes."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return [f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            for path, body in requests]


def constant(address, sent, rate, seconds, connections):
    """Sends messages at a constant rate; the rate reached, and latencies in ms from when each was due and was sent."""
    # Sleeps of this thread end when they should, not 50 µs later.
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
    free = [socket.create_connection(address) for _ in range(connections)]
    for connection in free:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    every, total, clock = 1 / rate, int(rate * seconds), time.perf_counter
    begun, from_due, from_sent, waiting = 0, [], [], {}
    gc.collect()
    gc.disable()
    start = clock()
    while len(from_due) < total:
        while begun < total and free and (due := start + begun * every) <= (now := clock()):
            connection = free.pop()
            connection.send(sent[begun % len(sent)])
            waiting[connection] = due, now
            begun += 1
        pause = max(0, start + begun * every - clock()) if free and begun < total else 5
        for connection in select.select(list(waiting), [], [], pause)[0]:
            answer = connection.recv(65536)
            now = clock()
            if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(b"}"):
                raise LoadError(f"answered {answer[:300]}")
            due, when = waiting.pop(connection)
            from_due.append(now - due)
            from_sent.append(now - when)
            free.append(connection)
    reached = total / (clock() - start)
    gc.enable()
    for connection in free:
        connection.close()
    return {"requests": total, "rate": reached, **percentiles(from_due), "sent": percentiles(from_sent)}


def percentiles(seconds):
    return dict(zip(("p50", "p99", "p99.9"), np.percentile(np.array(seconds) * 1000, (50, 99, 99.9))))


def speed(server, requests, arguments):
    """Turns at the maximum rate, and at half of the rate of the turn before."""
    wrk = Wrk(requests, BEARER, arguments.connections)
    address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    sent = messages(requests, BEARER)
    wrk.drive(server.url, min(2, arguments.seconds))
    most, half = [], []
    for turn in range(arguments.rounds):
        spent = Spent(server.process.pid)
        result = wrk.drive(server.url, arguments.seconds)
        most.append({**result, **spent.of(result["requests"])})
        spent = Spent(server.process.pid)
        result = constant(address, sent, most[-1]["rate"] / 2, arguments.seconds, arguments.connections)
        half.append({**result, **spent.of(result["requests"])})
        asked = most[-1]["rate"] / 2
        if half[-1]["rate"] < 0.98 * asked:
            print(f"turn {turn + 1}: {half[-1]['rate']:.0f}/s of {asked:.0f}/s were reached: not half of the rate",
                  file=sys.stderr)
        print(f"turn {turn + 1}: maximum {most[-1]['rate']:.0f}/s p99 {most[-1]['p99']:.2f} ms, "
              f"half {half[-1]['rate']:.0f}/s p99 {half[-1]['p99']:.2f} ms", file=sys.stderr, flush=True)
    return most, half


def speed_lines(most, half):
    lines = [("", "requests/s", "p50, ms", "p99, ms", "p99.9, ms", "user, µs", "system, µs")]
    for title, turns, cost in (("maximum", most, most), ("half, since due", half, half),
                               ("half, since sent", [turn["sent"] for turn in half], None)):
        latency = [f"{median(turns, what):.2f}" for what in ("p50", "p99", "p99.9")]
        spent = [f"{median(cost, what):.1f}" for what in ("user", "system")] if cost else ["", ""]
        lines.append((title, f"{median(cost, 'rate'):,.0f}" if cost else "", *latency, *spent))
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
    parser.add_argument("--requests", type=int, default=2_000_000, help="over which memory is watched; 0 for none")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    arguments = parser.parse_args()
    X, onnx = forest()
    requests = [(infer_path(), of_json(row[None])[0]) for row in X[:500]]
    with Chasqui() as server:
        register(server, onnx)
        print(table(speed_lines(*speed(server, requests, arguments)), arguments.markdown))
    if not arguments.requests:
        return
    with Chasqui() as server:
        register(server, onnx)
        points = memory(server, requests, arguments)
    lines = [("requests", "resident, MiB"), *((f"{count:,}", f"{mib:.1f}") for count, mib in points)]
    print("\n" + table(lines, arguments.markdown))
    if (growth := slope(points)) is not None:
        print(f"\nAfter the first {WARM:,} requests: {growth:+.2f} MiB a million requests.")


if __name__ == "__main__":
    main()
