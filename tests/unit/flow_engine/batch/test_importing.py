"""Lines of an import on the twin in memory: what comes of each is what would come of a change of a contact's own."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson

from flow_engine.state.limits import CONTACT_LIMIT, MOST_HOPS
from servicekit.kafka.records import Outgoing
from support.engine_world import BOT, EngineWorld

FILE = f"{BOT}/-/import-1"
REPLY_TO = {"instance": "api-1", "partition": 0, "request_id": "r1"}


def line(number: int, id: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"line": number, "event_id": id or str(uuid5(NAMESPACE_OID, f"line {number}")), **fields}


async def imported(world: EngineWorld, *lines: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """What is told of each of these lines, which come in one record."""
    about = {"channel": "-", "key": FILE, "lines": list(lines), "reply_to": REPLY_TO}
    await world.send("contact_import", "-", **about, **more)
    told: list[dict[str, Any]] = orjson.loads(world.out("replies")[-1].value or b"")["lines"]
    return told


def shown(events: list[Outgoing]) -> list[tuple[bytes | None, dict[str, bytes], Any]]:
    """Key, headers and value of each, without what names the record that caused it."""
    return [
        (
            one.key,
            {name: value for name, value in one.headers if not name.startswith("src-")},
            orjson.loads(one.value or b""),
        )
        for one in events
    ]


async def test_a_line_tells_what_a_contact_that_is_made_and_changed_alone_tells(world: EngineWorld) -> None:
    ann = {"profile": {"external_id": "c-1", "name": "Ann"}, "add_tags": ["a", "b"], "add_flags": ["f"]}
    change: dict[str, Any] = {
        "profile": {"city": "Riga"}, "clear": ["name"], "remove_tags": ["b"], "variables": {"n": 1, "gone": None},
    }  # fmt: skip
    (made,) = await imported(world, line(1, "e-1", **ann))
    await imported(world, line(2, "e-2", **change, contact_id=made["contact_id"]))
    by_lines = shown(world.out("events"))
    world.written.clear()
    world.store.contacts.clear()  # type: ignore[attr-defined]
    world.store.identities.clear()  # type: ignore[attr-defined]
    about: dict[str, Any] = {"channel": "-"}
    await world.send("contact_update", "-", id="e-1", key=f"{BOT}/-/e-1", create=True, **about, **ann)
    await world.send("contact_update", "-", id="e-2", key=f"{BOT}/-/{made['contact_id']}", **about, **change)
    assert by_lines == shown(world.out("events"))
    types = [value["type"] for _, _, value in by_lines]
    assert types == ["contact.created", "tag.added", "tag.added", "flag.assigned", "contact.updated", "tag.removed"]


async def test_a_line_past_a_limit_is_refused_alone(world: EngineWorld) -> None:
    told = await imported(
        world, line(1, profile={"name": "Ann"}), line(2, variables={"much": "x" * CONTACT_LIMIT}),
        line(3, add_tags=[f"t{number}" for number in range(64)]), line(4, profile={"name": "Ben"}),
    )  # fmt: skip
    assert [one.get("problem", {}).get("type") for one in told] == [None, "too-large", "too-large", None]
    assert len(world.events("contact.created")) == 2


async def test_what_is_too_far_from_its_first_cause_makes_nobody(world: EngineWorld) -> None:
    (told,) = await imported(world, line(1, profile={"name": "Ann"}), hops=MOST_HOPS + 1)
    assert (told["problem"]["type"], world.out("events")) == ("too-many-hops", [])


async def test_a_line_that_comes_twice_under_its_key_is_applied_once(world: EngineWorld) -> None:
    ann = line(1, profile={"name": "Ann"}, digest="d1")
    first, again = await imported(world, ann, ann)
    (later,) = await imported(world, ann)
    assert first == again == later
    (other,) = await imported(world, ann | {"digest": "d2"})
    assert other["problem"]["type"] == "idempotency-key-reused"
    assert len(world.events("contact.created")) == 1


async def test_lines_see_those_before_them(world: EngineWorld) -> None:
    first, second, ben, taken = await imported(
        world, line(1, profile={"external_id": "c-1"}), line(2, profile={"external_id": "c-1", "name": "Ann"}),
        line(3, profile={"name": "Ben"}), line(4, profile={"external_id": "c-1"}, contact_id="nobody"),
    )  # fmt: skip
    assert first["contact_id"] == second["contact_id"] != ben["contact_id"]
    assert taken["problem"]["type"] == "contact-not-found"
    assert [one["changed"] for one in world.events("contact.updated")] == [["profile.name"]]


async def test_what_a_record_of_lines_causes_is_numbered_together(world: EngineWorld) -> None:
    world.put("contact_import", "-", channel="-", key=FILE, lines=[line(1), line(2)], reply_to=REPLY_TO)
    commit = await world.compute()
    ((_, caused),) = commit.outgoing
    assert [record.topic.rsplit(".")[-2] for record in caused] == ["events", "events", "replies"]
