"""A folder and a project: exported, applied, changed on both sides, interrupted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from botfiles.api import Api
from botfiles.cli import LEFT, WELL, apply
from botfiles.errors import CannotGoOn
from botfiles.exporting import export
from support.registry_api import FLOW, Project, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Cut(httpx.AsyncBaseTransport):
    """Goes on to `through` until `left` writes were made; then nobody answers."""

    def __init__(self, through: httpx.AsyncBaseTransport) -> None:
        self._through, self.left, self.writes = through, 10_000, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self.left -= 1
            if self.left < 0:
                raise httpx.ConnectError("cut", request=request)
            self.writes.append(f"{request.method} {request.url.path}")
        return await self._through.handle_async_request(request)


class Side:
    """A project with a token of its own, and its folder."""

    def __init__(self, project: Project, token: str, folder: Path, lines: Callable[[], str]) -> None:
        self.project, self.folder, self._lines = project, folder, lines
        self.cut = Cut(httpx.ASGITransport(project.registry.app))

        async def at_once(seconds: float) -> None:
            """No test waits."""

        self.api = Api("http://registry.test", token, transport=self.cut, sleep=at_once)

    async def apply(self, *, expect: int = WELL, **options: bool) -> str:
        """What it printed."""
        self._lines()
        assert await apply(self.api, self.folder, yes=True, **options) == expect
        return self._lines()

    async def export(self) -> None:
        await export(self.api, self.folder, print)

    def files(self) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for path in sorted(self.folder.rglob("*.yaml"))
        }  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def side(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Side]:
    made = await a_side(project, tmp_path / "bots", capsys)
    async with made.api:
        yield made


async def a_side(project: Project, folder: Path, capsys: pytest.CaptureFixture[str]) -> Side:
    made = await project.post("/v1/tokens", {"name": "deploy", "scopes": ["admin"]})
    return Side(project, made["token"], folder, lambda: capsys.readouterr().out)


async def filled(project: Project) -> dict[str, str]:
    """One of everything; ids by what they are."""
    bot = str((await project.post("/v1/bots", {"name": "Shop bot", "variables": {"open": "on", "n": 1}}))["id"])
    await project.http_channel(bot)
    await project.post("/v1/secrets", {"name": "crm", "value": "hush-hush"})
    headers = {"x-key": "secret.crm", "accept": "application/json"}
    await project.post(
        "/v1/api-calls", {"name": "seats", "method": "GET", "url": "https://api.example.com/seats", "headers": headers}
    )
    chat = {"name": "main", "kind": "model", "model": "small", "url": "https://ai.example.com/v1/chat/completions"}
    await project.post("/v1/api-calls", chat)
    await project.post("/v1/segments", {"name": "students", "filter": '"student" in contact.tags'})
    events = {"url": "https://crm.example.com/in", "events": ["tag.*"], "name": "CRM", "bots": [bot]}
    endpoint = await project.post("/v1/endpoints", events)
    code = {"type": "code", "source": "send('a')\nsend('b')\n", "ports": {"next": "hello"}}
    ask = {"type": "call_api", "api": "seats", "ports": {"ok": "run", "error": "run"}}
    flow = await project.published_flow(bot, nodes=FLOW["nodes"] | {"run": code, "ask": ask}, start="ask")
    await project.post("/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
    token = next(each["id"] for each in (await project.get("/v1/tokens"))["items"] if each["name"] == "shop")
    await project.post("/v1/triggers", {"flow": flow, "entry": "bought", "token_id": token})
    await project.post("/v1/triggers", {"flow": flow, "entry": "bought", "auth": "url"})
    return {"bot": bot, "flow": flow, "endpoint": endpoint["id"]}


@pytest.mark.seconds(30)
async def test_a_round_trip_changes_nothing_and_a_second_project_becomes_the_same(
    side: Side, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = f"/v1/flows/{(await filled(side.project))['flow']}/layout"
    drawn = await side.project.call("PUT", layout, {"nodes": {"hello": {"x": 240, "y": 80}}})
    await side.export()
    files = side.files()
    assert list(files) == [
        "api-calls/main.yaml",
        "api-calls/seats.yaml",
        "bots/shop-bot/bot.yaml",
        "bots/shop-bot/flows/greeting.yaml",
        "bots/shop-bot/triggers/greeting-bought-2.yaml",
        "bots/shop-bot/triggers/greeting-bought.yaml",
        "endpoints/crm.yaml",
        "segments/students.yaml",
    ]
    assert "hush" not in "".join(files.values())
    assert "secret.crm" in files["api-calls/seats.yaml"]
    assert await side.apply() == "8 unchanged\n"
    (next((side.folder / ".applied").iterdir())).unlink()
    assert await side.apply() == "8 unchanged\n", "a folder that was cloned remembers nothing"
    await side.export()
    assert (side.files(), side.cut.writes) == (files, [])
    assert await side.project.get(layout) == drawn, "it is in no file, and stays as it is"

    hidden = side.folder / "api-calls/seats.yaml"
    hidden.write_text(hidden.read_text().replace("'[hidden]'", "application/json"))
    other = await a_side(await new_project(side.project.registry), side.folder, capsys)
    async with other.api:
        said = await other.apply(expect=LEFT)
        assert "blocked  api-call seats: the project has no secret 'crm'" in said
        assert "blocked  trigger Shop bot/greeting-bought: the bot has no channel" in said
        assert "refused  flow Shop bot/greeting: 422" in said, "it calls what is blocked"
        (bot,) = (await other.project.get("/v1/bots"))["items"]
        await other.project.http_channel(bot["id"])
        await other.project.post("/v1/secrets", {"name": "crm", "value": "another"})
        await other.project.post("/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
        said = await other.apply()
        assert "published flow Shop bot/greeting: version 1" in said
        assert "swh_" not in said, "no token or URL with a secret is printed"
        assert (await other.apply(), len(side.files())) == ("8 unchanged\n", 8)
        other.folder = tmp_path / "again"
        await other.export()
        assert other.files() == files


async def test_what_somebody_else_changed_is_shown_and_not_overwritten_unasked(side: Side) -> None:
    made = await filled(side.project)
    await side.export()
    await side.project.call("PATCH", f"/v1/endpoints/{made['endpoint']}", {"timeout_seconds": 7})
    path = f"/v1/flows/{made['flow']}/draft"
    document = (await side.project.get(path))["document"]
    await side.project.call("PUT", path, {"document": document | {"description": "work in progress"}})
    for name in ("endpoints/crm.yaml", "bots/shop-bot/flows/greeting.yaml", "segments/students.yaml"):
        file = side.folder / name
        file.write_text(file.read_text().replace("student", "pupil").replace("Hello", "Hi").replace("/in", "/out"))
    model = side.folder / "api-calls/main.yaml"
    model.write_text(model.read_text().replace("small", "large"))
    said = await side.apply(expect=LEFT)
    assert "conflict endpoint CRM: it was changed in the project" in said
    assert "timeout_seconds, url (--overwrite" in said
    assert "conflict flow Shop bot/greeting" in said
    assert "created  segment pupils" in said
    assert "change   api-call main: model" in said
    assert "changed  api-call main" in said
    assert (await side.project.get(path))["document"]["description"] == "work in progress"
    assert "timeout_seconds" in await side.apply(dry_run=True, overwrite=True)
    assert "published flow Shop bot/greeting: version 2" in await side.apply(overwrite=True)
    assert "description" not in (await side.project.get(path))["document"]
    endpoint = await side.project.get(f"/v1/endpoints/{made['endpoint']}")
    assert (endpoint["timeout_seconds"], endpoint["url"]) == (15, "https://crm.example.com/out")

    assert "absent   segment students: no file describes it" in await side.apply()
    assert "deleted  segment students" in await side.apply(prune=True)
    (segment,) = (await side.project.get("/v1/segments"))["items"]
    assert segment["name"] == "pupils"
    await side.project.call("DELETE", f"/v1/segments/{segment['id']}", expect=204)
    assert "conflict segment pupils: it was deleted in the project" in await side.apply(expect=LEFT)


async def test_prune_deletes_in_an_order_in_which_nothing_is_in_use_and_never_a_bot(side: Side) -> None:
    await filled(side.project)
    side.folder.mkdir()
    (side.folder / "bots/it").mkdir(parents=True)
    (side.folder / "bots/it/bot.yaml").write_text("name: Shop bot\nvariables: {open: on, n: 1}\n")
    await side.project.post("/v1/bots", {"name": "Another"})
    said = await side.apply(prune=True)
    assert "absent   bot Another: no file describes it; bots are never deleted here" in said
    for noun in ("triggers", "flows", "api-calls", "segments", "endpoints"):
        assert (await side.project.get(f"/v1/{noun}"))["items"] == []
    assert len((await side.project.get("/v1/bots"))["items"]) == 2


async def test_an_interrupted_apply_goes_on_wherever_it_was_cut(
    side: Side, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await filled(side.project)
    await side.export()
    hidden = side.folder / "api-calls/seats.yaml"
    hidden.write_text(hidden.read_text().replace("'[hidden]'", "application/json"))
    other = await a_side(await new_project(side.project.registry), side.folder, capsys)
    await other.project.post("/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
    await other.project.post("/v1/secrets", {"name": "crm", "value": "another"})
    order = [
        "bots",
        "segments",
        "api-calls",
        "api-calls",
        "endpoints",
        "flows",
        "flows",
    ]  # A draft, and its publication.
    async with other.api:
        for made in range(1, len(order) + 1):
            other.cut.left = 1
            if made < len(order):
                with pytest.raises(CannotGoOn):
                    await other.apply()
            else:
                await other.apply(expect=LEFT)  # The bot has no channel: its triggers are left.
        assert [write.split("/")[2] for write in other.cut.writes] == order
        kept = json.loads(next((side.folder / ".applied").glob(f"{other.project.id}.json")).read_text())
        assert len(kept["entries"]) == 6


async def test_flows_that_give_a_command_to_each_other_are_published_in_the_order_that_goes(side: Side) -> None:
    bot = await side.project.bot()
    await side.project.published_flow(bot)
    await side.export()
    old = side.folder / "bots/a-bot/flows/greeting.yaml"
    new: dict[str, Any] = FLOW | {"slug": "a-first", "triggers": FLOW["triggers"][:1]}
    (old.parent / "a-first.json").write_text(json.dumps(new))
    old.write_text(old.read_text().replace("/start", "/hello"))
    said = await side.apply()
    assert said.index("published flow A bot/greeting: version 2") < said.index(
        "published flow A bot/a-first: version 1"
    )
