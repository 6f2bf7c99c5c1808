"""Models, inputs and the answers of onnxruntime, written into a folder for the tests in Rust.

Needs numpy, skl2onnx and onnxruntime.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import onnxruntime
from skl2onnx.common import _container as container

warnings.filterwarnings("ignore")


def without_booleans(make_node):
    """skl2onnx writes numpy integers and booleans into lists, which newer versions of onnx refuse."""

    def make(*arguments, **attributes):
        for key, value in attributes.items():
            if isinstance(value, list):
                whole = (bool, np.bool_, np.integer)
                attributes[key] = [int(each) if isinstance(each, whole) else each for each in value]
        return make_node(*arguments, **attributes)

    return make


container.make_node = without_booleans(container.make_node)
TYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "int64": "INT64",
    "int32": "INT32",
    "bool": "BOOL",
    "object": "BYTES",
    "float16": "FP16",
    "int8": "INT8",
    "int16": "INT16",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
}
NUMBERS = np.random.default_rng(17)


def tensor(name, array):
    array = np.asarray(array)
    if array.dtype.kind in "US":
        array = array.astype(object)
    kind = TYPES[array.dtype.name]
    flat = array.reshape(-1)
    if array.dtype.kind == "f":
        data = [None if np.isnan(x) else str(x) if np.isinf(x) else float(x) for x in flat]
    else:
        data = flat.tolist()
    return {"name": name, "datatype": kind, "shape": list(array.shape), "data": data}


def table(value, classes):
    """A list of maps as the table of its values."""
    if isinstance(value, list):
        keys = classes if classes is not None else list(value[0])
        return np.array([[row[key] for key in keys] for row in value], dtype=np.float32)
    return value


class Cases:
    def __init__(self, folder):
        self.folder = folder
        self.cases = []

    def add(self, name, model, inputs, classes=None, task=None):
        """One case, inputs by name."""
        self.add_tables(name, model, {"": inputs}, classes, task)

    def add_tables(self, name, model, tables, classes=None, task=None):
        """A case for each of the tables, which are inputs by name."""
        data = model.SerializeToString()
        # One thread: with more, onnxruntime sums trees in another order for batches, and ties fall otherwise.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        order = [i.name for i in session.get_inputs()]
        (self.folder / f"{name}.onnx").write_bytes(data)
        for kind, inputs in tables.items():
            answers = session.run(names, inputs)
            self.cases.append({
                "name": f"{name} {kind}".strip(),
                "file": f"{name}.onnx",
                "task": task,
                "classes": None if classes is None else [str(c) for c in classes],
                "inputs": [tensor(n, inputs[n]) for n in order],
                "outputs": [tensor(n, table(a, classes)) for n, a in zip(names, answers)],
            })

    def write(self):
        (self.folder / "cases.json").write_text(json.dumps(self.cases))


def data(rows=400, columns=8, classes=2, missing=False):
    x = NUMBERS.normal(size=(rows, columns)).astype(np.float32)
    score = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - np.abs(x[:, 3]) + 0.3 * NUMBERS.normal(size=rows)
    edges = np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])
    y = np.searchsorted(edges, score)
    if missing:
        x[NUMBERS.random(x.shape) < 0.1] = np.nan
    return x, y, score


def without_some(x, share=0.3):
    """The rows with cells missing here and there, everywhere in the last one."""
    x = x.copy()
    x[NUMBERS.random(x.shape) < share] = np.nan
    x[-1] = np.nan
    return x


def extremes(x, values):
    """The rows with a third of their cells replaced by some of the values."""
    x = x.copy()
    chosen = NUMBERS.random(x.shape) < 0.35
    x[chosen] = NUMBERS.choice(np.array(values, dtype=x.dtype), chosen.sum())
    return x


def write(*families):
    """Calls the families with the cases of the folder that the command line names, and writes them."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = Cases(folder)
    for family in families:
        family(cases)
    cases.write()
