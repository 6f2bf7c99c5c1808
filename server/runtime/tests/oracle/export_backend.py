"""Writes the test cases that the `onnx` package has for single operators, in the form the engine is asked in.

A model of the engine answers rows that do not depend on each other; the cases ask operators for whole tensors. So
each tensor is made one row: the inputs get a leading axis of size 1, which is taken off before the operator and put
back behind it. Cases come in two forms: all inputs given, and all but the first stored, as exporters store weights
and shapes. Operators of `ai.onnx.ml` take their tables as they are.

Usage: python export_backend.py FOLDER OPERATOR...
Needs numpy, onnx, skl2onnx and onnxruntime.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
from cases import TYPES, tensor
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

AXES = "axis_of_rows"


def array(value):
    """The value as an array of a type that the engine has, or None."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return None
    value = np.asarray(value)
    if value.dtype.kind in "US":
        value = value.astype(object)
    return value if value.dtype.name in TYPES else None


def element_type(value):
    return TensorProto.STRING if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype)


def one_row(value):
    return value.reshape(1, *value.shape)


class Form:
    """A case with the inputs of `given` as inputs and the others stored."""

    def __init__(self, case, inputs, outputs, given, rows):
        graph = case.model.graph
        names = [value.name for value in graph.input]
        self.old = all(each.domain or each.version < 13 for each in case.model.opset_import)
        stored, self.inputs, before, after, results = [], [], [], [], []
        if not self.old and not rows:
            stored.append(numpy_helper.from_array(np.array([0]), AXES))
        for name, value in zip(names, inputs):
            if name not in given:
                stored.append(numpy_helper.from_array(value, name))
                continue
            if rows:
                self.inputs.append((name, value))
                continue
            self.inputs.append((f"{name}_row", one_row(value)))
            before.append(self.along_rows("Squeeze", f"{name}_row", name))
        self.outputs = []
        for result, value in zip(graph.output, outputs):
            name = result.name if rows else f"{result.name}_row"
            self.outputs.append((name, value if rows else one_row(value)))
            if not rows:
                after.append(self.along_rows("Unsqueeze", result.name, name))
            results.append(helper.make_tensor_value_info(name, element_type(value), None))
        if not self.inputs:
            self.inputs.append(("unused", np.zeros((1, 1), np.float32)))
        heads = []
        for name, value in self.inputs:
            shape = [None, *value.shape[1:]]
            heads.append(helper.make_tensor_value_info(name, element_type(value), shape))
        nodes = [*before, *graph.node, *after]
        graph = helper.make_graph(nodes, "case", heads, results, [*graph.initializer, *stored])
        self.model = helper.make_model(graph, opset_imports=case.model.opset_import, ir_version=10)

    def along_rows(self, operator, before, after):
        """Takes the axis of the rows off, or puts it back; before operator set 13 the axis was an attribute."""
        if self.old:
            return helper.make_node(operator, [before], [after], axes=[0])
        return helper.make_node(operator, [before, AXES], [after])


def forms(case, inputs, outputs):
    names = [value.name for value in case.model.graph.input]
    if case.model.graph.node[0].domain == "ai.onnx.ml":
        return [Form(case, inputs, outputs, names[:1], True)]
    made = [Form(case, inputs, outputs, names, False)]
    if len(names) > 1:
        made.append(Form(case, inputs, outputs, names[:1], False))
    if case.model.graph.node[0].op_type in ("ConstantOfShape", "Range"):
        made.append(Form(case, inputs, outputs, [], False))
    return made


def main():
    warnings.filterwarnings("ignore")
    folder, wanted = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in wanted:
            continue
        inputs, outputs = case.data_sets[0]
        inputs, outputs = [array(value) for value in inputs], [array(value) for value in outputs]
        if any(value is None for value in [*inputs, *outputs]):
            continue
        for at, form in enumerate(forms(case, inputs, outputs)):
            file = f"{case.name}_{at}.onnx"
            (folder / file).write_bytes(form.model.SerializeToString())
            written.append({
                "name": case.name,
                "operator": nodes[0].op_type,
                "file": file,
                "tolerance": max(case.rtol, case.atol),
                "inputs": [tensor(name, value) for name, value in form.inputs],
                "outputs": [tensor(name, value) for name, value in form.outputs],
            })
    (folder / "cases.json").write_text(json.dumps(written))


main()
