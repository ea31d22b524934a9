"""Botpress 12: nodes, content and the skill `choice`, and what the report says of the rest."""

from __future__ import annotations

import asyncio
from pathlib import Path
from shutil import copytree

import pytest

from flowlang.language.check import check
from flowlang.language.yaml_text import parse
from flowtools.files import FlowFile
from flowtools.importing.botpress_conditions import condition
from flowtools.importing.importer import import_file, imported
from flowtools.testing import run_cases
from support.exports import EXPORTS, nothing_executable

FLOW = EXPORTS / "bot/flows/main.flow.json"
CASE = """
tests:
- name: Tea
  steps:
    - {say: /start, expect: {says: ["Hello {", "Which town?"]}}
    - {say: Oslo, expect: {says: [What shall it be?]}}
    - {say: green tea, expect: {says: [One tea for Oslo., Goodbye.]}}
- name: Nothing that is there
  steps:
    - {say: /start}
    - {say: Oslo}
    - {say: milk, expect: {says: ["Tea or coffee?"]}}
    - {say: milk, expect: {says: [Goodbye.]}}
"""


def test_a_whole_flow_is_checked_and_played() -> None:
    found = import_file(FLOW, "botpress")
    assert [problem for problem in check(found.document) if problem.severity == "error"] == []
    assert parse(found.text) == found.document
    told = asyncio.run(run_cases(FlowFile("main.yaml", found.text + CASE), ()))
    assert [case.failed for case in told.cases] == [False, False], list(told.lines())


def test_the_report_names_what_was_left_out() -> None:
    found = import_file(FLOW, "botpress")
    assert [(one.block, one.what[:40]) for one in found.findings] == [
        ("n2", "action shop/look_up"),
        ("n3", "transition to orders.flow.json"),
        ("n3", "choice black coffee"),
        ("n4", "content builtin_text-gone"),
        ("n4", "transition: session.drink.length > 2 && "),
        ("", "transition of the whole flow: event.nlu."),
        ("n6", "nothing leads to it"),
    ]
    nothing_executable(found.text, "evil", "look_up", "nlu")


def test_a_flow_without_its_bot_says_which_content_is_missing(tmp_path: Path) -> None:
    alone = tmp_path / "main.flow.json"
    alone.write_bytes(FLOW.read_bytes())
    found = import_file(alone, "botpress")
    assert found.errors == 0
    assert "content builtin_text-hello" in {one.what for one in found.findings}
    assert "skill choice without its content" in {one.what for one in found.findings}


def test_a_link_to_a_file_outside_the_bot_is_not_followed(tmp_path: Path) -> None:
    bot = tmp_path / "bot"
    copytree(EXPORTS / "bot", bot)
    texts = bot / "content-elements/builtin_text.json"
    texts.rename(tmp_path / "outside.json")
    texts.symlink_to(tmp_path / "outside.json")
    assert "Which town?" not in import_file(bot / "flows/main.flow.json", "botpress").text


def places(scope: str, name: str) -> str:
    return f"{scope}.{name}"


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("true", "true"),
        ('session.drink === "tea"', 'memory.drink == "tea"'),
        ("user.age >= 18", "double(user.age) >= 18"),
        ("temp.count != 3", "memory.count != 3"),
        ("user.name !== undefined", "has(user.name) && user.name != null"),
        ("!session.greeted", "!has(memory.greeted) || memory.greeted == null"),
        ("session.done === true", "memory.done == true"),
        ("temp['skill-choice-ret-x1'] == \"tea\"", 'memory.skill-choice-ret-x1 == "tea"'),
        ("temp['a'].b", None),
        ("user.name.length > 3", None),
        ("evil() || true", None),
        ("event.nlu.intent.name === 'help'", None),
    ],
)  # fmt: skip
def test_a_condition_is_a_variable_and_a_literal_or_left_out(source: str, expression: str | None) -> None:
    assert condition(source, places) == expression


def test_what_was_chosen_is_kept_and_a_later_condition_reads_it() -> None:
    """Seen: the choice was kept nowhere, and nothing said so."""
    contents = [
        {"id": "c", "formData": {"text": "Drink?", "choices": [{"title": "Tea", "value": "tea"}, {"title": "Two", "value": "a b"}]}},
        {"id": "builtin_text-t", "formData": {"text": "Tea it is"}},
    ]  # fmt: skip
    skill = {"skillData": {"randomId": "x1", "contentId": "c", "keywords": {}}}
    nodes = [
        {"name": "entry", "type": "skill-call", "skill": "choice", "flow": "skills/c.flow.json",
         "next": [{"condition": "temp['skill-choice-ret-x1'] == \"tea\"", "node": "which"}]},
        {"name": "which", "next": [{"condition": "temp['skill-choice-ret-x1'] === \"tea\"", "node": "tea"}]},
        {"name": "tea", "onEnter": ["say #!builtin_text-t"]},
    ]  # fmt: skip
    beside = {"content-elements/c.json": contents, "flows/skills/c.flow.json": skill}
    found = imported({"startNode": "entry", "nodes": nodes}, "botpress", beside, "main.flow.json")
    asked = found.document["nodes"]["entry"]["input"]
    assert [option["id"] for option in asked["options"]] == ["tea", "option-2"]
    assert asked["save_to"] == "memory.skill_choice_ret_x1"
    assert found.document["nodes"]["which"]["branches"] == [{"if": 'memory.skill_choice_ret_x1 == "tea"', "to": "tea"}]
    assert [(one.what, one.instead) for one in found.findings] == [("choice a b", "kept as 'option-2'")]


def test_a_node_that_waits_asks_its_last_message() -> None:
    set_name = 'builtin/setVariable {"type":"session","name":"who","value":"{{event.preview}}"}'
    contents = [
        {"id": "builtin_text-a", "formData": {"text": "One"}},
        {"id": "builtin_text-b", "formData": {"text": "Two?"}},
    ]
    node = {"name": "entry", "onEnter": ["say #!builtin_text-a", "say #!builtin_text-b"], "onReceive": [set_name]}
    beside = {"content-elements/builtin_text.json": contents}
    nodes = imported({"startNode": "entry", "nodes": [node]}, "botpress", beside, "main.flow.json").document["nodes"]
    assert nodes["entry"]["parts"] == [{"text": "One"}]
    assert (nodes["entry_2"]["text"], nodes["entry_2"]["input"]) == ("Two?", {"type": "text", "save_to": "memory.who"})
