"""The model as the peers run it: onnxruntime on one thread, for there are as many workers as cores."""

import os

import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


def predict(rows):
    """Labels and probabilities."""
    return session.run(None, {name: rows})
