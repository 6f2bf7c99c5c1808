"""SIGTERM under load: watchers are told, what was accepted is answered, and streams end in words."""

import os
import signal
import threading
import time

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import InferenceServerException

from served import GRPC, METADATA, forest

# `drain_seconds` unless told otherwise.
DRAIN = 1.0

model, X = forest()
metadata = tuple(METADATA.items())
ended = threading.Event()
failures, answered = [], []


def ask():
    """Predictions one after the other, until the server is gone."""
    client = triton.InferenceServerClient(GRPC)
    given = triton.InferInput("X", [4, 30], "FP32")
    given.set_data_from_numpy(X[:4])
    while True:
        try:
            client.infer("bosque", [given], headers=METADATA)
            answered.append(time.monotonic())
        except InferenceServerException as error:
            failures.append((time.monotonic(), error))
            return


channel = grpc.insecure_channel(GRPC)
stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
watch = channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=bytes, response_deserializer=bytes)
states = watch(b"", timeout=60)
assert next(states) == b"\x08\x01"


def questions():
    """A stream that goes on for as long as it is let."""
    while not ended.is_set():
        message = pb.ModelInferRequest(model_name="bosque")
        tensor = message.inputs.add(name="X", datatype="FP32", shape=[1, 30])
        message.raw_input_contents.append(X[:1].tobytes())
        assert tensor.name == "X"
        yield message
        time.sleep(0.01)


stream = stub.ModelStreamInfer(questions(), metadata=metadata)
first = next(stream)
expected = model.expected(X=X[:1])["probabilities"]
got = np.frombuffer(first.infer_response.raw_output_contents[1], np.float32).reshape(1, 3)
assert np.abs(got - expected).max() < 1e-5

threads = [threading.Thread(target=ask) for _ in range(6)]
for thread in threads:
    thread.start()
while len(answered) < 50:
    time.sleep(0.01)
assert not failures, failures
asked_to_end = time.monotonic()
os.kill(int(os.environ["CHASQUI_PID"]), signal.SIGTERM)
assert next(states) == b"\x08\x02", "watchers are told that it is not serving any more"
told = time.monotonic() - asked_to_end
assert told < DRAIN, f"told only after {told} s"

count = 1
try:
    for answer in stream:
        assert not answer.error_message, answer.error_message
        count += 1
    raise AssertionError("the stream ended without a word")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.UNAVAILABLE and "ending" in error.details(), error
ended.set()
for thread in threads:
    thread.join()
for at, error in failures:
    assert error.status() == "StatusCode.UNAVAILABLE", error
    assert at - asked_to_end >= DRAIN * 0.95, f"{at - asked_to_end} s after the end was asked for: {error}"
late = sum(at > asked_to_end for at in answered)
assert late > 0
print(f"ending_grpc: {len(answered)} answered, {late} of them while it drained, {count} in a stream; all held")
