#!/usr/bin/env python3
"""`chasqui drift compare` beside Evidently and NannyML, and how its time and memory grow with the rows.

Two tables of 30 columns as CSV, each tool's default tests; the tools take turns, so that a machine that slows down slows
all of them. A tool's time is that of its whole process; for the peers also without starting Python and importing. Makes
the peers' environment where it is missing (tests/load/drift-requirements.txt, from PyPI):

    cargo build --release && tests/load/drift.py [--rows 100000] [--rounds 3] [--series 100000,1000000,10000000]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import python_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "drift-requirements.txt"
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


def measured(command):
    """Seconds, peak resident MiB and standard output of a command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=errors, env={**os.environ, **QUIET})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{command} ended with {process.returncode}:\n{errors.read().decode(errors='replace')[-4000:]}")
        return {"seconds": seconds, "mib": usage.ru_maxrss / 1024, "out": out.read().decode()}


def tables(python, folder, rows):
    paths = []
    for name in ("usual", "moved"):
        path = folder / f"{name}_{rows}.csv"
        subprocess.run([python, HERE / "drift_peer.py", "generate", path, str(rows), name], check=True)
        paths.append(path)
    return paths


def ours(binary, reference, current, *more):
    run = measured([binary, "drift", "compare", "--reference", reference, "--current", current, "--json", *more])
    run["answer"] = json.loads(run["out"])
    return run


def theirs(python, peer, reference, current):
    run = measured([python, HERE / "drift_peer.py", peer, reference, current])
    run["inside"] = json.loads(run["out"].strip().splitlines()[-1])["seconds"]
    return run


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def beside_the_peers(arguments, python, folder):
    reference, current = tables(python, folder, arguments.rows)
    ours(arguments.binary, reference, current)  # the files are in the cache for all from here on
    turns = {"chasqui": [], "evidently": [], "nannyml": []}
    for turn in range(arguments.rounds):
        turns["chasqui"].append(ours(arguments.binary, reference, current))
        for peer in ("evidently", "nannyml"):
            turns[peer].append(theirs(python, peer, reference, current))
        print(f"turn {turn + 1}: " + ", ".join(f"{who} {runs[-1]['seconds']:.2f} s" for who, runs in turns.items()), file=sys.stderr)
    drifted = turns["chasqui"][-1]["answer"]["verdict"]["drifted_columns"]
    print(f"\n{arguments.rows:,} × 30 rows against as many, CSV, default tests, median of {arguments.rounds} turns; "
          f"columns that drifted: {', '.join(drifted)}\n")
    print("| | time, s | without start, s | peak memory, MiB | times our time | without start |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    base = median(turns["chasqui"], "seconds")
    for who, runs in turns.items():
        whole = median(runs, "seconds")
        inside = median(runs, "inside") if "inside" in runs[0] else whole
        print(f"| {who} | {whole:.2f} | {inside:.2f} | {median(runs, 'mib'):.0f} | {whole / base:.1f} | {inside / base:.1f} |")


def series(arguments, python, folder):
    print("\n| rows a file | MB together | time, s | µs a row | peak memory, MiB | compared by |\n| ---: | ---: | ---: | ---: | ---: | --- |")
    for rows in arguments.series:
        paths = tables(python, folder, rows)
        size = sum(path.stat().st_size for path in paths) / 1e6
        # The largest files are compared once: they take long, and chance matters little there.
        runs = [ours(arguments.binary, *paths) for _ in range(arguments.rounds if rows < 5_000_000 else 1)]
        sampled = runs[-1]["answer"].get("sampled")
        by = f"a sample of {sampled['rows']:,}" if sampled and sampled["columns"] else "all rows"
        seconds = median(runs, "seconds")
        print(f"| {rows:,} | {size:,.0f} | {seconds:.2f} | {seconds / rows * 1e6:.2f} | {median(runs, 'mib'):.0f} | {by} |", flush=True)
        for path in paths:
            path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "chasqui")
    parser.add_argument("--venv", type=Path, default=ROOT / "target" / "drift-peers", help="of the peers")
    parser.add_argument("--folder", type=Path, help="for the tables (10 million rows take 6 GB); else the system's")
    parser.add_argument("--rows", type=int, default=100_000, help="beside the peers")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each tool")
    parser.add_argument("--series", type=lambda text: [int(rows) for rows in text.split(",") if rows],
                        default=[100_000, 1_000_000, 10_000_000], help="rows of the series; empty for none")
    parser.add_argument("--no-peers", action="store_true", help="only the series")
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        sys.exit(f"no binary at {arguments.binary}: cargo build --release")
    python = python_of(arguments.venv, REQUIREMENTS)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if not arguments.no_peers:
            beside_the_peers(arguments, python, Path(folder))
        if arguments.series:
            series(arguments, python, Path(folder))


if __name__ == "__main__":
    main()
