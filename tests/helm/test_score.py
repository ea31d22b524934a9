"""What kube-score finds in what the chart makes is only what was decided otherwise."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from helm.chart import FOLDER, KUBERNETES, SETS, documents, of_kind, tool

pytestmark = pytest.mark.slow
FINE = 10
"""kube-score's grade of what it has nothing to say about."""
ALL = {
    "container-resources": "no limit of CPU: it would slow a service down beside an idle core; memory has one",
    "container-ephemeral-storage-request-and-limit": "nothing is written to a disk: /tmp is memory, the rest read-only",
    "container-image-pull-policy": "a version's image never changes",
    "statefulset-has-host-podantiaffinity": "topologySpreadConstraints spread them over hosts and zones",
}
"""Decided for all pods: check -> why."""
OPERATIONS = {
    "pod-probes": "it answers nobody: its port is for Prometheus",
    "deployment-strategy": "two of them would do the same work",
    "deployment-replicas": "one is enough: what it does can wait for another pod",
}
"""Decided for `operations`."""


def found(values: str) -> Iterator[tuple[str, str]]:
    """(object, check) of all that kube-score would have otherwise."""
    command = [tool("kube-score") or "", "score", "--output-format=json", f"--kubernetes-version=v{KUBERNETES}"]
    told = subprocess.run([*command, str(FOLDER / "golden" / f"{values}.yaml")], capture_output=True, check=False)
    for scored in json.loads(told.stdout):
        for check in scored["checks"] or ():
            if not check["skipped"] and check["grade"] < FINE:
                yield scored["object_name"].rpartition("/")[2].removeprefix("switchhook-"), check["check"]["id"]


@pytest.mark.parametrize("values", SETS)
def test_it_finds_only_what_was_decided_otherwise(values: str) -> None:
    has_policies = bool(of_kind(documents((FOLDER / "golden" / f"{values}.yaml").read_text()), "NetworkPolicy"))
    decided = {*ALL, *(() if has_policies else ("pod-networkpolicy",))}
    scored = set(found(values))
    assert {one for one in scored if one[1] not in decided} <= {("operations", check) for check in OPERATIONS}
    assert {check for _, check in scored} >= {"container-resources"}, "kube-score found nothing: was it run?"
