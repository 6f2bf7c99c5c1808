"""What a careful engineer writes by hand with FastAPI and onnxruntime."""

import numpy as np
from fastapi import FastAPI, Request

from forest import predict

app = FastAPI()


@app.post("/v2/models/forest/infer")
async def infer(request: Request):
    body = await request.json()
    tensor = body["inputs"][0]
    rows = np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
    labels, probabilities = predict(rows)
    return {"model_name": "forest", "outputs": [
        {"name": "label", "datatype": "INT64", "shape": list(labels.shape), "data": labels.ravel().tolist()},
        {"name": "probabilities", "datatype": "FP32", "shape": list(probabilities.shape),
         "data": probabilities.ravel().tolist()}]}
