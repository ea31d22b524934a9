"""What somebody who writes bots runs in the images, without a checkout: bots as code, and tests of flows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from containers.composed import Composed
from containers.page import commands
from containers.podman import podman
from operations.api import Api
from support.story import FLOW

SUM = """\
schema: flow/1
slug: sum
name: Sum
start: total
triggers:
  - {id: sum, type: command, value: /sum, to: total}
nodes:
  total: {type: code, source: "send(str(sum([19, 5])))", ports: {next: bye, error: bye}}
  bye: {type: end}
tests:
  - name: A program says the sum
    steps:
      - {say: /sum, expect: {says: ["24"]}}
"""
ENGINE = f"localhost/switchhook/flow-engine:{version('switchhook-contracts')}"


async def test_a_projects_bots_become_files_and_files_are_applied(installation: Composed) -> None:
    place = installation.reached()
    async with Api(place.base_url, place.admin_token, tls=place.tls) as operator:
        project = (await operator.post("/v1/projects", {"name": "As code"}))["id"]
    async with Api(place.base_url, place.admin_token, project, tls=place.tls) as api:
        bot = (await api.post("/v1/bots", {"name": "Shop"}))["id"]
        await api.publish_flow(bot, FLOW.with_name("welcome.yaml").read_text())
        token = (await api.post("/v1/tokens", {"name": "deploy", "scopes": ["admin"]}))["token"]
    said = installation.sh(f"export SWITCHHOOK_TOKEN={token}\n{commands('Bots as code')}")
    assert "2 unchanged" in said, said
    files = {file.name for file in (installation.folder / "bots").rglob("*.yaml")}
    assert {"bot.yaml", "welcome.yaml"} <= files


def test_a_flow_with_a_program_is_tested_in_the_engines_image(installation: Composed, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # Of the image's user, too.
    (tmp_path / "sum.yaml").write_text(SUM)
    words = ("run", "--rm", "--network=none", "--read-only", f"--volume={tmp_path}:/flows:ro")
    said = podman(*words, "--entrypoint=switchhook-flow", ENGINE, "test", "/flows/sum.yaml")
    assert "1 cases, 0 failed" in said
