import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLIENTS = {
    "aiohttp",
    "httpx",
    "httpx_aiohttp",
    "httpcore",
    "requests",
    "urllib3",
    "urllib.request",
    "http.client",
    "pyreqwest",
}
MAY = {"guarded_http.py", "resolver.py"}
"""Files of servicekit that are the guarded client."""
FILES = [
    path
    for folder in ("services", "libs/servicekit", "libs/flowlang", "contracts")
    for path in sorted((ROOT / folder).glob("**/src/**/*.py"))
    if path.name not in MAY
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_else_opens_outgoing_connections(path):
    """Another client would call addresses that nobody checked."""
    assert not {name for name in imported(path) if name in CLIENTS or name.split(".")[0] in CLIENTS}
