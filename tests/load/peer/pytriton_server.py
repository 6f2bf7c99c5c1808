"""The forest behind Triton's own HTTP server by PyTriton; ports and workers come as arguments."""

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


http, grpc, metrics, workers = map(int, sys.argv[1:])
# A second worker is a second function of the same kind, which runs in a process of its own.
with Triton(config=TritonConfig(http_port=http, grpc_port=grpc, metrics_port=metrics, log_verbose=0)) as triton:
    triton.bind("forest", [infer] * workers, config=ModelConfig(max_batch_size=64),
                inputs=[Tensor(name="X", dtype=np.float32, shape=(30,))],
                outputs=[Tensor(name="label", dtype=np.int64, shape=(1,)),
                         Tensor(name="probabilities", dtype=np.float32, shape=(2,))])
    triton.serve()
