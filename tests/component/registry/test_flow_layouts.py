"""`/v1/flows/{id}/layout`: where an editor draws a flow, beside the flow."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowlang.language.document import MOST_NODES
from support.registry_api import FLOW, Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
LAYOUT = {"nodes": {"hello": {"x": 120, "y": -40.5}}, "triggers": {"start": {"x": 0, "y": 0}}}
EMPTY: dict[str, Any] = {"nodes": {}, "triggers": {}}


async def test_a_layout_is_saved_and_shown_and_who_has_seen_another_one_is_refused(project: Project) -> None:
    path = f"/v1/flows/{await project.flow(await project.bot())}/layout"
    first = await project.send("GET", path)
    assert (first.json(), first.headers["etag"]) == (EMPTY, '"0"')
    saved = await project.send("PUT", path, LAYOUT, headers={"if-match": '"0"'})
    assert (saved.status_code, saved.json(), saved.headers["etag"]) == (200, LAYOUT, '"1"')
    late = await project.send("PUT", path, EMPTY, headers={"if-match": '"0"'})
    assert (late.status_code, late.headers["etag"]) == (412, '"1"')
    again = await project.send("GET", path)
    assert (again.json(), again.headers["etag"]) == (LAYOUT, '"1"')
    moved = {"nodes": {"hello": {"x": 1, "y": 2}, "gone-or-not-yet": {"x": 3, "y": 4}}}
    assert await project.call("PUT", path, moved) == moved | {"triggers": {}}
    assert await project.get(path) == moved | {"triggers": {}}


async def test_the_flow_its_draft_and_its_versions_stay_as_they_are(project: Project) -> None:
    flow = await project.published_flow(await project.bot())
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW | {"name": "Second"}})
    places = (f"/v1/flows/{flow}", *(f"/v1/flows/{flow}/{part}" for part in ("draft", "versions", "versions/1")))

    async def seen() -> list[Any]:
        answers = [await project.send("GET", place) for place in places]
        return [(answer.headers.get("etag"), answer.json()) for answer in answers]

    before = await seen()
    await project.call("PUT", f"/v1/flows/{flow}/layout", LAYOUT)
    assert await seen() == before
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW})
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    assert await project.get(f"/v1/flows/{flow}/layout") == LAYOUT


async def test_it_goes_with_its_flow_and_others_have_none_of_it(registry: RegistryUnderTest, project: Project) -> None:
    flow = await project.flow(await project.bot())
    path = f"/v1/flows/{flow}/layout"
    await project.call("PUT", path, LAYOUT)
    other = await new_project(registry)
    await other.get(path, expect=404)
    await other.call("PUT", path, EMPTY, expect=404)
    assert await project.get(path) == LAYOUT
    await project.call("DELETE", f"/v1/flows/{flow}", expect=204)
    await project.get(path, expect=404)
    await project.call("PUT", path, EMPTY, expect=404)
    assert await registry.database.pool.fetchval("SELECT count(*) FROM flow_layout WHERE flow_id = $1", flow) == 0


@pytest.mark.parametrize(
    ("wrong", "pointer", "detail"),
    [
        ({"nodes": {"two words": {"x": 1, "y": 1}}}, "#/nodes/two words", "it has to be a text of the form"),
        ({"nodes": {"hello": {"x": "1", "y": 1}}}, "#/nodes/hello/x", "it has to be a number"),
        ({"nodes": {"hello": {"x": True, "y": 1}}}, "#/nodes/hello/x", "it has to be a number"),
        ({"nodes": {"hello": {"x": 1}}}, "#/nodes/hello/y", "the field 'y' is needed"),
        ({"nodes": {"hello": {"x": 1, "y": 1e7}}}, "#/nodes/hello/y", "it has to be a number of at most 1000000"),
        ({"nodes": {"hello": {"x": 1, "y": 1, "w": 1}}}, "#/nodes/hello/w", "there is no field 'w' here"),
        ({"nodes": [], "triggers": {}}, "#/nodes", "it has to be an object"),
        ({"zoom": 1}, "#/zoom", "there is no field 'zoom' here"),
        ({"nodes": {f"n{number}": {"x": 0, "y": 0} for number in range(MOST_NODES + 1)}}, "#/nodes", "at most 500"),
    ],
)  # fmt: skip
async def test_what_is_no_layout_is_told(project: Project, wrong: Any, pointer: str, detail: str) -> None:
    path = f"/v1/flows/{await project.flow(await project.bot())}/layout"
    (error,) = (await project.call("PUT", path, wrong, expect=422))["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]
    assert await project.get(path) == EMPTY


GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "write-an-editor.md"


async def test_the_requests_of_the_guide_are_answered(project: Project) -> None:
    bot = await project.bot()
    flow = await project.flow(bot)
    requests = re.findall(
        r"(?m)^```http\n(GET|PUT|POST) (\S+)\n((?:[A-Z][\w-]+: .*\n)*)((?:\{.*\n)?)```$", GUIDE.read_text()
    )
    assert len(requests) == 6
    for method, path, headers, body in requests:
        sent = json.loads(body.replace("{bot}", bot)) if body else None
        given = dict(line.split(": ", 1) for line in headers.splitlines())
        answer = await project.send(method, path.replace("{flow}", flow), sent, headers=given)
        assert answer.is_success, answer.text
