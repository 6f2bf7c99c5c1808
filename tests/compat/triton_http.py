"""tritonclient[http] with its defaults: binary tensors both ways, and every extension that the server advertises."""

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from served import HOST, call, cities, forest, headers, same, viewer, wait

client = triton.InferenceServerClient(HOST)
model, X = forest()
text_model, city, age = cities()


def tensor(name, values, datatype, binary=True):
    """An input as this client makes it."""
    given = triton.InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    return given


def refused(part, function, *arguments, **settings):
    """The client raises, and the server's sentence has this part."""
    try:
        function(*arguments, headers=headers(), **settings)
    except InferenceServerException as error:
        assert part in str(error), f"`{part}` is not in: {error}"
        return
    raise AssertionError(f"not refused: {part}")


print("health and metadata")
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("bosque", headers=headers()) and client.is_model_ready("bosque", "1", headers=headers())
assert not client.is_model_ready("nada", headers=headers())
about = client.get_server_metadata(headers=headers())
extensions = {"binary_tensor_data", "classification", "model_configuration", "model_repository", "schedule_policy",
              "statistics"}
assert extensions <= set(about["extensions"]), about
metadata = client.get_model_metadata("bosque", headers=headers())
assert metadata["platform"] == "onnx_onnxv1" and metadata["versions"] == ["1"], metadata
assert metadata["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 30]}], metadata
config = client.get_model_config("bosque", headers=headers())
assert config["input"][0]["data_type"] == "TYPE_FP32" and config["name"] == "bosque", config
refused("does not exist", client.get_model_metadata, "nada")

print("binary tensors, this client's default")
expected = model.expected(X=X[:64])
answer = client.infer("bosque", [tensor("X", X[:64], "FP32")], headers=headers(), request_id="pedido-7")
for name, values in expected.items():
    same(answer.as_numpy(name), values, name)
assert answer.get_response()["id"] == "pedido-7"
assert answer.get_output("probabilities")["parameters"]["binary_data_size"] == 64 * 3 * 4
assert len(answer.get_response()["parameters"]["prediction_id"].split(",")) == 64

print("JSON tensors")
wanted = [triton.InferRequestedOutput("probabilities", binary_data=False),
          triton.InferRequestedOutput("label", binary_data=True)]
answer = client.infer("bosque", [tensor("X", X[:5], "FP32", binary=False)], outputs=wanted, headers=headers())
for name, values in model.expected(X=X[:5]).items():
    same(answer.as_numpy(name), values, name)
assert [output["name"] for output in answer.get_response()["outputs"]] == ["probabilities", "label"]
assert "data" in answer.get_output("probabilities") and "data" not in answer.get_output("label")

print("a version, compressed bodies, texts")
for algorithm in ["gzip", "deflate"]:
    answer = client.infer("bosque", [tensor("X", X[:9], "FP32")], model_version="1", headers=headers(),
                          request_compression_algorithm=algorithm)
    same(answer.as_numpy("probabilities"), model.expected(X=X[:9])["probabilities"], algorithm)
expected = text_model.expected(city=city, age=age)
for binary in [True, False]:
    inputs = [tensor("city", city, "BYTES", binary), tensor("age", age, "FP32", binary)]
    answer = client.infer("ciudades", inputs, headers=headers())
    for name, values in expected.items():
        same(answer.as_numpy(name), values, f"{name}, texts {'binary' if binary else 'in JSON'}")

print("halves of an FP32")
halves = X[:4].astype(np.float16)
answer = client.infer("bosque", [tensor("X", halves, "FP16")], headers=headers())
same(answer.as_numpy("probabilities"), model.expected(X=halves.astype(np.float32))["probabilities"], "FP16")
brain = X[:4].astype(ml_dtypes.bfloat16)
answer = client.infer("bosque", [tensor("X", brain, "BF16")], headers=headers())
same(answer.as_numpy("probabilities"), model.expected(X=brain.astype(np.float32))["probabilities"], "BF16")

print("one raw body")
raw = client._post("v2/models/bosque/infer", X[:3].tobytes(), {**headers(), "Inference-Header-Content-Length": "0"},
                   None)
answer = triton.InferResult(raw, False)
same(answer.as_numpy("probabilities"), model.expected(X=X[:3])["probabilities"], "a body without JSON")

print("classification")
for binary in [True, False]:
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    answer = client.infer("bosque", [tensor("X", X[:6], "FP32")], outputs=wanted, headers=headers())
    told = answer.as_numpy("probabilities")
    assert told.shape == (6, 2), told
    for row, scores in zip(told, model.expected(X=X[:6])["probabilities"]):
        order = np.argsort(-scores, kind="stable")
        for text, place in zip(row, order):
            value, index, label = (text.decode() if isinstance(text, bytes) else text).split(":")
            assert int(index) == place and label == str(place) and abs(float(value) - scores[place]) < 1e-5, text

print("schedule policy")
answer = client.infer("bosque", [tensor("X", X[:2], "FP32")], priority=1, timeout=10_000_000, headers=headers())
same(answer.as_numpy("label"), model.expected(X=X[:2])["label"], "within its timeout")
many = np.tile(X, (100, 1))
refused("timeout of 1 µs", client.infer, "bosque", [tensor("X", many, "FP32")], timeout=1)

print("statistics")
before = client.get_inference_statistics("bosque", headers=headers())["model_stats"]
assert len(before) == 1 and before[0]["version"] == "1", before
client.infer("bosque", [tensor("X", X[:64], "FP32")], headers=headers())
after = client.get_inference_statistics("bosque", "1", headers=headers())["model_stats"][0]
assert after["inference_count"] - before[0]["inference_count"] == 64, after
assert after["execution_count"] - before[0]["execution_count"] == 1, after
assert after["inference_stats"]["success"]["ns"] > before[0]["inference_stats"]["success"]["ns"]
assert after["last_inference"] >= before[0]["last_inference"] > 1.7e12
of_64 = next(batch for batch in after["batch_stats"] if batch["batch_size"] == 64)
assert of_64["compute_infer"]["count"] == 2, after
assert {s["name"] for s in client.get_inference_statistics(headers=headers())["model_stats"]} == {"bosque", "ciudades"}
refused("does not exist", client.get_inference_statistics, "nada")

print("repository")
index = client.get_model_repository_index(headers=headers())
assert [(m["name"], m["version"], m["state"]) for m in index] == [
    ("bosque", "1", "READY"), ("ciudades", "1", "READY")], index
reader = viewer()
wait("the reader's key", lambda: call("GET", "/v2", key=reader)[0] == 200)
assert client.get_model_repository_index(headers=headers(reader)) == index
try:
    client.unload_model("bosque", headers=headers(reader))
    raise AssertionError("a reader unloaded a model")
except InferenceServerException as error:
    assert "editor" in str(error), error
client.unload_model("bosque", headers=headers())
assert not client.is_model_ready("bosque", headers=headers())
refused("unloaded", client.infer, "bosque", [tensor("X", X[:1], "FP32")])
answer = client.infer("ciudades", [tensor("city", city, "BYTES"), tensor("age", age, "FP32")], headers=headers())
same(answer.as_numpy("label"), expected["label"], "the other model, meanwhile")
index = client.get_model_repository_index(headers=headers())
assert index[0]["state"] == "UNAVAILABLE" and "unloaded" in index[0]["reason"], index
client.load_model("bosque", headers=headers())
client.load_model("bosque", headers=headers())
assert client.is_model_ready("bosque", headers=headers())
answer = client.infer("bosque", [tensor("X", X[:8], "FP32")], headers=headers())
same(answer.as_numpy("probabilities"), model.expected(X=X[:8])["probabilities"], "loaded again")
refused("does not exist", client.load_model, "nada")
refused("config", client.load_model, "bosque", config="{}")
status, audit = call("GET", "/api/v1/audit")
assert status == 200 and {"service.unload", "service.load"} <= {entry["action"] for entry in audit["items"]}, audit
print("triton_http: all held")
