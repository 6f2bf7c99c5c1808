"""The forest behind Triton's own HTTP server by PyTriton; its ports come as arguments."""

import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from forest import predict


@batch
def infer(X):
    labels, probabilities = predict(X)
    return {"label": labels[:, None], "probabilities": probabilities}


http, grpc, metrics = map(int, sys.argv[1:])
# One process of Python: a second one gains nothing, for Triton puts waiting requests into one batch.
with Triton(config=TritonConfig(http_port=http, grpc_port=grpc, metrics_port=metrics, log_verbose=0)) as triton:
    triton.bind("forest", infer, config=ModelConfig(max_batch_size=64),
                inputs=[Tensor(name="X", dtype=np.float32, shape=(30,))],
                outputs=[Tensor(name="label", dtype=np.int64, shape=(1,)),
                         Tensor(name="probabilities", dtype=np.float32, shape=(2,))])
    triton.serve()
