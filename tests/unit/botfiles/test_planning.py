"""What a plan does with what files say, a project has, and the last apply has seen."""

from __future__ import annotations

from typing import Any

import pytest

from botfiles.kinds import API_CALL, BOT, ENDPOINT, FLOW, SEGMENT, TRIGGER, Kind
from botfiles.planning import Known, Step, plan
from botfiles.remembered import Remembered
from botfiles.things import CONTENT, DRAFT, PUBLISHED, Found, Wanted, as_published, differences, digest, shown

A, B, C = ({"name": "vip", "filter": text} for text in ("true", "false", "1 == 1"))
CALL = {"name": "seats", "method": "GET", "url": "https://a.example/s"}


def wanted(content: dict[str, Any], kind: Kind = SEGMENT, name: str = "vip") -> Wanted:
    return Wanted(kind, name, f"{name}.yaml", content if kind is FLOW else kind.whole(content))


def found(content: dict[str, Any], kind: Kind = SEGMENT, name: str = "vip", id: str = "1") -> Found:
    return Found(kind, name, id, {CONTENT: kind.whole(content)}, {CONTENT: '"1"'})


def flow(draft: dict[str, Any], published: dict[str, Any] | None) -> Found:
    return Found(FLOW, "shop/hello", "1", {DRAFT: draft, PUBLISHED: published}, {})


def seen(thing: Wanted, theirs: dict[str, Any] | None = None) -> Remembered:
    """The last apply brought `thing` in, which the project then had as `theirs`."""
    remembered = Remembered()
    for part, content in thing.parts.items():
        remembered.keep(thing, "1", part, theirs if theirs is not None else content)
    return remembered


def one(mine: Wanted, theirs: Found | None, remembered: Remembered | None = None, **options: Any) -> Step:
    (step,) = plan([mine], [theirs] if theirs else [], Known(), remembered or Remembered(), **options)
    return step


@pytest.mark.parametrize(
    ("file", "project", "last", "action"),
    [
        (A, None, None, "create"),
        (A, A, None, "unchanged"),
        (A, B, None, "conflict"),
        (A, B, B, "change"),
        (A, B, A, "conflict"),
        (A, B, C, "conflict"),
        (A, A, B, "unchanged"),
        (A, None, A, "conflict"),
    ],
)
def test_what_is_done_follows_from_file_project_and_the_last_time(
    file: Any, project: Any, last: Any, action: str
) -> None:
    remembered = seen(wanted(last)) if last else None
    mine, theirs = wanted(file), found(project) if project else None
    assert one(mine, theirs, remembered).action == action
    if action == "conflict":
        assert one(mine, theirs, remembered, overwrite=True).action == ("change" if project else "create")


def test_what_the_registry_writes_in_another_way_is_unchanged_the_second_time() -> None:
    assert one(wanted(A), found(B), seen(wanted(A), B)).action == "unchanged"


@pytest.mark.parametrize(
    ("headers", "action"),
    [
        ({"x": "1"}, "change"),
        ({"x": "[hidden]"}, "unchanged"),
        ({"y": "1"}, "conflict"),
        ({"x": "secret.crm"}, "conflict"),
    ],
)
def test_a_value_that_is_not_shown_is_written_where_all_that_is_shown_is_equal(headers: Any, action: str) -> None:
    theirs = found(CALL | {"headers": {"x": "[hidden]"}}, API_CALL, "seats")
    mine = wanted(CALL | {"headers": headers}, API_CALL, "seats")
    assert one(mine, theirs).action == action
    assert one(mine, theirs, seen(mine, theirs.content)).action == "unchanged"


def test_values_are_hidden_as_the_registry_hides_them() -> None:
    whole = API_CALL.whole(
        CALL
        | {"url": "https://a.example/s?a=1&b=secret.b&c#f", "params": {"n": 1, "s": "secret.s"}, "headers": {"h": "v"}}
    )
    said = shown(API_CALL, whole)
    assert said["url"] == "https://a.example/s?a=[hidden]&b=secret.b&[hidden]#f"
    assert (said["params"], said["headers"]) == ({"n": "[hidden]", "s": "secret.s"}, {"h": "[hidden]"})


def test_a_flow_is_a_draft_and_what_is_published_of_it() -> None:
    old, new = {"slug": "hello", "name": "Old"}, {"slug": "hello", "name": "New", "tests": [1]}
    mine = wanted(new, FLOW, "shop/hello")
    last = seen(wanted(old, FLOW, "shop/hello"))
    assert one(mine, flow(new, as_published(new))).action == "unchanged"
    assert one(mine, flow(old, old), last).parts == (DRAFT, PUBLISHED)
    assert one(mine, flow(new, old), last).action == "publish", "as an apply leaves it that was cut between the two"
    assert one(mine, flow(new, None)).action == "publish"
    assert one(mine, flow(old | {"name": "Theirs"}, old), last).action == "conflict"
    assert one(mine, flow(new, old | {"name": "Theirs"}), last).action == "conflict"


def test_what_refers_to_what_is_not_there_is_left_and_says_so() -> None:
    bot = wanted({"name": "shop"}, BOT, "shop")
    content = {"flow": "hello", "entry": "paid", "token": "t"}
    trigger = wanted(content, TRIGGER, "shop/paid")
    call = wanted(CALL | {"auth": "secret.crm", "headers": {"a": "secret.b"}}, API_CALL, "seats")
    endpoint = wanted({"name": "e", "url": "https://e.example", "events": ["*"], "bots": ["none"]}, ENDPOINT, "e")

    def said(known: Known) -> dict[str, str]:
        return {step.thing.name: step.why for step in plan([bot, trigger, call, endpoint], [], known, Remembered())}

    nothing = said(Known())
    assert "no secret 'b'" in nothing["seats"]
    assert "no channel" in nothing["shop/paid"]
    assert nothing["e"] == "there is no bot 'none'"
    several = Known({"b", "crm"}, {"t": ["1"]}, {"shop": {"a": ["1"], "b": ["2"]}})
    assert "2 channels" in said(several)["shop/paid"]
    assert "token" in said(Known(channels={"shop": {"a": ["1"]}}))["shop/paid"]
    assert said(Known({"b", "crm"}, {"t": ["1"]}, {"shop": {"a": ["1"]}}))["shop/paid"] == ""
    model = CALL | {"kind": "model", "model": "m"}
    assert (
        "'kind' cannot be changed"
        in one(wanted(model, API_CALL, "seats"), found(CALL, API_CALL, "seats"), overwrite=True).why
    )
    hidden = wanted(CALL | {"headers": {"x": "[hidden]"}}, API_CALL, "seats")
    assert "secret.<name>" in one(hidden, None).why


def test_a_trigger_is_known_by_its_id_then_by_being_equal_then_by_being_the_only_one() -> None:
    def content(token: str) -> dict[str, Any]:
        return {"flow": "hello", "entry": "paid", "token": token}

    bot = wanted({"name": "shop"}, BOT, "shop")
    first, second = (found(content(token), TRIGGER, "shop/hello-paid", token) for token in ("a", "b"))
    mine = wanted(content("c"), TRIGGER, "shop/paid")
    remembered = Remembered()
    remembered.keep(mine, "b", CONTENT, second.content)

    def pair(files: list[Wanted], there: list[Found], last: Remembered | None = None) -> list[tuple[str, str | None]]:
        steps = plan([bot, *files], there, Known(), last or Remembered())
        return [(step.action, step.found.id if step.found else None) for step in steps[1:]]

    assert pair([mine], [first, second], remembered) == [("unchanged", "b"), ("absent", "a")]
    assert pair([wanted(content("b"), TRIGGER, "shop/x")], [first, second]) == [("unchanged", "b"), ("absent", "a")]
    assert pair([mine], [first]) == [("conflict", "a")]
    assert pair([mine], [first, second]) == [("blocked", None), ("absent", "a"), ("absent", "b")]


def test_of_bots_without_a_file_nothing_is_absent_but_themselves() -> None:
    there = [found({"name": "other"}, BOT, "other"), flow({}, None), found(A)]
    assert [(step.action, step.thing.name) for step in plan([], there, Known(), Remembered())] == [
        ("absent", "other"),
        ("absent", "vip"),
    ]


def test_what_differs_is_named_two_levels_deep() -> None:
    assert differences({"a": 1, "b": {"x": {"y": 1}, "z": 2}}, {"b": {"x": {"y": 2}, "z": 2}}) == ["a", "b/x"]


def test_equal_numbers_have_one_digest() -> None:
    assert digest({"a": [1.0, 1.5]}) == digest({"a": [1, 1.5]}) != digest({"a": [1, 2]})
