"""The kserve client: REST with JSON and with binary tensors, gRPC with typed and with raw ones."""

import asyncio

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferOutput, InferRequest, RESTConfig
from kserve.constants.constants import PredictorProtocol
from kserve.protocol.infer_type import RequestedOutput

from served import GRPC, METADATA, URL, cities, forest, headers, same

model, X = forest()
text_model, city, age = cities()


def numbers(rows, binary):
    """An input as this client makes it."""
    given = InferInput("X", list(rows.shape), "FP32")
    given.set_data_from_numpy(rows, binary_data=binary)
    return given


def texts(binary):
    """Two inputs, one of them texts."""
    given = [InferInput("city", list(city.shape), "BYTES"), InferInput("age", list(age.shape), "FP32")]
    given[0].set_data_from_numpy(city, binary_data=binary)
    given[1].set_data_from_numpy(age, binary_data=binary)
    return given


def output(response, name):
    """An output's values."""
    found = next(output for output in response.outputs if output.name == name)
    assert isinstance(found, InferOutput)
    return found.as_numpy()


async def rest():
    client = InferenceRESTClient(RESTConfig(protocol=PredictorProtocol.REST_V2))
    assert await client.is_server_live(URL, headers=headers())
    assert await client.is_server_ready(URL, headers=headers())
    assert await client.is_model_ready(URL, "bosque", headers=headers())
    for binary in [False, True]:
        request = InferRequest(model_name="bosque", infer_inputs=[numbers(X[:16], binary)], request_id="17")
        response = await client.infer(URL, request, model_name="bosque", headers=headers())
        assert response.id == "17", response
        for name, values in model.expected(X=X[:16]).items():
            same(output(response, name), values, f"REST {name}, {'binary' if binary else 'JSON'}")
        request = InferRequest(model_name="ciudades", infer_inputs=texts(binary))
        response = await client.infer(URL, request, model_name="ciudades", headers=headers())
        for name, values in text_model.expected(city=city, age=age).items():
            same(output(response, name), values, f"REST {name}, texts, {'binary' if binary else 'JSON'}")
    wanted = [RequestedOutput("probabilities", {"binary_data": True})]
    request = InferRequest(model_name="bosque", infer_inputs=[numbers(X[:4], False)], request_outputs=wanted)
    response = await client.infer(URL, request, model_name="bosque", headers=headers())
    same(output(response, "probabilities"), model.expected(X=X[:4])["probabilities"], "JSON in, binary out")
    await client.close()


async def grpc():
    client = InferenceGRPCClient(GRPC)
    metadata = list(METADATA.items())
    assert await client.is_server_live(headers=metadata) and await client.is_server_ready(headers=metadata)
    assert await client.is_model_ready("bosque", headers=metadata)
    for binary in [False, True]:
        request = InferRequest(model_name="bosque", infer_inputs=[numbers(X[:16], binary)], request_id="17")
        response = await client.infer(request, headers=metadata)
        assert response.id == "17", response
        for name, values in model.expected(X=X[:16]).items():
            same(output(response, name), values, f"gRPC {name}, {'raw' if binary else 'typed'}")
        request = InferRequest(model_name="ciudades", infer_inputs=texts(binary))
        response = await client.infer(request, headers=metadata)
        for name, values in text_model.expected(city=city, age=age).items():
            same(output(response, name), values, f"gRPC {name}, texts, {'raw' if binary else 'typed'}")
    await client.close()


asyncio.run(rest())
asyncio.run(grpc())
print("kserve_client: all held")
