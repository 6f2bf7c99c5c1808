"""Saves the forest as MLflow's ONNX model, and becomes `mlflow models serve`; port and workers come as arguments."""

import os
import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

port, workers = sys.argv[1:]
mlflow.onnx.save_model(onnx.load(os.environ["PEER_MODEL"]), "model",
                       signature=ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 30), "X")])),
                       onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1})
os.execv(sys.executable, [sys.executable, "-m", "mlflow", "models", "serve", "-m", "model", "--env-manager", "local",
                          "--port", port, "--workers", workers])
