"""Environments of the peers, each made on first use and again when its requirements change."""

import hashlib
import subprocess
import sys


class CannotInstall(Exception):
    """What pip said."""


def python_of(folder, requirements):
    """The interpreter of the environment in a folder, which has what a file of requirements asks for."""
    python = folder / "bin" / "python"
    stamp = folder / f".installed-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if not stamp.exists():
        print(f"installing {requirements.stem} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements],
                             stderr=subprocess.PIPE, text=True)
        if pip.returncode:
            raise CannotInstall(pip.stderr.strip()[-600:])
        stamp.touch()
    return python
