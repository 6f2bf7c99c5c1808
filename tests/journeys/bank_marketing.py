"""A bank's telephone campaign, 2008 to 2010, in date order: who will subscribe a deposit?

Strong drift in time (the crisis, new call lists): the share of buyers goes from 2 % to 50 %. `duration` is left
out: it is known only after the call.
"""

import csv
import time
from datetime import date, timedelta
from itertools import groupby

from chasqui import Chasqui, check, shared_data
from replay import ENDED, Replay, as_csv, hold_still, moment, sabotaged, see_it_rolled_back

NUMERIC = ["age", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m",
           "nr.employed"]
CATEGORICAL = ["job", "marital", "education", "default", "housing", "loan", "contact"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LEARNED = 12000  # the first calls, May and June 2008
REPLAYED_EVERY = 2  # one call in two is replayed

PIPELINE = f"""
service = "deposit"

[source]
dataset = "bank"
append_predictions = true

[features]
target = "y"
task = "binary"
time = "date"
numeric = {NUMERIC}
categorical = {CATEGORICAL}

[learner]
kind = "gradient_boosting"
trees = 120
depth = 5
learning_rate = 0.08

[gates]
holdout = 0.1

[rollout]
metrics = ["errors", "latency"]
bake = {{ hold = "1s", min_requests = 50 }}
steps = [
    {{ weight = 0.1, hold = "1s", min_requests = 50 }},
    {{ weight = 0.5, hold = "1s", min_requests = 50 }},
]

[triggers]
drift = true
cooldown = "5s"
"""


def calls(folder):
    """Every call with a date: the file gives months in order of time, the calls of a month are spread over it."""
    name = folder / "bank-additional-full.csv"
    rows = list(csv.DictReader(open(name)))
    year, month, made = 2008, 5, []
    for label, of_month in groupby(rows, key=lambda r: r["month"]):
        of_month = list(of_month)
        number = MONTHS.index(label) + 1
        if number < month:
            year += 1
        month = number
        first = date(year, month, 1)
        length = ((first + timedelta(32)).replace(day=1) - first).days
        for i, row in enumerate(of_month):
            row["date"] = (first + timedelta(i * length // len(of_month))).isoformat()
            row["n"] = len(made)
            made.append(row)
    return made


def auc(pairs):
    """The chance that a buyer has the higher score, ties half."""
    ranked = sorted(pairs)
    ranks, i = 0.0, 0
    while i < len(ranked):
        j = i
        while j < len(ranked) and ranked[j][0] == ranked[i][0]:
            j += 1
        ranks += sum(1 for k in range(i, j) if ranked[k][1]) * (i + j + 1) / 2
        i = j
    positive = sum(1 for _, y in ranked if y)
    negative = len(ranked) - positive
    return (ranks - positive * (positive + 1) / 2) / (positive * negative) if positive and negative else float("nan")


def main():
    rows = calls(shared_data("bank-marketing"))
    past, live = rows[:LEARNED], rows[LEARNED::REPLAYED_EVERY]
    known = [{k: r[k] for k in ["date", *NUMERIC, *CATEGORICAL, "y"]} for r in past]
    for row in live:
        for name in NUMERIC:
            row[name] = float(row[name])
    print(f"{len(past)} calls to learn from, {len(live)} to replay")
    with Chasqui() as chasqui:
        chasqui.post("/datasets/bank/versions", as_csv(known), content="text/csv")
        chasqui.put("/pipelines/deposit", PIPELINE.encode(), content="application/toml")
        job = chasqui.wait_job(chasqui.post("/pipelines/deposit/runs")["job"]["id"])
        check(job["state"] == "succeeded", "the first version was trained and registered")
        print(f"    held-out metrics {chasqui.get('/models/deposit/versions/1')['metrics']}")
        service = chasqui.get("/services/deposit")["config"]
        chasqui.put("/services/deposit", {**service, "monitor": {
            **service["monitor"], "window_seconds": 7 * 86400, "min_rows": 100}})

        replay = Replay(chasqui, "deposit", NUMERIC + CATEGORICAL, "n")
        found, months, ended = None, {}, {}
        for day, of_day in groupby(live, key=lambda r: r["date"]):
            of_day = list(of_day)
            replay.tell_outcomes(day)
            replay.let_jobs_end()  # a run takes minutes of a real night, never months of calls
            for row, said in zip(of_day, replay.predict(of_day, day, lambda r: {"label": r["y"]})):
                months.setdefault(day[:7], {}).setdefault(said["version"], []).append((said["probabilities"]["yes"], row["y"] == "yes"))
            if not found and (verdicts := replay.drifted()):
                found = verdicts[0]
                columns = [(f["name"], round(f["statistic"], 3)) for f in found["verdict"]["features"] if f["drifted"]]
                print(f"  drift found in the week that ended {moment(found['window_end'])}, replaying {day}: {columns}")
            if (rollout := replay.rollout()) and rollout["status"] not in ENDED:
                time.sleep(0.3)  # its steps hold for a second: days, beside the pace of this replay
            elif rollout and rollout["id"] not in ended:
                ended[rollout["id"]] = rollout["status"]
                print(f"  {day}: version {rollout['canary_version']} {rollout['status']}")

        check(found is not None, "drift was found")
        runs = [r for r in chasqui.get("/pipelines/deposit/runs?limit=1000")["items"] if r["gate"]]
        for run in sorted(runs, key=lambda r: r["created_at"]):
            print(f"    gate of version {run['version']}: {run['gate']}")
        check("succeeded" in ended.values(), "a retrained version was promoted by its canary")
        for month, by_version in sorted(months.items()):
            print(f"    {month} " + ", ".join(f"version {v}: AUC {auc(p):.3f}, log loss {log_loss(p):.3f} ({len(p)})"
                                              for v, p in sorted(by_version.items())))

        hold_still(chasqui, replay, "deposit", PIPELINE)
        print("A sabotaged candidate: it fails from the third call to the same person on")
        serving = chasqui.get("/models/deposit/aliases/champion")["version"]
        champion = chasqui.get(f"/models/deposit/versions/{serving}")
        send = ((lambda part=live[i:i + 100]: replay.predict(part, part[0]["date"], lambda r: {"label": r["y"]}))
                for i in range(0, len(live), 100))
        see_it_rolled_back(chasqui, replay, "deposit", sabotaged(champion["signature"], "campaign", 3, champion["signature"]["classes"]),
                           {"steps": [{"weight": 0.2, "hold": "30s", "min_requests": 500}],
                            "metrics": ["errors", "latency"]}, send)
        check(chasqui.get("/models/deposit/aliases/champion")["version"] == serving, "the champion still serves")
    print("bank_marketing: all held")


def log_loss(pairs):
    from math import log
    return -sum(log(max(p, 1e-9)) if y else log(max(1 - p, 1e-9)) for p, y in pairs) / len(pairs)


main()
