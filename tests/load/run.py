#!/usr/bin/env python3
"""The release binary beside a hand-written FastAPI + onnxruntime server, in the environment of the tests.

The quick form of tests/load/peers.py: it installs nothing. Needs `wrk` and the packages of tests/requirements.txt:

    cargo build --release && tests/load/run.py [--seconds 8] [--rounds 3] [--connections 16] [--markdown]
"""

import sys
from pathlib import Path

from peers import CATALOGUE, arguments_of, compare


def main():
    compare([CATALOGUE["fastapi"]], arguments_of(__doc__).parse_args(), lambda _: Path(sys.executable))


if __name__ == "__main__":
    main()
