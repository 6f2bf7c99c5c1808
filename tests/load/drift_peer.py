"""What tests/load/drift.py runs in the peers' environment: makes the tables, and compares them as each peer does by default."""

import json
import sys
import time

import numpy as np
import pandas as pd

BLOCK = 100_000
BLOCKS = 10
NUMBERS, COUNTS, CATEGORIES = 20, 4, 6


def block(seed, moved, rows):
    """Rows of 20 numbers (normal, skewed, rounded, full precision), 4 counts and 6 categories; with `moved`, 3 columns drift."""
    r = np.random.default_rng(seed)
    columns = {}
    for i in range(NUMBERS):
        shift = 0.2 if moved and i in (0, 7) else 0.0
        values = r.normal(shift, 1, rows) if i % 2 == 0 else np.exp(r.normal(shift, 1, rows)) * 10
        columns[f"number_{i}"] = values if i % 5 == 4 else np.round(values, (2, 3, 4, 6)[i % 4])
    for i in range(COUNTS):
        columns[f"count_{i}"] = r.poisson(3 + 20 * i, rows)
    for i in range(CATEGORIES):
        names = np.array([f"valor {k}" for k in range(3 + 12 * i)])
        weights = 1 / np.arange(1, len(names) + 1)
        if moved and i == 2:
            weights[0] *= 2
        columns[f"category_{i}"] = names[r.choice(len(names), rows, p=weights / weights.sum())]
    return pd.DataFrame(columns)


def generate(path, rows, moved):
    """Writes a table in pieces, so that its size is not bounded by memory: ten different pieces in turn."""
    rows, moved = int(rows), moved == "moved"
    seed = 1000 if moved else 1
    texts = []
    with open(path, "w") as file:
        for start in range(0, rows, BLOCK):
            size, index = min(BLOCK, rows - start), start // BLOCK % BLOCKS
            if index == len(texts):
                texts.append(block(seed + index, moved, min(BLOCK, rows)).to_csv(index=False).split("\n", 1))
            header, text = texts[index]
            if start == 0:
                file.write(header + "\n")
            file.write(text if size == min(BLOCK, rows) else "\n".join(text.split("\n")[:size]) + "\n")


def kinds(table):
    names = list(table.columns)
    categories = [name for name in names if name.startswith("category")]
    return [name for name in names if name not in categories], categories


def evidently(reference, current):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    start = time.perf_counter()
    before, after = pd.read_csv(reference), pd.read_csv(current)
    numbers, categories = kinds(before)
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    report = Report([DataDriftPreset()]).run(
        Dataset.from_pandas(after, data_definition=definition), Dataset.from_pandas(before, data_definition=definition))
    answer = report.dict()
    return time.perf_counter() - start, len(answer["metrics"])


def nannyml(reference, current):
    import nannyml as nml

    start = time.perf_counter()
    before, after = pd.read_csv(reference), pd.read_csv(current)
    numbers, categories = kinds(before)
    calculator = nml.UnivariateDriftCalculator(column_names=numbers + categories, treat_as_categorical=categories)
    result = calculator.fit(before).calculate(after).to_df()
    return time.perf_counter() - start, len(result)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "generate":
        generate(*arguments)
    else:
        seconds, answers = {"evidently": evidently, "nannyml": nannyml}[what](*arguments)
        print(json.dumps({"seconds": seconds, "answers": answers}))
