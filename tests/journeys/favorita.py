"""A supermarket chain's real days: train on the past, replay 2016 as traffic, find the April earthquake, recover.

Data: daily transactions of the 54 stores of Corporación Favorita (Ecuador), 2013 to 2017. The earthquake of
16 April 2016 (magnitude 7.8, Manabí) changed how the stores of the coast sold beside the rest of the chain.
"""

import time
from datetime import date
from itertools import groupby

import favorita_data
from chasqui import Chasqui, check, shared_data
from replay import ENDED, Replay, as_csv, hold_still, moment, sabotaged, see_it_rolled_back

TRAIN_FROM, LIVE_FROM, LIVE_UNTIL = "2013-03-01", "2016-02-16", "2016-07-31"
FEATURES = favorita_data.NUMERIC + favorita_data.CATEGORICAL

PIPELINE = f"""
service = "transactions"

[source]
dataset = "favorita"
append_predictions = true

[features]
target = "transactions"
task = "regression"
time = "date"
numeric = {favorita_data.NUMERIC}
categorical = {favorita_data.CATEGORICAL}

[learner]
kind = "gradient_boosting"
trees = 150
depth = 6
learning_rate = 0.08

[gates]
holdout = 0.03

[rollout]
on_undecided = "rollout"
metrics = ["errors", "latency"]
bake = {{ hold = "1s", min_requests = 50 }}
steps = [
    {{ weight = 0.1, hold = "1s", min_requests = 100 }},
    {{ weight = 0.5, hold = "1s", min_requests = 100 }},
]

[triggers]
drift = true
cooldown = "1s"
"""
# The calendar moves every week by nature, and the same 54 stores come back each day with the same size: neither
# says that anything changed.
IGNORED = ["day_of_week", "day_of_month", "month", "payday", "holiday", "last_week", "last_two_weeks", "mean_28",
           "store", "city", "type"]


def main():
    rows = favorita_data.rows(shared_data("favorita"))
    past = [r for r in rows if TRAIN_FROM <= r["date"] < LIVE_FROM]
    live = [r for r in rows if LIVE_FROM <= r["date"] <= LIVE_UNTIL]
    days = [(day, list(of_day)) for day, of_day in groupby(live, key=lambda r: r["date"])]
    print(f"{len(past)} store-days to learn from, {len(live)} to replay")
    with Chasqui() as chasqui:
        chasqui.post("/datasets/favorita/versions", as_csv(past), content="text/csv")
        chasqui.put("/pipelines/transactions", PIPELINE.encode(), content="application/toml")
        job = chasqui.wait_job(chasqui.post("/pipelines/transactions/runs")["job"]["id"])
        check(job["state"] == "succeeded", "the first version was trained and registered")
        first = chasqui.get("/models/transactions/versions/1")
        print(f"    held-out metrics {first['metrics']}")
        service = chasqui.get("/services/transactions")["config"]
        chasqui.put("/services/transactions", {**service, "key_field": "store", "monitor": {
            **service["monitor"], "window_seconds": 7 * 86400, "min_rows": 100, "ignore": IGNORED}})

        replay = Replay(chasqui, "transactions", FEATURES, "store")
        found, promoted, weeks = None, None, {}
        for day, of_day in days:
            replay.tell_outcomes(day)
            if not found and date.fromisoformat(day).isoweekday() == 5:  # weeks of monitoring end with Wednesday
                replay.let_the_week_be_judged(day)
            for row, said in zip(of_day, replay.predict(of_day, day, lambda r: {"value": r["transactions"]})):
                week = weeks.setdefault(date.fromisoformat(day).strftime("%G-W%V"), {})
                week.setdefault(said["version"], []).append(abs(said["value"] - row["transactions"]))
            if not found and (verdicts := replay.drifted()):
                found = verdicts[0]
                columns = [(f["name"], round(f["statistic"], 3)) for f in found["verdict"]["features"] if f["drifted"]]
                print(f"  drift found in the week that ended {moment(found['window_end'])}, replaying {day}: {columns}")
                replay.let_jobs_end()
            if found and not promoted:
                time.sleep(0.3)
            if found and not promoted and (rollout := replay.rollout()) and rollout["status"] in ENDED:
                promoted = rollout
                print(f"  {rollout['status']} on {day}: {replay.by_version}")

        check(found is not None, "drift was found")
        ended = date.fromisoformat(moment(found["window_end"]))
        check(date(2016, 4, 16) <= ended <= date(2016, 5, 3), f"in the week of the earthquake or the next ({ended})")
        runs = chasqui.get("/pipelines/transactions/runs")["items"]
        gate = next(r["gate"] for r in runs if r["gate"])
        print(f"    gate: {gate}")
        check(promoted and promoted["status"] == "succeeded", "the retrained version was promoted by its canary")
        for week, by_version in sorted(weeks.items()):
            print(f"    {week} mean absolute error " + ", ".join(
                f"version {v}: {sum(e) / len(e):.1f} ({len(e)})" for v, e in sorted(by_version.items())))

        hold_still(chasqui, replay, "transactions", PIPELINE)
        print("A sabotaged candidate: its table ends at the 14th of the month")
        signature = chasqui.get("/models/transactions/versions/2")["signature"]
        replayed = iter(days)
        see_it_rolled_back(
            chasqui, replay, "transactions", sabotaged(signature, "day_of_month", 15),
            {"steps": [{"weight": 0.2, "hold": "30s", "min_requests": 500}], "metrics": ["errors", "latency"]},
            ((lambda d=d, r=r: replay.predict(r, d, lambda x: {"value": x["transactions"]})) for d, r in replayed))
        champion = chasqui.get("/models/transactions/aliases/champion")["version"]
        check(champion == 2, "version 2 still serves")
        report = chasqui.post("/services/transactions/reports")
        check(chasqui.wait_job(report["job"]["id"])["state"] == "succeeded", "the report is written")
    print("favorita: all held")


main()
