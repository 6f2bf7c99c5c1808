"""The API against its own document: schemathesis asks a started server for everything that the document offers.

The server is first given what the examples of the document are about (the service `demanda`, the dataset `ventas`, a
rollout, a job, a report …), so that examples get real answers. Two things of the document are changed before it is
used: ids that only this run knows take the place of those in the examples, and objects of answers may have no member
that is not described, so that a new member is described too.

CHASQUI_CONTRACT_EXAMPLES: how many generated requests each operation gets beside the examples and edge cases.
CHASQUI_CONTRACT_SEED: which ones; printed, so that a run can be repeated.
CHASQUI_CONTRACT_DATABASE: an empty PostgreSQL database to run on; SQLite without it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import numpy as np
import referencing
from openapi_spec_validator import validate
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "journeys"))
from chasqui import KEY, Chasqui, check  # noqa: E402

EXAMPLES = os.environ.get("CHASQUI_CONTRACT_EXAMPLES", "4")
SEED = os.environ.get("CHASQUI_CONTRACT_SEED", "1")
EXAMPLE_ID = "019a1f2e-7c3d-7b11-8a22-5b1f6f1e0c44"
ONNX = "application/octet-stream"
SETTINGS = {"CHASQUI_DATABASE_URL": url} if (url := os.environ.get("CHASQUI_CONTRACT_DATABASE")) else {}


def model(seed):
    """A small regression of two columns; another one for another seed."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(50, 2)).astype(np.float32)
    y = X @ np.array([2.0, -1.0], np.float32) + 0.01 * random.normal(size=50)
    return to_onnx(LinearRegression().fit(X, y.astype(np.float32)), X[:1]).SerializeToString()


def seed(chasqui):
    """Everything that the examples are about; returns the ids that they cannot know."""
    for name in ("demanda", "borrable"):
        chasqui.post(f"/models/{name}/versions?feature_names=precio,promocion", model(1), content=ONNX)
        chasqui.wait("the service", lambda: chasqui.get(f"/services/{name}")["ready"])
    chasqui.post("/models/demanda/versions?feature_names=precio,promocion", model(2), content=ONNX)
    records = [{"precio": 1.5 + i / 10, "promocion": i % 2} for i in range(20)]
    answer = chasqui.post("/services/demanda/predict", {"records": records, "key": "tienda-7"})
    ids = {"prediction": answer["predictions"][0]["prediction_id"]}
    chasqui.post("/outcomes", [{"prediction_id": p["prediction_id"], "value": 3.0} for p in answer["predictions"]])
    table = "precio;promocion;ventas\n" + "".join(f"{i % 9},5;{i % 2};{i % 7}\n" for i in range(60))
    for name in ("ventas", "borrable"):
        chasqui.post(f"/datasets/{name}/versions", table.encode(), content="text/csv")
    declaration = (HERE / "semanal.toml").read_bytes()
    for name in ("semanal", "borrable"):
        chasqui.put(f"/pipelines/{name}", declaration, content="application/toml")
    run = chasqui.post("/pipelines/semanal/runs")
    ids["job"] = chasqui.wait_job(run["job"]["id"])["id"]
    report = chasqui.post("/services/demanda/reports")
    chasqui.wait_job(report["job"]["id"])
    ids["report"] = report["report_id"]
    chasqui.post("/models/demanda/versions?feature_names=precio,promocion", model(3), content=ONNX)
    ids["rollout"] = chasqui.post("/services/demanda/rollouts", {"version": 2, "supersede": True})["id"]
    ids["key"] = chasqui.post("/keys", {"name": "de paso", "role": "viewer"})["id"]
    return ids


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def examples(document):
    """Every example with the schema that it is an example of."""
    for path, method, operation in operations(document):
        where = f"{method.upper()} {path}"
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                yield f"{where} {parameter['name']}", parameter["schema"], parameter["example"]
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            if "example" in media:
                yield f"{where} {kind}", media["schema"], media["example"]
        for status, answer in operation["responses"].items():
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
            for media in answer.get("content", {}).values():
                told = [e["value"] for e in media.get("examples", {}).values()]
                told += [media["example"]] if "example" in media else []
                for example in told:
                    yield f"{where} {status}", media["schema"], example


def check_examples(document):
    """Every example is one of what it stands for."""
    uri = "urn:document"
    resource = referencing.Resource(contents=document, specification=referencing.jsonschema.DRAFT202012)
    registry = referencing.Registry().with_resource(uri, resource)

    def absolute(schema):
        if isinstance(schema, dict):
            return {k: uri + v if k == "$ref" and isinstance(v, str) else absolute(v) for k, v in schema.items()}
        return [absolute(v) for v in schema] if isinstance(schema, list) else schema

    count, wrong = 0, []
    for where, schema, example in examples(document):
        validator = jsonschema.Draft202012Validator(absolute(schema), registry=registry)
        count += 1
        wrong += [f"{where}: {'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(example)]
    check(not wrong, f"{count} examples are what their schemas say" + "".join("\n       " + w for w in wrong))


def make_strict(schema):
    """Objects with described members have no others."""
    if isinstance(schema, dict):
        for value in schema.values():
            make_strict(value)
        if "properties" in schema and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        for value in schema:
            make_strict(value)


def told(document):
    """The names of the schemas that answers are made of."""
    schemas, known = document["components"]["schemas"], set()
    left = [operation["responses"] for _, _, operation in operations(document)] + [document["components"]["responses"]]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
            name = str(value.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in schemas and name not in known:
                known.add(name)
                left.append(schemas[name])
        elif isinstance(value, list):
            left += value
    return known


def takes_away(path, method):
    """Whether others would miss what the operation is about."""
    return method == "delete" or path.endswith("/unload")


def prepare(document, ids):
    """The document as schemathesis gets it."""
    for path, method, operation in operations(document):
        # With this header a body is the bytes of a tensor, whatever it looks like; no JSON is wrong any more.
        operation["parameters"] = [
            p for p in operation.get("parameters", []) if p["name"] != "Inference-Header-Content-Length"]
        for parameter in operation["parameters"]:
            if parameter["in"] == "path" and parameter["name"] in ids:
                parameter["example"] = ids[parameter["name"]]
            elif takes_away(path, method) and parameter["in"] == "path" and "version" not in parameter["name"]:
                parameter["example"] = "borrable"
                if method != "delete":
                    # Nothing refuses to take the service out that others ask about, and names are learned from answers.
                    parameter["schema"] = {"type": "string", "enum": ["borrable"]}
        for answer in operation["responses"].values():
            make_strict([media.get("schema") for media in answer.get("content", {}).values()])
    for name in told(document):
        make_strict(document["components"]["schemas"][name])
    return document


def main():
    with Chasqui(**SETTINGS) as chasqui, tempfile.TemporaryDirectory() as folder:
        print("The document")
        document = chasqui.call("GET", "/api/openapi.json")
        checked_in = json.loads((HERE.parents[1] / "docs" / "openapi.json").read_text())
        check(document == checked_in, "is the one that is checked in")
        validate(document)
        check(True, f"is OpenAPI {document['openapi']} with {sum(1 for _ in operations(document))} operations")
        check_examples(document)
        ids = seed(chasqui)
        path = Path(folder, "openapi.json")
        path.write_text(json.dumps(prepare(document, ids)))
        print(f"Schemathesis, {EXAMPLES} generated requests for each operation, seed {SEED}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run",
             str(path), "--url", chasqui.url, "--max-examples", EXAMPLES, "--seed", SEED, "--no-color",
             "--header", f"Authorization: Bearer {KEY}"],
            cwd=folder, capture_output=True, text=True,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)})
        print(done.stdout[-60000:] + done.stderr[-3000:])
        log = Path(chasqui.folder, "server.log").read_text().splitlines()
        faults = [line for line in log if '"ERROR"' in line and '"chasqui' in line or "panicked" in line]
        check(not faults, "the server told of no fault of its own" + "".join("\n       " + f for f in faults[:20]))
        check(done.returncode == 0, "found no answer that the document does not promise")
        check(chasqui.call("GET", "/health/ready")["ready"], "the server is as ready as before")
        check(chasqui.get("/audit/verification")["broken_at"] is None, "the audit log is whole")


if __name__ == "__main__":
    main()
