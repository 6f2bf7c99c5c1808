#!/usr/bin/env python3
"""What a hundred models cost: start and memory, and a request by the number of models and by its rows.

Distinct forests of 100 trees of depth 10 over 30 features, each a model and a service, all logging on. The cost of a
request is the processor time of the server at its maximum rate; the loads take turns, so that a machine that slows down
slows all. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/many.py [--models 100] [--seconds 4] [--rounds 3] [--plot FILE] [--markdown]
"""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx

from cost_plot import cost_plot
from generator import BEARER, Spent, Wrk, forest, infer_path, median, memory_mib, of_binary, of_json, register, table

from chasqui import Chasqui, Problem  # generator.py says where it is

TRAINED = 2
ROWS = (1, 4, 16, 64, 256, 1024)


def distinct(count):
    """Rows and so many forests: a few are trained, the others have other weights in the leaves of these."""
    trained = [forest(seed) for seed in range(1, TRAINED + 1)]
    models = []
    for number in range(count):
        model = onnx.load_model_from_string(trained[number % TRAINED][1])
        random = np.random.default_rng(number)
        for attribute in (a for node in model.graph.node for a in node.attribute if a.name == "class_weights"):
            attribute.floats[:] = np.array(attribute.floats) * random.uniform(0.9, 1, len(attribute.floats))
        models.append(model.SerializeToString())
    return trained[0][0], models


def name_of(number):
    return f"forest-{number:03}"


def restart(server, models, row):
    """Seconds from start to ready, until each model has answered once, and MiB then."""
    server.stop()
    begun = time.perf_counter()
    server.start()
    while True:
        try:
            server.call("GET", "/health/ready")
            break
        except (OSError, Problem):
            if server.process.poll() is not None:
                sys.exit("the server did not start again")
            time.sleep(0.01)
    ready = time.perf_counter() - begun
    answers = [server.call("POST", infer_path(name_of(number)), of_json(row)[0]) for number in range(models)]
    answered = time.perf_counter() - begun
    if len({str(answer["outputs"]) for answer in answers}) < models:
        sys.exit("two models gave the same answer")
    return {"ready": ready, "answered": answered, "memory": memory_mib([server.process.pid])}


class Load:
    """The same requests again and again to one server, and what each turn cost it."""

    def __init__(self, server, requests, headers):
        self.server, self.turns = server, []
        self.wrk = Wrk(requests, {**BEARER, **headers})

    def turn(self, seconds):
        spent = Spent(self.server.process.pid)
        result = self.wrk.drive(self.server.url, seconds)
        cost = spent.of(result["requests"])
        self.turns.append({**result, "cost": cost["user"] + cost["system"]})


def bodies_of(form, X, rows):
    """Up to 500 bodies of so many rows, and the headers that they share."""
    starts = range(0, len(X) - rows + 1, rows)[:500]
    made = [form(X[start:start + rows]) for start in starts]
    return [body for body, _ in made], made[0][1]


def loads_of(servers, X):
    """Loads by name: one row to one or to every model of servers with more or fewer; more and more rows to one model."""
    loads = {}
    rows, headers = bodies_of(of_json, X, 1)
    for count, server in servers.items():
        loads["one", count] = Load(server, [(infer_path(name_of(0)), row) for row in rows], headers)
        loads["all", count] = Load(server, [(infer_path(name_of(i % count)), row) for i, row in enumerate(rows)], headers)
    least = servers[min(servers)]
    for count in ROWS:
        for form in (of_json, of_binary):
            bodies, headers = bodies_of(form, X, count)
            loads[form, count] = Load(least, [(infer_path(name_of(0)), body) for body in bodies], headers)
    return loads


def lines_by_models(loads, counts):
    lines = [("models", "one asked, µs", "requests/s", "all asked, µs", "requests/s")]
    for count in counts:
        cells = [f"{median(loads[which, count].turns, what):,.{digits}f}"
                 for which in ("one", "all") for what, digits in (("cost", 1), ("rate", 0))]
        lines.append((f"{count}", *cells))
    return lines


def lines_by_rows(loads):
    lines = [("rows", "JSON, µs", "a row, µs", "requests/s", "binary, µs", "a row, µs", "requests/s")]
    for count in ROWS:
        cells = []
        for form in (of_json, of_binary):
            cost, rate = (median(loads[form, count].turns, what) for what in ("cost", "rate"))
            cells += [f"{cost:,.1f}", f"{cost / count:.2f}", f"{rate:,.0f}"]
        lines.append((f"{count:,}", *cells))
    return lines


def plotted(loads, counts):
    """The plot of the costs by rows and by models."""
    def costs(key, places):
        return [(place, median(loads[key, place].turns, "cost")) for place in places]
    return cost_plot({"JSON": costs(of_json, ROWS), "binary tensors": costs(of_binary, ROWS)},
                     {"one model asked": costs("one", counts), "all models asked": costs("all", counts)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=4, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each load, and starts")
    parser.add_argument("--plot", type=Path, help="file for the plot, docs/img/cost.svg for the docs")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    arguments = parser.parse_args()
    if arguments.models < 2:
        parser.error("--models must be two or more")
    X, models = distinct(arguments.models)
    counts = sorted({1, min(10, len(models)), len(models)})
    with ExitStack() as stack:
        servers = {count: stack.enter_context(Chasqui()) for count in counts}
        for count, server in servers.items():
            for number, model in enumerate(models[:count]):
                register(server, model, name_of(number))
        starts = []
        for _ in range(arguments.rounds):
            starts.append(restart(servers[len(models)], len(models), X[:1]))
        lines = [("models", "start to ready, s", "all answered once, s", "resident then, MiB"),
                 (f"{len(models)}", f"{median(starts, 'ready'):.2f}", f"{median(starts, 'answered'):.2f}",
                  f"{median(starts, 'memory'):,.0f}")]
        print(table(lines, arguments.markdown), flush=True)
        loads = loads_of(servers, X)
        for turn in range(arguments.rounds):
            for load in loads.values():
                load.turn(arguments.seconds)
            print(f"turn {turn + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    print("\n" + table(lines_by_models(loads, counts), arguments.markdown))
    print("\n" + table(lines_by_rows(loads), arguments.markdown))
    if arguments.plot:
        arguments.plot.parent.mkdir(parents=True, exist_ok=True)
        arguments.plot.write_text(plotted(loads, counts))


if __name__ == "__main__":
    main()
