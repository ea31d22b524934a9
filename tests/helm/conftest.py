"""Tests of the Helm chart run programs that a checkout does not bring: `./switchhook test helm` says which are missing."""

import pytest

from helm.chart import TOOLS, tool


@pytest.fixture(autouse=True)
def _programs(request: pytest.FixtureRequest) -> None:
    names = ["kube-score"] if request.path.stem == "test_score" else ["helm"]
    names += ["kubectl-validate", "go"] if "schema_folder" in request.fixturenames else []
    if missing := [name for name in names if tool(name) is None]:
        pytest.skip(f"{', '.join(missing)} is not on PATH, nor in the folder of {TOOLS}")
