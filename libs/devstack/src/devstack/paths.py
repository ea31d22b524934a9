"""Where the development stack keeps its files."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
"""The checkout: the folder that holds `./switchhook`."""

STATE = ROOT / ".switchhook"
"""Everything the stack writes: servers' data, logs, secrets. Not under version control."""


def cache_dir() -> Path:
    """A folder for downloads that several checkouts may share; inside the checkout when HOME cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME")
    shared = (Path(base) if base else Path.home() / ".cache") / "switchhook"
    try:
        shared.mkdir(parents=True, exist_ok=True)
        if os.access(shared, os.W_OK | os.X_OK):
            return shared
    except OSError:
        pass  # A read-only or missing HOME is ordinary in containers and CI.
    local = STATE / "cache"
    local.mkdir(parents=True, exist_ok=True)
    return local
