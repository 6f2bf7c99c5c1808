"""tritonclient[grpc]: raw tensors, the stream, and every extension that the server advertises."""

import queue

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from served import GRPC, METADATA, cities, forest, same, viewer

client = triton.InferenceServerClient(GRPC)
model, X = forest()
text_model, city, age = cities()


def tensor(name, values, datatype):
    """An input as this client makes it."""
    given = triton.InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values)
    return given


def refused(code, part, function, *arguments, headers=METADATA, **settings):
    """The client raises with this code, and the server's sentence has this part."""
    try:
        function(*arguments, headers=headers, **settings)
    except InferenceServerException as error:
        assert error.status() == f"StatusCode.{code}", f"{error.status()}: {error}"
        assert part in str(error), f"`{part}` is not in: {error}"
        return
    raise AssertionError(f"not refused: {part}")


print("health and metadata")
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("bosque", headers=METADATA)
about = client.get_server_metadata(headers=METADATA)
assert about.name == "chasqui" and "model_repository" in about.extensions, about
metadata = client.get_model_metadata("bosque", headers=METADATA)
assert metadata.inputs[0].name == "X" and list(metadata.inputs[0].shape) == [-1, 30], metadata
config = client.get_model_config("bosque", headers=METADATA).config
assert config.name == "bosque" and config.input[0].data_type == 11 and config.backend == "onnx", config
assert list(config.version_policy.specific.versions) == [1], config
refused("NOT_FOUND", "does not exist", client.get_model_metadata, "nada")
refused("NOT_FOUND", "version 9", client.get_model_metadata, "bosque", "9")
refused("UNAUTHENTICATED", "key", client.get_model_metadata, "bosque", headers=None)
refused("UNAUTHENTICATED", "key", client.get_model_metadata, "bosque", headers={"authorization": "Bearer wrong"})

print("raw tensors")
answer = client.infer("bosque", [tensor("X", X[:64], "FP32")], headers=METADATA, request_id="pedido-7")
for name, values in model.expected(X=X[:64]).items():
    same(answer.as_numpy(name), values, name)
assert answer.get_response().id == "pedido-7" and len(answer.get_response().raw_output_contents) == 2
expected = text_model.expected(city=city, age=age)
answer = client.infer("ciudades", [tensor("city", city, "BYTES"), tensor("age", age, "FP32")], headers=METADATA)
for name, values in expected.items():
    same(answer.as_numpy(name), values, f"{name}, texts")
halves = X[:4].astype(np.float16)
answer = client.infer("bosque", [tensor("X", halves, "FP16")], headers=METADATA)
same(answer.as_numpy("probabilities"), model.expected(X=halves.astype(np.float32))["probabilities"], "FP16")
wanted = [triton.InferRequestedOutput("probabilities")]
answer = client.infer("bosque", [tensor("X", X[:3], "FP32")], model_version="1", outputs=wanted, headers=METADATA)
assert [output.name for output in answer.get_response().outputs] == ["probabilities"]

print("refusals")
refused("NOT_FOUND", "does not exist", client.infer, "nada", [tensor("X", X[:1], "FP32")])
refused("INVALID_ARGUMENT", "missing", client.infer, "bosque", [tensor("Y", X[:1], "FP32")])
refused("INVALID_ARGUMENT", "shape", client.infer, "bosque", [tensor("X", X[:1, :4].copy(), "FP32")])
refused("INVALID_ARGUMENT", "INT32", client.infer, "bosque", [tensor("X", X[:1].astype(np.int32), "INT32")])
many = np.tile(X, (100, 1))
refused("DEADLINE_EXCEEDED", "timeout of 1 µs", client.infer, "bosque", [tensor("X", many, "FP32")], timeout=1)

print("classification")
wanted = [triton.InferRequestedOutput("probabilities", class_count=2)]
told = client.infer("bosque", [tensor("X", X[:6], "FP32")], outputs=wanted, headers=METADATA).as_numpy("probabilities")
assert told.shape == (6, 2), told
for row, scores in zip(told, model.expected(X=X[:6])["probabilities"]):
    for text, place in zip(row, np.argsort(-scores, kind="stable")):
        value, index, label = text.decode().split(":")
        assert int(index) == place and label == str(place) and abs(float(value) - scores[place]) < 1e-5, text

print("a stream, with a bad request in the middle")
answers = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)), headers=METADATA)
for place in range(20):
    name = "nada" if place == 10 else "bosque"
    client.async_stream_infer(name, [tensor("X", X[place:place + 3], "FP32")], request_id=str(place))
for place in range(20):
    result, error = answers.get(timeout=30)
    if place == 10:
        assert error is not None and "does not exist" in str(error), error
        continue
    assert error is None, error
    assert result.get_response().id == str(place)
    got, wanted = result.as_numpy("probabilities"), model.expected(X=X[place:place + 3])["probabilities"]
    assert np.abs(got - wanted).max() < 1e-5
client.stop_stream()
print("  twenty messages in order, nineteen predictions")

print("statistics")
before = client.get_inference_statistics("bosque", headers=METADATA).model_stats
assert len(before) == 1 and before[0].version == "1", before
client.infer("bosque", [tensor("X", X[:64], "FP32")], headers=METADATA)
after = client.get_inference_statistics("bosque", "1", headers=METADATA).model_stats[0]
assert after.inference_count - before[0].inference_count == 64 and after.execution_count > 20, after
assert after.inference_stats.fail.count >= 0 and after.inference_stats.compute_infer.ns > 0, after
assert len(client.get_inference_statistics(headers=METADATA).model_stats) == 2

print("repository")
index = client.get_model_repository_index(headers=METADATA).models
assert [(m.name, m.version, m.state) for m in index] == [("bosque", "1", "READY"), ("ciudades", "1", "READY")], index
refused("PERMISSION_DENIED", "editor", client.unload_model, "bosque",
        headers={"authorization": f"Bearer {viewer()}"})
client.unload_model("bosque", headers=METADATA)
assert not client.is_model_ready("bosque", headers=METADATA)
refused("UNAVAILABLE", "unloaded", client.infer, "bosque", [tensor("X", X[:1], "FP32")])
answer = client.infer("ciudades", [tensor("city", city, "BYTES"), tensor("age", age, "FP32")], headers=METADATA)
same(answer.as_numpy("label"), expected["label"], "the other model, meanwhile")
client.load_model("bosque", headers=METADATA)
assert client.is_model_ready("bosque", headers=METADATA)
answer = client.infer("bosque", [tensor("X", X[:8], "FP32")], headers=METADATA)
same(answer.as_numpy("probabilities"), model.expected(X=X[:8])["probabilities"], "loaded again")
refused("NOT_FOUND", "does not exist", client.load_model, "nada")
print("triton_grpc: all held")
