"""What an image holds is enough for what it runs."""

import subprocess
import sys

from devstack.paths import ROOT

OPERATIONS = ROOT / "deploy/images/requirements/operations.lock"
IMPORT_ALL = """
import ast, importlib, importlib.metadata, pkgutil, re, sys
from pathlib import Path

locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", Path(sys.argv[1]).read_text()))


class OnlyLocked:
    def __init__(self):
        self.packages = importlib.metadata.packages_distributions()

    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[._]", "-", each.lower()) for each in self.packages.get(name, ())}
        if path is None and owners and not any(each in locked or each.startswith("switchhook-") for each in owners):
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)


def imported_in(module):
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


sys.meta_path.insert(0, OnlyLocked())
import operations
from operations.restores import BESIDE
from operations.services import OWNERS

names = [each.name for each in pkgutil.walk_packages(operations.__path__, "operations.")] + list(BESIDE.values())
names += [f"{each}.migrations" for each in OWNERS.values()]
for name in names:
    module = importlib.import_module(name)
    if getattr(module, "__file__", None):
        for inner in imported_in(module):
            importlib.import_module(inner)
print(len(names))
"""
"""Imports every module of the operator's verbs, also what a function of theirs imports, and whatever they run."""


def test_the_operators_image_has_what_its_verbs_import() -> None:
    command = [sys.executable, "-c", IMPORT_ALL, str(OPERATIONS)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    assert int(made.stdout) > 20
