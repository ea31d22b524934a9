"""A real Prometheus, with the configuration of deploy/observability, beside services that tell the story: all are found, the
alerts load, and each graph of the dashboards shows something."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from devstack.deploy_files import CHART, DEPLOY
from devstack.ports import free_port
from devstack.stack import Stack
from support.fake_telegram import fake_telegram
from support.panels import expressions
from support.reached import reached
from support.receiver import receiver
from support.story import Story
from support.waiting import eventually

REPLICAS = ("ingress", "flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2", "registry")
QUIET = {
    "switchhook_dead_letters_total": "nothing could not be processed",
    "switchhook_publish_failures_total": "Kafka acknowledged everything",
    "switchhook_egress_blocked_total": "no request went where none may go",
}
"""Metrics that have no series in a story that comes out well, and why."""
yaml = YAML(typ="safe", pure=True)


@pytest.mark.timeout(240)
async def test_prometheus_finds_all_replicas_and_each_graph_shows_something(tmp_path: Path) -> None:
    async with told(tmp_path) as prometheus:
        targets = (await ask(prometheus, "targets"))["activeTargets"]
        assert {(each["labels"]["service"], each["health"]) for each in targets} == {
            (name.removesuffix("-2"), "up") for name in REPLICAS
        }
        assert len({each["labels"]["pod"] for each in targets}) == len(REPLICAS)
        rules = (await ask(prometheus, "rules"))["groups"][0]["rules"]
        assert {(rule["health"], rule["state"]) for rule in rules} == {("ok", "inactive")}
        empty = [(*where, query) for *where, query in expressions() if not await shows(prometheus, query)]
        assert empty == []


async def shows(prometheus: str, query: str) -> bool:
    """Whether there is a number, or a reason why there is none."""
    if any(name in query for name in QUIET):
        return True
    found = (await ask(prometheus, "query", query=query))["result"]
    return any(not math.isnan(float(each["value"][1])) for each in found)


@asynccontextmanager
async def told(folder: Path) -> AsyncIterator[str]:
    """The URL of a Prometheus that looked at services while the story was told twice, and at its outcome."""
    async with Stack(folder / "stack", services={name: {} for name in REPLICAS}, sync=False) as stack:
        addresses = {name: service.base_url.removeprefix("http://") for name, service in stack.services.items()}
        with running(folder, addresses) as prometheus:
            await eventually(lambda: scraped(prometheus), seconds=30)
            for _ in range(2):
                async with fake_telegram() as telegram, receiver() as far_end:
                    await Story(reached(stack), telegram, far_end, print).tell()
                await scraped_again(prometheus)
            yield prometheus


@contextmanager
def running(folder: Path, addresses: dict[str, str]) -> Iterator[str]:
    """Prometheus with the committed configuration; but for the names, which nobody answers for here, and the pace."""
    config = yaml.load((DEPLOY / "observability" / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    (names,) = job.pop("dns_sd_configs")
    assert {name.removesuffix("-2") for name in addresses} == set(names["names"])
    job["static_configs"] = [
        {"targets": [address], "labels": {"__meta_dns_name": name.removesuffix("-2")}}
        for name, address in addresses.items()
    ]
    with (folder / "prometheus.yaml").open("w") as file:
        yaml.dump(config, file)
    shutil.copy(DEPLOY / CHART / "files" / "alerts.yaml", folder / "alerts.yaml")
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--web.listen-address={address}"]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen([*command, f"--storage.tsdb.path={folder}/data"], stderr=log) as process,
    ):
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


async def scraped(prometheus: str) -> bool:
    """Whether it has looked at everybody."""
    try:
        targets = (await ask(prometheus, "targets"))["activeTargets"]
    except httpx.TransportError:
        return False
    return len(targets) == len(REPLICAS) and all(each["health"] == "up" for each in targets)


async def scraped_again(prometheus: str) -> None:
    """Return once it has looked at everybody twice more."""
    query = {"query": 'min(count_over_time(up{job!=""}[5m]))'}

    async def looks() -> float:
        found = (await ask(prometheus, "query", **query))["result"]
        return float(found[0]["value"][1]) if found else 0.0

    before = await looks()

    async def more() -> bool:
        return await looks() >= before + 2

    await eventually(more, every=0.2)


async def ask(prometheus: str, what: str, **parameters: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{prometheus}/api/v1/{what}", params=parameters)
    if answer.status_code == 503:
        raise httpx.ConnectError("not ready yet")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_the_configuration_is_one_of_prometheus(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "observability" / "prometheus.yaml", tmp_path)
    shutil.copy(DEPLOY / CHART / "files" / "alerts.yaml", tmp_path)
    told = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yaml")], capture_output=True, check=False
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.skipif(shutil.which("otelcol") is None, reason="otelcol is not on PATH")
def test_the_collector_takes_its_configuration() -> None:
    config = DEPLOY / "observability" / "collector.yaml"
    told = subprocess.run(["otelcol", "validate", f"--config={config}"], capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
