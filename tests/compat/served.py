"""What every script starts from: the server under test, models registered with it, and onnxruntime's answers."""

import json
import os
import time
import urllib.error
import urllib.request

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

URL = os.environ["CHASQUI_URL"]
HOST = URL.removeprefix("http://")
GRPC = os.environ["CHASQUI_GRPC"]
KEY = os.environ["CHASQUI_API_KEY"]
# The metadata of gRPC has small letters.
METADATA = {"authorization": f"Bearer {KEY}"}


def call(method, path, body=None, key=KEY):
    """Status and JSON of a plain request."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, method=method, headers={
        **headers(key), "Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def headers(key=KEY):
    """New ones for every call: both HTTP clients write the length of their JSON into the headers they are given."""
    return {"Authorization": f"Bearer {key}"}


class Model:
    """A registered model beside its onnxruntime session."""

    def __init__(self, name, onnx):
        self.name = name
        content = onnx.SerializeToString()
        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        status, answer = call("POST", f"/api/v1/models/{name}/versions", content)
        assert status == 201, answer

    def expected(self, **inputs):
        """onnxruntime's outputs by name."""
        return dict(zip(self.outputs, self.session.run(None, inputs)))


def forest(name="bosque"):
    """Thirty numbers in one matrix; three classes and their probabilities out."""
    X, y = make_classification(800, 30, n_informative=12, n_classes=3, random_state=5)
    X = X.astype(np.float32)
    model = RandomForestClassifier(40, max_depth=7, random_state=5).fit(X, y)
    return Model(name, to_onnx(model, X[:1], options={"zipmap": False})), X


def cities(name="ciudades"):
    """A column of texts and a column of numbers; two classes out."""
    rng = np.random.default_rng(3)
    city = rng.choice(["Quito", "Guayaquil", "Cuenca", "Santo Domingo de los Tsáchilas"], 400)
    age = rng.normal(40, 12, 400).astype(np.float32)
    table = np.column_stack([city.astype(object), age.astype(object)])
    y = ((city == "Quito") ^ (age > 45)).astype(int)
    import pandas
    frame = pandas.DataFrame({"city": table[:, 0], "age": age})
    encode = ColumnTransformer([("city", OneHotEncoder(), ["city"]), ("age", "passthrough", ["age"])])
    model = make_pipeline(encode, LogisticRegression()).fit(frame, y)
    types = [("city", StringTensorType([None, 1])), ("age", FloatTensorType([None, 1]))]
    onnx = to_onnx(model, initial_types=types, options={"zipmap": False})
    return Model(name, onnx), city.astype(object).reshape(-1, 1), age.reshape(-1, 1)


def same(got, expected, what):
    """Equal shape, and equal to 1e-5, or to the letter for texts and whole numbers."""
    got = np.asarray(got)
    assert list(got.shape) == list(expected.shape), f"{what}: shape {got.shape}, not {expected.shape}"
    if expected.dtype.kind == "f":
        gap = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()
        assert gap < 1e-5, f"{what}: differs by {gap}"
    else:
        assert (got == expected).all(), f"{what}: {got} is not {expected}"
    print(f"  {what}: the same as onnxruntime's, shape {list(got.shape)}")


def wait(what, holds, seconds=20):
    """Asks until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.05)


def viewer():
    """A key that may ask and not change."""
    status, answer = call("POST", "/api/v1/keys", {"name": "lector", "role": "viewer"})
    assert status == 201, answer
    return answer["secret"]
