"""MLflow's own scoring client and requests as MLflow's documentation shows them: the answers are scikit-learn's and
onnxruntime's, whatever form the rows come in."""

import json

import numpy as np
import requests
from mlflow.deployments import PredictionsResponse
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.utils.proto_json_utils import dump_input_data
from onnxruntime import InferenceSession

from shop import apart, churn, customers, prices
from chasqui import KEY, Chasqui, check

# The client sends what `requests` sends by default, and has no place for a key of its own.
plain_headers = requests.sessions.default_headers
requests.sessions.default_headers = lambda: {**plain_headers(), "Authorization": f"Bearer {KEY}"}


def invoke(url, data, content="application/json", **headers):
    return requests.post(url, data=data, headers={"Content-Type": content, **headers}, timeout=60)


def labels(answer):
    assert answer.status_code == 200, answer.text
    return PredictionsResponse.from_json(answer.text).get_predictions("ndarray").tolist()


with Chasqui() as chasqui:
    host, port = chasqui.url.removeprefix("http://").split(":")
    client = ScoringServerClient(host, int(port))
    client.wait_server_ready(timeout=10)
    check(bool(client.get_version()), "the client finds the server ready")

    model, onnx = churn()
    chasqui.call("POST", "/api/v1/models/churn/versions", onnx, content="application/octet-stream")
    table = customers(200, seed=9)
    expected = model.predict(table).tolist()
    print("One service: /invocations")
    answered = client.invoke(table).get_predictions("ndarray").tolist()
    check(answered == expected, f"the client's table of {len(table)} rows, gaps as bare NaN: equal to predict()")
    answer = client.invoke(table, params={"temperature": 0.1})
    check("temperature" in answer["notes"][0], f"params are taken and passed over: {answer['notes'][0]}")
    url = f"{chasqui.url}/invocations"
    check("NaN" in dump_input_data(table), "the client does write NaN")
    records = json.dumps({"dataframe_records": table.to_dict(orient="records")})
    check(labels(invoke(url, records)) == expected, "dataframe_records")
    split = json.dumps({"dataframe_split": json.loads(table.to_json(orient="split"))})
    check(labels(invoke(url, split)) == expected, "dataframe_split by pandas, gaps as null")
    columns = json.dumps({"inputs": {name: table[name].tolist() for name in table.columns}})
    check(labels(invoke(url, columns)) == expected, "inputs by columns")
    check(labels(invoke(url, json.dumps({"instances": table.values.tolist()}))) == expected, "instances as lists")
    instances = json.dumps({"instances": table.to_dict(orient="records")})
    check(labels(invoke(url, instances)) == expected, "instances as objects")
    check(labels(invoke(url, table.to_csv(index=False), "text/csv")) == expected, "CSV")
    check(labels(invoke(url, table.to_csv(), "text/csv")) == expected, "CSV with pandas' index")
    wider = table.assign(note="x")[["note", "city", "charge", "months"]]
    check(labels(invoke(url, dump_input_data(wider))) == expected, "columns in another order, and one too many")
    old = invoke(url, table.to_json(orient="split"), "application/json; format=pandas-split")
    check(labels(old) == expected, "the body of MLflow 1")

    model, onnx, X = prices()
    chasqui.call("POST", "/api/v1/models/prices/versions", onnx, content="application/octet-stream")
    expected = model.predict(X)
    session = InferenceSession(onnx, providers=["CPUExecutionProvider"])
    by_runtime = session.run(None, {session.get_inputs()[0].name: X})[0]
    print("Two services: each has its own path, and /invocations wants a name")
    answer = invoke(url, dump_input_data(X))
    check(answer.status_code == 400 and "churn`, `prices" in answer.json()["message"], answer.json()["message"])
    answer = invoke(url, dump_input_data(X), **{"X-Chasqui-Service": "prices"})
    values = PredictionsResponse.from_json(answer.text).get_predictions("ndarray", dtype="float32")
    gap = max(apart(values, expected), apart(values, by_runtime))
    check(gap < 1e-5, f"an array of {X.shape}: {gap:.1e} from scikit-learn and onnxruntime at most")
    url = f"{chasqui.url}/services/prices/invocations"
    names = [f"f{i}" for i in range(X.shape[1])]
    csv = "\n".join([",".join(names), *(",".join(map(repr, row)) for row in X.tolist())])
    matrix = session.get_inputs()[0].name
    for what, body, content in [
        ("the matrix by its input's name", json.dumps({"inputs": {matrix: X.tolist()}}), "application/json"),
        ("a table with the features' names", json.dumps({"dataframe_split": {"columns": names, "data": X.tolist()}}),
         "application/json"),
        ("CSV", csv, "text/csv"),
    ]:
        answer = invoke(url, body, content)
        check(answer.status_code == 200, f"{what}: {answer.text[:80]}")
        check(apart(answer.json()["predictions"], expected) < 1e-5, "    equal to predict()")
    for body, content, status, code in [
        ("{", "application/json", 400, "BAD_REQUEST"),
        ('{"inputs": [[1]]}', "application/json", 400, "BAD_REQUEST"),
        ('{"inputs": [], "instances": []}', "application/json", 400, "BAD_REQUEST"),
        ("x", "text/plain", 415, "BAD_REQUEST"),
    ]:
        answer = invoke(url, body, content)
        told = answer.json()
        check((answer.status_code, told["error_code"]) == (status, code), f"{status}: {told['message'][:90]}")
    logged = chasqui.get("/services/prices/log?limit=1000")["items"]
    check(len(logged) == 4 * len(X), f"all {len(logged)} predictions of the second service are in the log")
print("mlflow_scoring: all held")
