"""Models for the bench `onnxruntime`, and onnxruntime's own times on them.

Usage: python exported.py FOLDER
Writes MODEL.onnx and MODEL.rows (single precision, 30 columns) for each model, says "ready MODEL..." and then
answers each line "MODEL ROWS" with the microseconds of one call on ROWS rows: the best of several rounds over
rotating rows, with one thread, by the faster of a plain call and one with its tensors bound.
"""

import pathlib
import sys
import time
import warnings

import numpy as np
import onnxruntime
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

COLUMNS = 30
ROWS = 8192


def models():
    numbers = np.random.default_rng(5)
    x = numbers.normal(size=(20_000, COLUMNS)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + x[:, 3:9].sum(axis=1) / 3
    y = (score + numbers.normal(size=len(x)) > 0).astype(int)
    forest = RandomForestClassifier(100, max_depth=10, random_state=1, n_jobs=2)
    boosting = XGBClassifier(n_estimators=200, max_depth=6)
    line = make_pipeline(StandardScaler(), LogisticRegression())
    network = make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=15))
    made = {}
    for name, model in {"forest": forest, "scaler": line, "dense": network}.items():
        model.fit(x, y)
        made[name] = to_onnx(model, x[:1], options={"zipmap": False})
    boosting.fit(x, y)
    made["boosting"] = convert_xgboost(boosting, initial_types=[("X", FloatTensorType([None, COLUMNS]))])
    return made, numbers.normal(size=(ROWS, COLUMNS)).astype(np.float32)


def bound(session, batches):
    """A call for each batch with inputs and outputs bound to memory."""
    calls = []
    for batch in batches:
        binding = session.io_binding()
        binding.bind_cpu_input(session.get_inputs()[0].name, batch)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        calls.append(lambda binding=binding: session.run_with_iobinding(binding))
    return calls


def best(calls):
    found = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for call in calls:
            call()
        found = min(found, (time.perf_counter() - start) / len(calls))
    return found * 1e6


def main():
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(sys.argv[1])
    made, x = models()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    sessions = {}
    for name, model in made.items():
        data = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        (folder / f"{name}.rows").write_bytes(x.tobytes())
        sessions[name] = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    print("ready", *sessions, flush=True)
    for line in sys.stdin:
        name, rows = line.split()
        session, rows = sessions[name], int(rows)
        key = session.get_inputs()[0].name
        batches = [x[at:at + rows] for at in range(0, ROWS - rows + 1, rows)][: max(8, 2048 // rows)]
        plain = [lambda batch=batch: session.run(None, {key: batch}) for batch in batches]
        print(min(best(plain), best(bound(session, batches))), flush=True)


main()
