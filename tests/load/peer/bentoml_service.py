"""The forest as a service of BentoML."""

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape

from forest import predict


@bentoml.service(workers=2, logging={"access": {"enabled": False}})
class Forest:
    @bentoml.api
    async def predict(self, rows: Annotated[np.ndarray, DType("float32"), Shape((-1, 30))]) -> dict:
        labels, probabilities = predict(rows)
        return {"label": labels.tolist(), "probabilities": probabilities.tolist()}
