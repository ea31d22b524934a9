"""What an image holds is enough for what it runs."""

import re
import subprocess
import sys

import pytest

from devstack.images import IMAGES
from devstack.paths import ROOT

LOCKS = ROOT / "deploy/images/requirements"
DOCKERFILE = (ROOT / "deploy/images/Dockerfile").read_text()
IMPORT_ALL = """
import ast, importlib, importlib.metadata, pkgutil, re, sys
from pathlib import Path

held, packages = set(sys.argv[1].split()), sys.argv[2].split()


class OnlyHeld:
    def __init__(self):
        self.owners = importlib.metadata.packages_distributions()

    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[._]", "-", each.lower()) for each in self.owners.get(name, ())}
        if path is None and owners and not owners & held:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)


def imported_in(module):
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


sys.meta_path.insert(0, OnlyHeld())
names = []
for package in map(importlib.import_module, packages):
    names += [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
if "operations" in packages:
    from operations.restores import BESIDE
    from operations.services import OWNERS

    names += [*BESIDE.values(), *(f"{each}.migrations" for each in OWNERS.values())]
for name in names:
    if name.endswith(".__main__"):
        continue
    module = importlib.import_module(name)
    if getattr(module, "__file__", None):
        for inner in imported_in(module):
            importlib.import_module(inner)
print(len(names))
"""
"""Imports every module of what an image runs, also what a function of theirs imports."""
RUNS = {
    "ingress": ("ingress", "channels", "contracts"),
    "flow-engine": ("flow_engine", "flowlang", "flowtools", "channels", "contracts"),
    "dispatcher": ("dispatcher", "flowlang", "channels", "contracts"),
    "registry": ("registry", "flowlang", "flowtools.importing", "channels", "contracts"),
    "operations": ("operations", "botfiles"),
}
"""Image -> the packages of this repository that its processes import whole, by plug-ins too."""


def members(image: str) -> set[str]:
    """Packages of this repository that an image holds."""
    line = rf"FROM packages-{image} AS build-{image}\nCOPY \. \.\nRUN \S+members\.sh ((?:[^\n]|(?<=\\)\n)+)"
    found = re.search(line, DOCKERFILE)
    assert found
    return {f"switchhook-{each.rpartition('/')[2]}" for each in found[1].replace("\\", " ").split()}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_what_its_processes_import(image: str) -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (LOCKS / f"{image}.lock").read_text()))
    words = (" ".join(locked | members(image)), " ".join(RUNS[image]))
    made = subprocess.run([sys.executable, "-c", IMPORT_ALL, *words], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    assert int(made.stdout) > 20
