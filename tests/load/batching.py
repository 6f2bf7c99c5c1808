#!/usr/bin/env python3
"""What computing requests together is worth: a neural network by one row a request, together and one by one.

Four layers of 1,024 by 1,024: a row costs about as much as reading the weights, and so do sixteen. The two take turns.
Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/batching.py [--seconds 8] [--rounds 3] [--connections 16] [--markdown]
"""

import argparse

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from generator import BEARER, Wrk, infer_path, median, of_json, register, table

from chasqui import Chasqui  # generator.py says where it is

WIDE, LAYERS = 1024, 4


def network():
    """`X` of WIDE columns through LAYERS layers to one number."""
    random = np.random.default_rng(1)
    nodes, weights, last = [], [], "X"
    for layer in range(LAYERS):
        columns = WIDE if layer < LAYERS - 1 else 1
        weight = (random.standard_normal((WIDE, columns)) / WIDE**0.5).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]))
        last = f"m{layer}"
        if layer < LAYERS - 1:
            nodes.append(helper.make_node("Relu", [last], [f"r{layer}"]))
            last = f"r{layer}"
    value = lambda name, columns: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])
    graph = helper.make_graph(nodes, "network", [value("X", WIDE)], [value(last, 1)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def executions(server):
    stats = server.call("GET", "/v2/models/network/stats")["model_stats"][0]
    return np.array([stats["inference_count"], stats["execution_count"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=8, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--markdown", action="store_true", help="print a table for docs/performance.md")
    arguments = parser.parse_args()

    rows = np.random.default_rng(2).standard_normal((32, WIDE)).astype(np.float32)
    load = Wrk([(infer_path("network"), of_json(row[None])[0]) for row in rows], BEARER, arguments.connections)
    turns = {1: [], 64: []}
    with Chasqui() as server:
        register(server, network(), "network")
        for _ in range(arguments.rounds):
            for most, seen in turns.items():
                server.put("/services/network", {"model": "network", "batching": {"max_rows": most}})
                before = executions(server)
                turn = load.drive(server.url, arguments.seconds)
                requests, runs = executions(server) - before
                seen.append(turn | {"batch": requests / runs})
    lines = [("", "requests/s", "p50, ms", "p99, ms", "requests a run")]
    for most, name in ((1, "one by one"), (64, "together")):
        seen = turns[most]
        lines.append((name, f"{median(seen, 'rate'):,.0f}", f"{median(seen, 'p50'):.1f}", f"{median(seen, 'p99'):.1f}",
                      f"{median(seen, 'batch'):.1f}"))
    print(table(lines, arguments.markdown))


if __name__ == "__main__":
    main()
