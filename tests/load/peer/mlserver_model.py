"""The forest as a model of MLServer."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from forest import predict


class Forest(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        labels, probabilities = predict(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[
            NumpyCodec.encode_output("label", labels), NumpyCodec.encode_output("probabilities", probabilities)])
