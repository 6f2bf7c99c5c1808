"""What both journeys do with a service: replay history as traffic, send outcomes late, follow a rollout."""

import csv
import io
import time
from datetime import datetime, timezone

import onnx
from onnx import TensorProto, helper

from chasqui import check

ENDED = ("rolled_back", "succeeded", "failed", "superseded")


def as_csv(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def instant(day):
    """Noon in Guayaquil of an ISO date, as RFC 3339."""
    return f"{day}T12:00:00-05:00"


class Replay:
    """History sent to a service in order of time."""

    def __init__(self, chasqui, service, features, key):
        self.chasqui, self.service, self.features, self.key = chasqui, service, features, key
        self.sent = 0
        self.by_version = {}
        self.waiting = []

    def predict(self, rows, day, truth):
        """Sends rows of one day, one request each so that routing is by key; remembers what to tell later."""
        for row in rows:
            answer = self.chasqui.post(f"/services/{self.service}/predict", {
                "records": [{f: row[f] for f in self.features}], "key": str(row[self.key]), "at": instant(day)})
            said = answer["predictions"][0]
            version = said["version"]
            self.by_version[version] = self.by_version.get(version, 0) + 1
            self.sent += 1
            self.waiting.append((said, truth(row), day))
        return [w[0] for w in self.waiting[-len(rows):]]

    def tell_outcomes(self, until_day, **shape):
        """Outcomes of every day before `until_day`, as they come in the day after."""
        due = [w for w in self.waiting if w[2] < until_day]
        self.waiting = [w for w in self.waiting if w[2] >= until_day]
        for i in range(0, len(due), 1000):
            self.chasqui.post("/outcomes", [
                {"prediction_id": said["prediction_id"], **truth, "occurred_at": instant(day)}
                for said, truth, day in due[i:i + 1000]])
        return len(due)

    def rollout(self):
        """The newest rollout of the service, or nothing."""
        items = self.chasqui.get(f"/services/{self.service}/rollouts")["items"]
        return max(items, key=lambda r: r["created_at"]) if items else None

    def let_the_week_be_judged(self, day, seconds=6):
        """Waits until the weeks that ended before `day` have their verdicts, as they would have in a real night."""
        latest = int(datetime.fromisoformat(instant(day)).timestamp() * 1e6) - 8 * 86400 * 10**6
        for _ in range(seconds * 5):
            items = self.chasqui.get(f"/services/{self.service}/drift?limit=1")["items"]
            if items and items[0]["window_end"] > latest:
                return
            time.sleep(0.2)

    def let_jobs_end(self, seconds=60):
        """Waits until nothing is queued or at work."""
        for _ in range(seconds * 5):
            jobs = self.chasqui.get("/jobs?limit=20")["items"]
            if all(j["state"] not in ("queued", "running") for j in jobs):
                return
            time.sleep(0.2)

    def drifted(self):
        """Verdicts that found drift, oldest first."""
        found = [v for v in self.chasqui.get(f"/services/{self.service}/drift?limit=1000")["items"] if v["drifted"]]
        return sorted(found, key=lambda v: v["window_end"])


def hold_still(chasqui, replay, pipeline, declaration):
    """From here on no drift starts a run, and no rollout is under way: what follows is about one rollout alone."""
    chasqui.put(f"/pipelines/{pipeline}", declaration.replace("drift = true", "drift = false").encode(),
                content="application/toml")
    replay.let_jobs_end()
    rollout = replay.rollout()
    if rollout and rollout["status"] not in ENDED:
        chasqui.post(f"/rollouts/{rollout['id']}/abort", {"reason": "the journey goes on"})
        chasqui.wait("the end of the rollout", lambda: replay.rollout()["status"] in ENDED, 20)


def moment(micros):
    return datetime.fromtimestamp(micros / 1e6, timezone.utc).date().isoformat()


def sabotaged(signature, feature, rows_known, classes=()):
    """A candidate with a common fault: its table of levels was cut short, so that it fails for some inputs.

    It looks `feature` up in `rows_known` learned values; a larger one is out of range. With `classes`, it
    answers as a classifier. Its inputs are those of `signature`, so that nothing can tell before it runs.
    """
    kinds = {"FP32": TensorProto.FLOAT, "BYTES": TensorProto.STRING, "INT64": TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(i["name"], kinds[i["datatype"]], [None, 1]) for i in signature["inputs"]]
    nodes = [helper.make_node("Cast", [feature], ["index"], to=TensorProto.INT64),
             helper.make_node("Reshape", ["index", "flat"], ["row"]),
             helper.make_node("Gather", ["table", "row"], ["score"], axis=0)]
    table = [(-1.0 if classes else 1500.0) + 0.1 * i for i in range(rows_known)]
    tensors = [helper.make_tensor("table", TensorProto.FLOAT, [rows_known, 1], table),
               helper.make_tensor("flat", TensorProto.INT64, [1], [-1])]
    if classes:
        nodes.append(helper.make_node(
            "LinearClassifier", ["score"], ["label", "probabilities"], domain="ai.onnx.ml", coefficients=[-1.0, 1.0],
            intercepts=[0.0, 0.0], classlabels_strings=list(classes), post_transform="SOFTMAX"))
        outputs = [helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
                   helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(classes)])]
    else:
        nodes.append(helper.make_node("Identity", ["score"], ["variable"]))
        outputs = [helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph(nodes, "sabotaged", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def see_it_rolled_back(chasqui, replay, model, bytes_, plan, traffic):
    """Registers a bad candidate, rolls it out, sends `traffic()` until the rollout ended; it must be rolled back."""
    version = chasqui.call("POST", f"/api/v1/models/{model}/versions", bytes_, content="application/octet-stream")["version"]
    rollout = chasqui.post(f"/services/{replay.service}/rollouts", {"version": version, **plan})
    before = replay.sent
    for send in traffic:
        send()
        state = chasqui.get(f"/rollouts/{rollout['id']}")
        if state["status"] in ENDED:
            break
    def ended():
        now = chasqui.get(f"/rollouts/{rollout['id']}")
        return now if now["status"] in ENDED else None

    state = chasqui.wait("the end of the rollout", ended, 20)
    check(state["status"] == "rolled_back",
          f"version {version}, which fails for some inputs, was rolled back after {replay.sent - before} requests, "
          f"every one of them answered")
    return version
