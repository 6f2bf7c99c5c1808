"""Networks in the form that PyTorch's exporter gives them, written with the helpers of `onnx`: weights transposed,
shapes computed from the batch, activations spelled out.
"""

import numpy as np
from cases import NUMBERS, extremes, without_some
from onnx import TensorProto, helper, numpy_helper

SMOOTH = [50.0, -50.0, 0.0, -0.0, 1e-45, 1e-20, 9.0]


class Graph:
    """A graph under construction: nodes in order, weights by name."""

    def __init__(self):
        self.nodes = []
        self.weights = []

    def weight(self, *shape, scale=0.5):
        return self.constant(NUMBERS.normal(size=shape) * scale, np.float32)

    def constant(self, values, kind=np.int64):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def node(self, operator, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def dense(self, x, before, after):
        weights, bias = self.weight(after, before), self.weight(after)
        return self.node("Gemm", x, weights, bias, transB=1, alpha=1.0, beta=1.0)

    def normalize(self, x, size):
        variance = self.constant(NUMBERS.uniform(0.5, 2, size), np.float32)
        parameters = [self.weight(size), self.weight(size), self.weight(size), variance]
        return self.node("BatchNormalization", x, *parameters, epsilon=1e-5, momentum=0.9)

    def rows(self, x):
        """The number of rows as a tensor of one element."""
        shape = self.node("Shape", x)
        return self.node("Gather", shape, self.constant([0]), axis=0)

    def model(self, inputs, output, shape):
        nodes = [*self.nodes, helper.make_node("Identity", [output], ["output"])]
        kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
        given = [
            helper.make_tensor_value_info(name, kinds[rows.dtype.kind], ["batch", *rows.shape[1:]])
            for name, rows in inputs.items()
        ]
        result = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", *shape])
        graph = helper.make_graph(nodes, "main_graph", given, [result], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def floats(*shape):
    return NUMBERS.normal(size=(24, *shape)).astype(np.float32)


def tables(name, x):
    return {
        "random": {name: x},
        "missing": {name: without_some(x)},
        "extreme": {name: extremes(x, SMOOTH)},
    }


def perceptron(cases):
    graph, x = Graph(), floats(6)
    hidden = graph.node("Relu", graph.dense("input", 6, 12))
    hidden = graph.node("Relu", graph.dense(hidden, 12, 8))
    output = graph.node("Softmax", graph.dense(hidden, 8, 3), axis=1)
    cases.add_tables("torch_perceptron", graph.model({"input": x}, output, [3]), tables("input", x))


def normalized(cases):
    graph, x = Graph(), floats(6)
    hidden = graph.node("LeakyRelu", graph.normalize(graph.dense("input", 6, 10), 10), alpha=0.01)
    hidden = graph.node("Elu", graph.normalize(graph.dense(hidden, 10, 10), 10), alpha=1.0)
    output = graph.node("Sigmoid", graph.dense(hidden, 10, 1))
    cases.add_tables("torch_normalized", graph.model({"input": x}, output, [1]), tables("input", x))


def activations(cases):
    graph, x = Graph(), floats(6)
    hidden = graph.dense("input", 6, 8)
    gate = graph.node("Div", hidden, graph.constant(np.sqrt(2), np.float32))
    gate = graph.node("Add", graph.node("Erf", gate), graph.constant(1, np.float32))
    hidden = graph.node("Mul", graph.node("Mul", hidden, gate), graph.constant(0.5, np.float32))
    hidden = graph.node("HardSwish", graph.dense(hidden, 8, 8))
    hidden = graph.node("Mul", hidden, graph.node("Sigmoid", hidden))
    hidden = graph.node("Softplus", graph.dense(hidden, 8, 8))
    low, high = graph.constant(0, np.float32), graph.constant(6, np.float32)
    hidden = graph.node("Clip", hidden, low, high)
    output = graph.node("Tanh", graph.dense(graph.node("PRelu", hidden, graph.weight(1)), 8, 2))
    cases.add_tables("torch_activations", graph.model({"input": x}, output, [2]), tables("input", x))


def images(cases):
    graph, x = Graph(), floats(2, 8, 8)
    hidden = graph.node(
        "Conv", "input", graph.weight(4, 2, 3, 3), graph.weight(4), kernel_shape=[3, 3], pads=[1, 1, 1, 1],
        strides=[1, 1], dilations=[1, 1], group=1)
    hidden = graph.node("Relu", graph.normalize(hidden, 4))
    hidden = graph.node("MaxPool", hidden, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    deeper = graph.node(
        "Conv", hidden, graph.weight(4, 1, 3, 3), graph.weight(4), kernel_shape=[3, 3], pads=[1, 1, 1, 1],
        group=4)
    hidden = graph.node("Relu", graph.node("Add", hidden, deeper))
    hidden = graph.node("Flatten", graph.node("GlobalAveragePool", hidden), axis=1)
    output = graph.node("LogSoftmax", graph.dense(hidden, 4, 3), axis=1)
    of = {"random": {"input": x}, "extreme": {"input": extremes(x, SMOOTH)}}
    cases.add_tables("torch_images", graph.model({"input": x}, output, [3]), of)


def signals(cases):
    graph, x = Graph(), floats(3, 16)
    hidden = graph.node(
        "Conv", "input", graph.weight(5, 3, 3), graph.weight(5), kernel_shape=[3], pads=[2, 2], dilations=[2])
    hidden = graph.node("AveragePool", graph.node("Relu", hidden), kernel_shape=[2], strides=[2])
    hidden = graph.node("ReduceMean", hidden, axes=[2], keepdims=0)
    output = graph.dense(hidden, 5, 1)
    of = {"random": {"input": x}, "extreme": {"input": extremes(x, SMOOTH)}}
    cases.add_tables("torch_signals", graph.model({"input": x}, output, [1]), of)


def recurrent(cases, operator, gates):
    graph, x = Graph(), floats(5, 3)
    size = 4
    steps = graph.node("Transpose", "input", perm=[1, 0, 2])
    shape = graph.node("Concat", graph.constant([1]), graph.rows("input"), graph.constant([size]), axis=0)
    start = graph.node("Expand", graph.constant(np.zeros((1, 1, 1)), np.float32), shape)
    weights = [graph.weight(1, gates * size, 3), graph.weight(1, gates * size, size)]
    weights.append(graph.weight(1, 2 * gates * size))
    states = [start, start] if operator == "LSTM" else [start]
    extra = {"linear_before_reset": 1} if operator == "GRU" else {}
    results = graph.node(operator, steps, *weights, "", *states, outputs=2, hidden_size=size, **extra)
    hidden = graph.node("Squeeze", results[0], graph.constant([1]))
    hidden = graph.node("Gather", hidden, graph.constant(-1), axis=0)
    output = graph.dense(hidden, size, 2)
    of = {"random": {"input": x}, "extreme": {"input": extremes(x, SMOOTH)}}
    cases.add_tables(f"torch_{operator.lower()}", graph.model({"input": x}, output, [2]), of)


def attention(cases):
    graph, x = Graph(), floats(6, 8)
    heads, width = 2, 4
    normal = graph.node("LayerNormalization", "input", graph.weight(8), graph.weight(8), axis=-1, epsilon=1e-5)
    shape = graph.node("Concat", graph.rows("input"), graph.constant([6, heads, width]), axis=0)

    def head(perm):
        projected = graph.node("Add", graph.node("MatMul", normal, graph.weight(8, 8)), graph.weight(8))
        return graph.node("Transpose", graph.node("Reshape", projected, shape), perm=perm)

    query, key, value = head([0, 2, 1, 3]), head([0, 2, 3, 1]), head([0, 2, 1, 3])
    scores = graph.node("Div", graph.node("MatMul", query, key), graph.constant(2.0, np.float32))
    mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
    mixed = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
    back = graph.node("Concat", graph.rows("input"), graph.constant([6, 8]), axis=0)
    hidden = graph.node("Add", "input", graph.node("Reshape", mixed, back))
    hidden = graph.node("ReduceMean", hidden, axes=[1], keepdims=0)
    output = graph.dense(hidden, 8, 3)
    of = {"random": {"input": x}, "extreme": {"input": extremes(x, SMOOTH)}}
    cases.add_tables("torch_attention", graph.model({"input": x}, output, [3]), of)


def embeddings(cases):
    graph = Graph()
    ids = NUMBERS.integers(0, 20, (24, 3))
    x = floats(4)
    found = graph.node("Gather", graph.weight(20, 5), "ids")
    flat = graph.node("Flatten", found, axis=1)
    hidden = graph.node("Relu", graph.dense(graph.node("Concat", flat, "input", axis=1), 19, 8))
    output = graph.node("Sigmoid", graph.dense(hidden, 8, 1))
    given = {"ids": ids, "input": x}
    of = {kind: {"ids": ids, **table} for kind, table in tables("input", x).items()}
    cases.add_tables("torch_embeddings", graph.model(given, output, [1]), of)


def autoencoder(cases):
    graph, x = Graph(), floats(6)
    code = graph.node("Tanh", graph.dense("input", 6, 3))
    back = graph.dense(code, 3, 6)
    error = graph.node("Pow", graph.node("Sub", back, "input"), graph.constant(2.0, np.float32))
    output = graph.node("ReduceMean", error, axes=[1], keepdims=1)
    cases.add_tables("torch_autoencoder", graph.model({"input": x}, output, [1]), tables("input", x))


def networks(cases):
    for family in (perceptron, normalized, activations, images, signals, attention, embeddings, autoencoder):
        family(cases)
    for operator, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        recurrent(cases, operator, gates)
