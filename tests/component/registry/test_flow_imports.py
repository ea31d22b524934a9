"""`POST /v1/flows/import`: exports of other builders become flows, with a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowtools.importing.draft import MOST_FINDINGS
from support.exports import EXPORTS
from support.registry_api import Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
GUIDE = (Path(__file__).parents[3] / "docs" / "how-to" / "move-from-typebot.md").read_text()
LEAD: dict[str, Any] = json.loads((EXPORTS / "lead.json").read_text())
BOT = EXPORTS / "bot"
MAIN = json.loads((BOT / "flows/main.flow.json").read_text())
FILES = {
    path.relative_to(BOT).as_posix(): json.loads(path.read_text())
    for pattern in ("content-elements/*.json", "flows/skills/*.flow.json")
    for path in BOT.glob(pattern)
}
PATH = "/v1/flows/import"


def blocks(number: int, **fields: Any) -> dict[str, Any]:
    made = [{"id": f"b{each}", "type": "Wait", **fields} for each in range(number)]
    begin = {"events": [{"type": "start", "outgoingEdgeId": "e"}], "edges": [{"id": "e", "to": {"groupId": "g"}}]}
    return {"groups": [{"id": "g", "blocks": made}], **begin}


async def test_an_export_becomes_a_flow_of_a_bot(project: Project) -> None:
    bot = await project.bot()
    shown = await project.post(PATH, {"from": "typebot", "document": LEAD}, expect=200)
    assert (await project.get("/v1/flows"))["items"] == []
    made = await project.post(PATH, {"from": "typebot", "document": LEAD, "bot": bot})
    assert (made["bot_id"], made["slug"], made["draft_version"]) == (bot, shown["document"]["slug"], 1)
    assert made["report"] == shown["report"]
    assert {"block", "what", "instead", "to_do"} == set(made["report"][0])
    draft = await project.get(f"/v1/flows/{made['id']}/draft")
    assert draft["document"] == shown["document"]
    assert draft["problems"] == made["problems"]
    assert [one["code"] for one in made["problems"] if one["severity"] == "error"] == ["unknown-secret"]
    await project.post("/v1/secrets", {"name": "x_api_key", "value": "a value"})
    await project.post(f"/v1/flows/{made['id']}/publish", expect=200)
    taken = await project.post(PATH, {"from": "typebot", "document": LEAD, "bot": bot}, expect=409)
    assert taken["type"].endswith("/name-taken")
    again = await project.post(PATH, {"from": "typebot", "document": LEAD, "bot": bot, "slug": "lead-2"})
    assert again["slug"] == "lead-2"
    assert "command-taken" in {one["code"] for one in again["problems"]}


async def test_a_botpress_flow_is_imported_with_what_lies_beside_it(project: Project) -> None:
    bare = await project.post(PATH, {"from": "botpress", "document": MAIN}, expect=200)
    assert bare["document"]["slug"] == "main"
    assert "skill choice without its content" in {one["what"] for one in bare["report"]}
    whole = await project.post(
        PATH, {"from": "botpress", "document": MAIN, "files": FILES, "slug": "shop-order"}, expect=200
    )
    assert whole["document"]["slug"] == "shop-order"
    assert "Which town?" in json.dumps(whole["document"])
    assert "skill choice without its content" not in {one["what"] for one in whole["report"]}


@pytest.mark.parametrize(
    ("wrong", "pointer", "detail"),
    [
        ({"from": "rasa"}, "#/from", "it has to be one of 'typebot' or 'botpress'"),
        ({"document": "{}"}, "#/document", "it has to be an object"),
        ({"document": {}}, "#/document", "there are no groups with blocks in it"),
        ({"from": "botpress"}, "#/document", "there are no nodes with a name in it"),
        ({"document": blocks(2001)}, "#/document", "an export has at most 2000 blocks"),
        ({"document": blocks(999)}, "#/document", "a flow has at most 500"),
        ({"files": FILES}, "#/files", "leave the files out"),
        ({"from": "botpress", "files": {"../secret.json": 1}}, "#/files/..~1secret.json", "a text of the form"),
        ({"slug": "No Slug"}, "#/slug", "a text of the form"),
        ({"bot": "no-such-bot"}, "#/bot", "was not found"),
        ({"also": 1}, "#/also", "there is no field 'also' here"),
    ],
)
async def test_what_cannot_be_imported_is_told(project: Project, wrong: Any, pointer: str, detail: str) -> None:
    refused = await project.post(PATH, {"from": "typebot", "document": LEAD} | wrong, expect=422)
    (error,) = refused["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]


async def test_another_projects_bot_is_not_there(registry: RegistryUnderTest, project: Project) -> None:
    theirs = await (await new_project(registry)).bot()
    refused = await project.post(PATH, {"from": "typebot", "document": LEAD, "bot": theirs}, expect=422)
    assert [one["pointer"] for one in refused["errors"]] == ["#/bot"]


async def test_a_report_has_a_bound_and_json_a_depth(project: Project) -> None:
    tags = " ".join(f"{{{{nobody{number}}}}}" for number in range(1500))
    text = {"richText": [{"type": "p", "children": [{"text": tags}]}]}
    many = await project.post(PATH, {"from": "typebot", "document": blocks(1, type="text", content=text)}, expect=200)
    assert len(many["report"]) == MOST_FINDINGS + 1
    assert many["report"][-1]["what"] == "more than the report has room for"
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    refused = await project.post(PATH, {"from": "typebot", "document": LEAD | {"variables": deep}}, expect=400)
    assert refused["type"].endswith("/json-too-deep")


async def test_the_requests_of_the_guide_are_answered(project: Project) -> None:
    told = re.search(r"(?ms)^```json\n(.*?)^```", GUIDE)
    assert told
    contents = {
        "{lead.json}": told[1],
        "{main.flow.json}": json.dumps(MAIN),
        "{builtin_text.json}": json.dumps(FILES["content-elements/builtin_text.json"]),
        "{bot}": await project.bot(),
    }
    requests = re.findall(r"(?m)^```http\nPOST (\S+)\n(.*)\n```$", GUIDE)
    answers = []
    for path, body in requests:
        for name, content in contents.items():
            body = body.replace(name, content)
        answers.append(await project.send("POST", path, json.loads(body)))
    assert [answer.status_code for answer in answers] == [200, 201, 200]
    line = re.search(r"(?ms)^```text\n(.*?)^```", GUIDE)
    assert line
    (said,) = answers[0].json()["report"]
    assert f"block {said['block']}: {said['what']}: {said['instead']}; {said['to_do']}\n" == line[1]
    assert answers[1].json()["slug"] == "lead-2026"
