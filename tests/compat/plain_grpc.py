"""gRPC without a client library's help: health, broken messages, limits, and what mixes raw and typed contents."""

import os
import struct
import threading

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from served import GRPC, METADATA, call, forest

model, X = forest()
# A message of the default limit and more.
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
channel = grpc.insecure_channel(GRPC, options=OPTIONS)
stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
metadata = tuple(METADATA.items())


def raw_call(method, message, key=True):
    """A unary call of bytes."""
    function = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    return function(message, metadata=metadata if key else (), timeout=30)


def refused(code, part, function):
    """The call fails with this code, and the server's sentence has this part."""
    try:
        answer = function()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()}: {error.details()}"
        assert part in error.details(), f"`{part}` is not in: {error.details()}"
        return error
    raise AssertionError(f"not refused: {part}: {answer}")


code = grpc.StatusCode
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"


def asked(service):
    """A HealthCheckRequest: field 1, a text."""
    return b"\x0a" + bytes([len(service)]) + service if service else b""


print("health")
SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"
assert raw_call(CHECK, b"", key=False) == SERVING
assert raw_call(CHECK, asked(b"inference.GRPCInferenceService"), key=False) == SERVING
assert raw_call(CHECK, asked(b"bosque")) == SERVING
refused(code.UNAUTHENTICATED, "key", lambda: raw_call(CHECK, asked(b"bosque"), key=False))
refused(code.NOT_FOUND, "does not exist", lambda: raw_call(CHECK, asked(b"nada")))
watch = channel.unary_stream(WATCH, request_serializer=bytes, response_deserializer=bytes)
states = watch(asked(b"bosque"), metadata=metadata, timeout=60)
assert next(states) == SERVING
stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="bosque"), metadata=metadata)
assert next(states) == NOT_SERVING
stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="bosque"), metadata=metadata)
assert next(states) == SERVING
states.cancel()
assert next(watch(asked(b"nada"), metadata=metadata, timeout=60)) == SERVICE_UNKNOWN

print("typed contents")
rows = X[:2]


def request(**changes):
    """A request with typed contents."""
    message = pb.ModelInferRequest(model_name="bosque", id="7")
    tensor = message.inputs.add(name="X", datatype=changes.get("datatype", "FP32"),
                                shape=changes.get("shape", [2, 30]))
    tensor.contents.fp32_contents.extend(changes.get("values", rows.ravel().tolist()))
    return message


answer = stub.ModelInfer(request(), metadata=metadata)
assert not answer.raw_output_contents, "typed in, raw out"
got = np.array(answer.outputs[1].contents.fp32_contents, np.float32).reshape(answer.outputs[1].shape)
assert np.abs(got - model.expected(X=rows)["probabilities"]).max() < 1e-5
assert list(answer.outputs[0].contents.int64_contents) == model.expected(X=rows)["label"].tolist()
assert answer.id == "7" and answer.parameters["prediction_id"].string_param.count(",") == 1


def infer(message, **settings):
    """A prediction."""
    return lambda: stub.ModelInfer(message, metadata=metadata, timeout=30, **settings)


print("hostile messages")
invalid = code.INVALID_ARGUMENT
mixed = request()
mixed.raw_input_contents.append(rows.tobytes())
refused(invalid, "exclude each other", infer(mixed))
uneven = request()
uneven.inputs[0].ClearField("contents")
uneven.raw_input_contents.extend([rows.tobytes(), b""])
refused(invalid, "2 raw contents for 1", infer(uneven))
other = request()
other.inputs[0].contents.int_contents.append(1)
refused(invalid, "field", infer(other))
for shape, part in [([2, 31], "elements"), ([-1, 30], "negative"), ([2**62 + 1, 4], "memory can hold"),
                    ([10**9, 4], "elements"), ([0, 30], "elements"), ([], "elements"), ([60], "shape"),
                    ([1] * 200 + [60], "axes")]:
    refused(invalid, part, infer(request(shape=shape)))
refused(invalid, "datatype", infer(request(datatype="FP33")))
refused(invalid, "FP16", infer(request(datatype="FP16")))
refused(invalid, "INT64", infer(request(datatype="INT64")))
refused(invalid, "no rows", infer(request(shape=[0, 30], values=[])))
for size in [0, 1, 239, 241]:
    short = request()
    short.inputs[0].ClearField("contents")
    short.raw_input_contents.append(rows.tobytes().ljust(241)[:size] if size else b"\0" * 3)
    refused(invalid, "elements", infer(short))
twice = request()
twice.inputs.add().CopyFrom(twice.inputs[0])
refused(invalid, "twice", infer(twice))
for name, part in [("nada", "does not exist"), ("probabilities", "")]:
    wanted = request()
    wanted.outputs.add(name=name)
    if part:
        refused(invalid, part, infer(wanted))
    else:
        assert len(stub.ModelInfer(wanted, metadata=metadata).outputs) == 1
for name, value in [("timeout", dict(int64_param=-1)), ("priority", dict(string_param="high")),
                    ("key", dict(bool_param=True)), ("key", dict(string_param=""))]:
    bad = request()
    for field, content in value.items():
        setattr(bad.parameters[name], field, content)
    refused(invalid, "key" if name == "key" else name, infer(bad))
numbered = request()
numbered.model_version = "nine"
refused(code.NOT_FOUND, "versions are numbers", infer(numbered))

METHOD = "/inference.GRPCInferenceService/ModelInfer"
good = request().SerializeToString()
for broken in [good[:-3], b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", struct.pack("<Q", 2**63)]:
    refused(invalid, "decode", lambda: raw_call(METHOD, broken))
refused(code.UNIMPLEMENTED, "", lambda: raw_call("/inference.GRPCInferenceService/Trace", b""))
refused(code.UNIMPLEMENTED, "no such service", lambda: raw_call("/otra.Cosa/Hacer", b""))
refused(code.UNAUTHENTICATED, "key", lambda: raw_call(METHOD, good, key=False))

print("limits and deadlines")
limit = 64 << 20
large = request()
large.inputs[0].ClearField("contents")
large.raw_input_contents.append(bytes(limit + 1))
refused(code.RESOURCE_EXHAUSTED, str(limit), infer(large))
# A few bytes each on the wire, hundreds in memory.
many_inputs = b"\x2a\x00" * (16 << 20)
refused(code.RESOURCE_EXHAUSTED, "fields", lambda: raw_call(METHOD, many_inputs))
with open(f"/proc/{os.environ['CHASQUI_PID']}/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
assert peak < 600 << 10, f"{peak} KiB were resident"
waited = request()
waited.parameters["timeout"].int64_param = 1
many = np.tile(X, (50, 1))
waited.inputs[0].shape[:] = list(many.shape)
waited.inputs[0].ClearField("contents")
waited.raw_input_contents.append(many.tobytes())
refused(code.DEADLINE_EXCEEDED, "timeout of 1 µs", infer(waited))

print("many at once")
failures = []


def ask():
    try:
        for _ in range(50):
            stub.ModelInfer(request(), metadata=metadata, timeout=30)
    except grpc.RpcError as error:
        failures.append(error)


threads = [threading.Thread(target=ask) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures
status, metrics = call("GET", "/api/v1/services/bosque")
assert status == 200, metrics
print("plain_grpc: all held")
