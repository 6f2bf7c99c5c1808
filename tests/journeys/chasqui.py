"""A started `chasqui` and a plain HTTP client for it; the standard library alone."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "journey-admin-key-of-32-characters"


def shared_data(name: str) -> Path:
    """The folder of real data, or the end of the journey, said aloud, where it is absent."""
    folder = ROOT.parent / "shared" / "data" / name
    if not folder.is_dir():
        print(f"SKIPPED: {name} needs the folder shared/data beside the project")
        sys.exit(0)
    return folder


def binary() -> str:
    """The binary under test: $CHASQUI_BIN, else the newest build in the target folder."""
    if found := os.environ.get("CHASQUI_BIN"):
        return found
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [p for kind in ("release", "debug") if (p := target / kind / "chasqui").exists()]
    if not built:
        sys.exit("build it first: cargo build --release")
    return str(max(built, key=lambda p: p.stat().st_mtime))


class Problem(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:600]}")
        self.status = status
        self.body = body


class Chasqui:
    """One server on a fresh folder; a context manager."""

    def __init__(self, grpc="off", **settings):
        self.folder = tempfile.mkdtemp(prefix="chasqui-journey-")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(Path(self.folder, "server.log"), "wb")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CHASQUI_")}
        self.environment = {**inherited, "CHASQUI_ADMIN_KEY": KEY, **settings}
        self.command = [binary(), "serve", "--data-dir", f"{self.folder}/data", "--listen", f"127.0.0.1:{port}",
                        "--grpc-listen", grpc]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        for _ in range(300):
            try:
                self.call("GET", "/health/ready")
                return self
            except (OSError, Problem):
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.process.kill()
        sys.exit("the server did not become ready:\n" + Path(self.folder, "server.log").read_text()[-3000:])

    def __exit__(self, kind, *_):
        self.stop()
        self.log.close()
        if kind is not None and kind is not SystemExit:
            print(Path(self.folder, "server.log").read_text()[-4000:], file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None, raw=False, content="application/json"):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {KEY}")
        if data is not None:
            request.add_header("Content-Type", content)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return text if raw else json.loads(text or b"null")
        except urllib.error.HTTPError as error:
            raise Problem(error.code, error.read().decode(errors="replace")) from None

    def get(self, path):
        return self.call("GET", "/api/v1" + path)

    def post(self, path, body=None, **rest):
        return self.call("POST", "/api/v1" + path, body if body is not None else {}, **rest)

    def put(self, path, body, **rest):
        return self.call("PUT", "/api/v1" + path, body, **rest)

    def wait_job(self, job_id, seconds=300):
        """The finished job's row; progress goes to the terminal as it changes."""
        said = None
        for _ in range(seconds * 5):
            job = self.get(f"/jobs/{job_id}")
            if job["message"] != said:
                said = job["message"]
                print(f"    {job['kind']} {job['progress']:.0%} {said}", flush=True)
            if job["state"] in ("succeeded", "failed", "cancelled"):
                return job
            time.sleep(0.2)
        raise TimeoutError(f"job {job_id} is still {job['state']} after {seconds} s")

    def wait(self, what, probe, seconds=120):
        """What `probe` returns, once it is true."""
        for _ in range(seconds * 5):
            if found := probe():
                return found
            time.sleep(0.2)
        raise TimeoutError(f"waited {seconds} s for {what}")


def check(holds, sentence):
    """Says what was seen; ends the journey when it does not hold."""
    print(("  ok   " if holds else "  FAIL ") + sentence, flush=True)
    if not holds:
        raise AssertionError(sentence)
