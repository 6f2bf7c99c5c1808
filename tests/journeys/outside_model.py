"""A scikit-learn forest exported by skl2onnx: registered with one call, predicted by the next, the same answers."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from chasqui import KEY, Chasqui, check


def curl(*arguments):
    """The JSON that curl printed: what the README shows, word for word."""
    import json
    done = subprocess.run(["curl", "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {KEY}", *arguments],
                          capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return json.loads(done.stdout)


def infer(chasqui, service, rows):
    body = {"inputs": [{"name": "X", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}]}
    answer = chasqui.call("POST", f"/v2/models/{service}/infer", body)
    return {o["name"]: np.array(o["data"]).reshape(o["shape"]) for o in answer["outputs"]}


with Chasqui() as chasqui, tempfile.TemporaryDirectory() as folder:
    print("A scikit-learn classifier and a regressor, 100 trees each")
    X, y = make_classification(2000, 30, n_informative=12, random_state=7)
    X = X.astype(np.float32)
    forest = RandomForestClassifier(100, max_depth=10, random_state=7, n_jobs=2).fit(X, y)
    path = Path(folder, "forest.onnx")
    path.write_bytes(to_onnx(forest, X[:1], options={"zipmap": False}).SerializeToString())
    version = curl("--data-binary", f"@{path}", "-H", "Content-Type: application/octet-stream",
                   f"{chasqui.url}/api/v1/models/forest/versions")
    check(version["version"] == 1, f"one curl registered version 1, sha256 {version['sha256'][:12]}…")

    record = {f"f{i}": float(v) for i, v in enumerate(X[0])}
    import json
    chasqui.wait("the service", lambda: any(s["name"] == "forest" for s in chasqui.get("/services")["items"]))
    answer = None

    def predict():
        global answer
        try:
            answer = curl("-H", "Content-Type: application/json", "-d", json.dumps({"records": [record]}),
                          f"{chasqui.url}/api/v1/services/forest/predict")
        except AssertionError:
            return False
        return True
    chasqui.wait("the first prediction", predict, 20)
    first = answer["predictions"][0]
    expected = forest.predict_proba(X[:1])[0]
    check(int(first["label"]) == int(expected.argmax()), f"the next curl predicted it: {first}")

    outputs = infer(chasqui, "forest", X)
    gap = np.abs(outputs["probabilities"] - forest.predict_proba(X)).max()
    check(gap < 1e-5, f"probabilities of {len(X)} rows differ from scikit-learn's by {gap:.2e} at most")
    check((outputs["label"].ravel() == forest.predict(X)).all(), "every label is the same")

    X, y = make_regression(2000, 12, n_informative=8, noise=3, random_state=3)
    X = X.astype(np.float32)
    forest = RandomForestRegressor(100, max_depth=10, random_state=3, n_jobs=2).fit(X, y)
    chasqui.call("POST", "/api/v1/models/prices/versions", to_onnx(forest, X[:1]).SerializeToString(),
                 content="application/octet-stream")
    chasqui.wait("the second service", lambda: chasqui.call("GET", "/v2/models/prices")["name"], 20)
    values = list(infer(chasqui, "prices", X).values())[0].ravel()
    gap = (np.abs(values - forest.predict(X)) / np.maximum(1, np.abs(values))).max()
    check(gap < 1e-5, f"values differ from scikit-learn's by {gap:.2e} of themselves at most")
print("outside_model: all held")
