"""A store's day from the Favorita chain as one row: calendar, place, and how it sold lately."""

import csv
from collections import defaultdict
from datetime import date, datetime, timedelta
from statistics import median

NUMERIC = ["day_of_week", "day_of_month", "month", "payday", "holiday", "last_week", "last_two_weeks", "mean_28", "trend"]
CATEGORICAL = ["store", "city", "type"]


def rows(folder):
    """Every (store, day) that has four weeks behind it, in order of time."""
    places = {r["store_nbr"]: r for r in csv.DictReader(open(folder / "stores.csv"))}
    holidays = defaultdict(set)
    for r in csv.DictReader(open(folder / "holidays_events.csv")):
        if r["type"] in ("Holiday", "Transfer", "Additional", "Bridge") and r["transferred"].upper() != "TRUE":
            holidays[datetime.strptime(r["date"], "%m/%d/%y").date()].add(r["locale_name"])
    sold = defaultdict(dict)
    for r in csv.DictReader(open(folder / "transactions.csv")):
        sold[r["store_nbr"]][date.fromisoformat(r["date"])] = int(r["transactions"])

    made = []
    for store, days in sold.items():
        place = places[store]
        for day, count in sorted(days.items()):
            past = [days.get(day - timedelta(k)) for k in range(1, 29)]
            known = [p for p in past if p is not None]
            if len(known) < 21 or past[6] is None or past[13] is None:
                continue
            mean = sum(known) / len(known)
            week = [p for p in past[:7] if p is not None]
            names = {"Ecuador", place["city"], place["state"]}
            made.append({
                "date": day.isoformat(), "store": int(store), "city": place["city"], "type": place["type"],
                "day_of_week": day.isoweekday(), "day_of_month": day.day, "month": day.month,
                "payday": int(day.day in (15, 16) or (day + timedelta(1)).month != day.month or day.day == 1),
                "holiday": int(bool(holidays[day] & names)),
                "last_week": past[6], "last_two_weeks": past[13], "mean_28": round(mean, 2),
                "trend": round(sum(week) / len(week) / mean, 4),
                "transactions": count,
            })
    # How a store's last week went beside the whole chain's: what moves all stores at once (December, a
    # bridge day) cancels, what happens to some of them stays.
    chain = defaultdict(list)
    for row in made:
        chain[row["date"]].append(row["trend"])
    for row in made:
        row["trend"] = round(row["trend"] / median(chain[row["date"]]), 4)
    made.sort(key=lambda r: (r["date"], r["store"]))
    return made
