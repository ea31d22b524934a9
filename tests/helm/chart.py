"""The Helm chart as `helm template` makes it of the value sets in tests/helm/values.

`PYTHONPATH=tests .venv/bin/python -m helm.chart` writes tests/helm/golden anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from devstack.deploy_files import CHART, DEPLOY

FOLDER = Path(__file__).parent
SETS = sorted(path.stem for path in (FOLDER / "values").glob("*.yaml"))
KUBERNETES = "1.30"
"""The oldest that the chart is for, and the newest whose schemas kubectl-validate brings."""
VERSION = re.compile(rf"(?<![\d.]){re.escape(version('switchhook-contracts'))}(?![\d.-])")
NO_VERSION = "0.0.0"
"""What stands for this checkout's version in what is rendered, so that a release changes no golden file."""
TOOLS = "SWITCHHOOK_TOOLS"
"""Environment variable: a folder with programs that are not on PATH."""

Document = dict[str, Any]


def tool(name: str) -> str | None:
    """Where a program is: on PATH, or in the folder of SWITCHHOOK_TOOLS."""
    return shutil.which(name) or shutil.which(name, path=os.environ.get(TOOLS, ""))


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm."""
    return subprocess.run([tool("helm") or "helm", *arguments], capture_output=True, text=True, check=False)


def template(*arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
    """`helm template` with a value set."""
    given = ("--values", str(FOLDER / "values" / f"{values}.yaml")) if values else ()
    where = ("--namespace", "bots", "--kube-version", f"{KUBERNETES}.0")
    return helm("template", "switchhook", str(DEPLOY / CHART), *where, *given, *arguments)


def rendered(values: str, *arguments: str) -> str:
    """What a value set becomes, with NO_VERSION in place of this checkout's."""
    made = template(*arguments, values=values)
    assert made.returncode == 0, made.stderr
    return VERSION.sub(NO_VERSION, made.stdout)


def documents(text: str) -> list[Document]:
    """The objects in it."""
    return [each for each in YAML(typ="safe", pure=True).load_all(text) if each]


def of_kind(found: list[Document], kind: str) -> dict[str, Document]:
    """Those of one kind, by the name that follows the release's."""
    return {each["metadata"]["name"].removeprefix("switchhook-"): each for each in found if each["kind"] == kind}


def pods(found: list[Document]) -> Iterator[tuple[str, Document]]:
    """Each pod template: the name of what makes pods of it, and its metadata and spec."""
    for kind in ("StatefulSet", "Deployment", "Job"):
        for name, document in of_kind(found, kind).items():
            yield name, document["spec"]["template"]


if __name__ == "__main__":
    for each in SETS:
        (FOLDER / "golden" / f"{each}.yaml").write_text(rendered(each))
