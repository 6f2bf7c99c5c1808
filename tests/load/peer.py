"""The peer of the load figure: what a careful engineer writes by hand with FastAPI and onnxruntime."""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
app = FastAPI()


@app.post("/v2/models/forest/infer")
async def infer(request: Request):
    body = await request.json()
    tensor = body["inputs"][0]
    rows = np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
    labels, probabilities = session.run(None, {name: rows})
    return {"model_name": "forest", "outputs": [
        {"name": "label", "datatype": "INT64", "shape": list(labels.shape), "data": labels.ravel().tolist()},
        {"name": "probabilities", "datatype": "FP32", "shape": list(probabilities.shape),
         "data": probabilities.ravel().tolist()}]}
