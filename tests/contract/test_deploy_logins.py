"""No file of deploy/ lets anybody in without a name and a password, or brings a password of its own."""

import re
from pathlib import Path

import pytest

from devstack.paths import ROOT

FILES = [
    file for file in sorted((ROOT / "deploy").rglob("*")) if file.is_file() and file.suffix not in (".lock", ".md")
]
OPEN = (
    re.compile(
        r"[:=] ?[\"']?(PLAINTEXT|SSL)\b|ANONYMOUS(?!_ENABLED: \"false\")"
    ),  # Kafka's and Grafana's ways in without a login.
    re.compile(r"allow\.everyone\.if\.no\.acl\.found"),
    re.compile(r"\btrust\b|HOST_AUTH_METHOD"),  # PostgreSQL's way in without a password.
    re.compile(r"(?i)\$\{\w*(password|token|kek|link_key|database|secret)\w*:?-[^}]"),  # A default for what is secret.
    re.compile(r"(?i)(password|token|kek|link_key)\w*: *[\"']?[A-Za-z0-9+/]{8,}[\"']?$"),
    re.compile(r"://[^\s:/@$%{]+:[^\s@$%{]+@"),  # A password in a URL.
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nobody_is_let_in_without_a_name_and_a_password(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert [line for line in lines for each in OPEN if each.search(line)] == []
