"""The wires of the inference protocol beside each other on one server: JSON, binary tensors, gRPC.

100 trees of depth 10, 30 features, all logging on; the wires take turns, so that a machine that slows down slows all, and
each begins when the server has sealed what the last one had it log.
Needs `wrk`, `h2load` (nghttp2-client) and the packages of tests/requirements.txt:

    cargo build --release && tests/load/protocols.py [--seconds 10] [--rounds 3] [--connections 16]
"""

import argparse
import re
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tritonclient.grpc import service_pb2 as pb

from generator import BEARER, Wrk, forest, free_port, infer_path, of_binary, of_json, register, settle

from chasqui import KEY, Chasqui  # generator.py says where it is


def of_grpc(rows):
    """One raw message with its frame."""
    message = pb.ModelInferRequest(model_name="forest", raw_input_contents=[rows.tobytes()])
    message.inputs.add(name="X", datatype="FP32", shape=list(rows.shape))
    content = message.SerializeToString()
    return b"\0" + struct.pack(">I", len(content)) + content


class Wires:
    """Drives one server by every wire; each turn is checked against the server's own count."""

    def __init__(self, server, grpc, folder, arguments):
        self.server, self.grpc, self.folder, self.arguments = server, grpc, Path(folder), arguments

    def counted(self):
        return self.server.call("GET", "/v2/models/forest/stats")["model_stats"][0]["inference_stats"]["success"]["count"]

    def rest(self, body, headers):
        wrk = Wrk([(infer_path(), body)], {**BEARER, **headers}, self.arguments.connections)
        return wrk.drive(self.server.url, self.arguments.seconds)["rate"]

    def h2(self, name, message):
        path = self.folder / f"{name}.message"
        path.write_bytes(message)
        before = self.counted()
        out = subprocess.run(["h2load", "-t1", f"-c{self.arguments.connections}", "-m1", f"-D{self.arguments.seconds}",
                              "-H", "content-type: application/grpc", "-H", "te: trailers",
                              "-H", f"authorization: Bearer {KEY}", "-d", path,
                              f"http://{self.grpc}/inference.GRPCInferenceService/ModelInfer"],
                             capture_output=True, text=True, check=True).stdout
        requests = int(re.search(r"(\d+) succeeded", out)[1])
        answered = self.counted() - before
        # A refusal has the HTTP status 200 too: the server knows better.
        if answered < requests * 0.99:
            sys.exit(f"{answered} of {requests} calls were predictions:\n{out}")
        return float(re.search(r"([\d.]+) req/s", out)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each wire")
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()

    X, onnx = forest()
    grpc = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder, Chasqui(grpc=grpc) as server:
        register(server, onnx)
        wires = Wires(server, grpc, folder, arguments)
        one, many = X[:1], X[:64]
        turns = {
            "JSON, 1 row": lambda: wires.rest(*of_json(one)),
            "binary, 1 row": lambda: wires.rest(*of_binary(one)),
            "gRPC, 1 row": lambda: wires.h2("grpc-1", of_grpc(one)),
            "JSON, 64 rows": lambda: wires.rest(*of_json(many)),
            "binary, 64 rows": lambda: wires.rest(*of_binary(many)),
            "gRPC, 64 rows": lambda: wires.h2("grpc-64", of_grpc(many)),
        }
        rates = {name: [] for name in turns}
        for _ in range(arguments.rounds):
            for name, turn in turns.items():
                settle(server.process.pid)
                rates[name].append(turn())
    median = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in median.items():
        print(f"{name:16} {rate:10,.0f} requests/s")
    print(f"gRPC to JSON, 1 row: {median['gRPC, 1 row'] / median['JSON, 1 row']:.2f}")
    print(f"binary to JSON, 64 rows: {median['binary, 64 rows'] / median['JSON, 64 rows']:.2f}")


if __name__ == "__main__":
    main()
