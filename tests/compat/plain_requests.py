"""`requests` and nothing else: KServe's first protocol and streams of lines, with the answers of scikit-learn."""

import gzip
import json

import numpy as np
import requests

from shop import apart, churn, customers, prices
from chasqui import KEY, Chasqui, check

session = requests.Session()
session.headers["Authorization"] = f"Bearer {KEY}"

with Chasqui() as chasqui:
    model, onnx, X = prices()
    chasqui.call("POST", "/api/v1/models/prices/versions", onnx, content="application/octet-stream")
    pipeline, onnx = churn()
    chasqui.call("POST", "/api/v1/models/churn/versions", onnx, content="application/octet-stream")

    print("KServe v1")
    check(session.get(f"{chasqui.url}/v1/models").json() == {"models": ["churn", "prices"]}, "the models")
    check(session.get(f"{chasqui.url}/v1/models/churn").json() == {"name": "churn", "ready": True}, "one is ready")
    answer = session.post(f"{chasqui.url}/v1/models/prices:predict", json={"instances": X.tolist()})
    gap = apart(answer.json()["predictions"], model.predict(X))
    check(gap < 1e-5, f"{len(X)} instances as lists: {gap:.1e} from scikit-learn at most")
    table = customers(200, seed=9)
    rows = json.loads(table.to_json(orient="records"))
    expected = pipeline.predict(table).tolist()
    url = f"{chasqui.url}/v1/models/churn:predict"
    check(session.post(url, json={"instances": rows}).json()["predictions"] == expected, "instances as objects")
    columns = {name: [row[name] for row in rows] for name in table.columns}
    check(session.post(url, json={"inputs": columns}).json()["predictions"] == expected, "inputs by columns")
    explained = session.post(f"{chasqui.url}/v1/models/churn:explain", json={"instances": rows[:1]})
    check(explained.status_code == 501, f"501: {explained.json()['error']}")
    wrong = session.post(url, json={"instances": [{**rows[0], "months": "x"}]})
    check(wrong.status_code == 400 and "`months`" in wrong.json()["error"], f"400: {wrong.json()['error']}")

    print("Lines")
    url = f"{chasqui.url}/api/v1/services/churn/predict"
    rows = rows * 10

    def sent():
        for position, row in enumerate(rows):
            yield (json.dumps(row) + "\n").encode()
            if position == 1000:
                yield b"{\n"

    answer = session.post(url, data=sent(), headers={"Content-Type": "application/x-ndjson"}, stream=True)
    lines = [json.loads(line) for line in answer.iter_lines()]
    check(len(lines) == len(rows) + 1, f"{len(lines)} lines for {len(lines)}")
    told = lines.pop(1001)
    check(told["line"] == 1002 and told["error"]["status"] == 400, f"the bad one is told: {told['error']['detail']}")
    check([line["label"] for line in lines] == expected * 10, "every other label is scikit-learn's")
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    answer = session.post(url, data=packed, headers={"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"})
    check([json.loads(line)["label"] for line in answer.text.splitlines()] == expected * 10, "the same, compressed")
    chances = [line["probabilities"]["si"] for line in lines[:200]]
    gap = np.abs(np.array(chances) - pipeline.predict_proba(table)[:, 1]).max()
    check(gap < 1e-5, f"every probability within {gap:.1e}")
print("plain_requests: all held")
