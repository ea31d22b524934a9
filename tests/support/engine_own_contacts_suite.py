"""A contact itself is made or changed by another program, under a key of its own: on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from support.engine_world import BOT, EngineWorld, flow, flow_version

TAKES_BACK: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "takes-back",
    "name": "Takes back",
    "start": "add",
    "triggers": [{"id": "back", "type": "command", "value": "/back", "to": "add"}],
    "nodes": {
        "add": {"type": "tag", "add": ["new"], "ports": {"next": "remove"}},
        "remove": {"type": "tag", "remove": ["new"]},
    },
}
NOTHING_KNOWN: dict[str, Any] = {"variables": {}, "tags": [], "flags": [], "webhook_titles": []}
"""A contact in events, but for its id."""
REPLY = {"instance": "engine-1", "partition": 0, "until": "rest"}


async def write(world: EngineWorld, own: str, **fields: Any) -> dict[str, Any]:
    """What who waits is told of a write under this key."""
    asked = REPLY | {"request_id": str(uuid4())}
    await world.send("contact_update", "-", channel="-", key=f"{BOT}/-/{own}", reply_to=asked, **fields)
    return world.bodies("replies")[-1]


async def make(world: EngineWorld, **fields: Any) -> str:
    made = await write(world, str(uuid4()), create=True, **fields)
    assert made["status"] == "completed"
    return str(made["contact_id"])


class OwnContactsSuite:
    """Test classes inherit it and give a `world` fixture."""

    async def test_a_contact_without_a_conversation_is_made_and_changed_and_told_of_once(
        self, world: EngineWorld
    ) -> None:
        id = await make(world, profile={"name": "Anna", "email": "a@example.com"}, add_tags=["vip"], add_flags=["paid"])
        changed = {"profile": {"city": "Riga"}, "variables": {"points": 3}, "remove_tags": ["vip"]}
        told = await write(world, id, **changed)
        assert (told["status"], told["contact_id"]) == ("completed", id)
        (created,) = world.events("contact.created")
        assert (created["contact"]["id"], created["contact"]["tags"], created["bot"]["id"]) == (id, ["vip"], BOT)
        assert created.keys().isdisjoint({"channel", "conversation_id"})
        (updated,) = world.events("contact.updated")
        assert updated["changed"] == ["profile.city", "variables.points"]
        assert (updated["contact"]["city"], updated["contact"]["tags"]) == ("Riga", [])
        told_of = {
            type: len(world.events(type)) for type in ("tag.added", "flag.assigned", "tag.removed", "flag.removed")
        }
        assert told_of == {"tag.added": 1, "flag.assigned": 1, "tag.removed": 1, "flag.removed": 0}

    async def test_a_repeat_makes_nobody_anew_and_is_answered_as_the_first_one(self, world: EngineWorld) -> None:
        asked = {"create": True, "profile": {"name": "Anna"}, "id": "order-1", "request_digest": "d1"}
        first, again = await write(world, "order-1", **asked), await write(world, "order-1", **asked)
        assert first["contact_id"] == again["contact_id"]
        assert len(world.events("contact.created")) == 1
        other = await write(world, "order-1", **asked | {"request_digest": "d2"})
        assert (other["status"], other["problem"]["type"]) == ("rejected", "idempotency-key-reused")

    async def test_a_change_of_what_was_changed_meanwhile_is_refused(self, world: EngineWorld) -> None:
        id = await make(world, profile={"name": "Anna"})
        assert (await write(world, id, profile={"name": "Ann"}, if_version=1))["status"] == "completed"
        refused = await write(world, id, profile={"name": "Annie"}, if_version=1)
        assert (refused["problem"]["type"], refused["problem"]["status"]) == ("stale", 412)
        assert (await write(world, id, profile={"name": "Anne"}, if_version=2))["status"] == "completed"
        assert [one["contact"]["name"] for one in world.events("contact.updated")] == ["Ann", "Anne"]

    async def test_a_turn_that_takes_back_what_it_did_is_told_of_and_is_no_change(self, world: EngineWorld) -> None:
        world.view.put(flow_version(TAKES_BACK, flow="flow-98"), flow("takes-back", id="flow-98"))
        await world.say("hello?")
        id = world.events("contact.created")[0]["contact"]["id"]
        await world.say("/back")
        assert [len(world.events(type)) for type in ("tag.added", "tag.removed")] == [1, 1]
        assert (await write(world, id, profile={"name": "Anna"}, if_version=1))["status"] == "completed"

    async def test_of_two_changes_of_one_version_in_one_batch_the_second_is_refused(self, world: EngineWorld) -> None:
        id = await make(world, profile={"name": "Anna"})
        for name in ("Ann", "Annie"):
            reply = REPLY | {"request_id": name}
            world.put(
                "contact_update",
                "-",
                channel="-",
                key=f"{BOT}/-/{id}",
                profile={"name": name},
                if_version=1,
                reply_to=reply,
            )
        await world.settle()
        assert {one["request_id"]: one["status"] for one in world.bodies("replies")[-2:]} == {
            "Ann": "completed",
            "Annie": "rejected",
        }

    async def test_what_a_conversation_changes_in_the_same_batch_counts(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        id = (await world.contact()).id
        world.put("message", message_id="m2", text="hello?", profile={"name": "Ann"})
        for version in (1, 2):
            asked = REPLY | {"request_id": f"if-{version}"}
            change: dict[str, Any] = {"profile": {"city": "Riga"}, "if_version": version, "reply_to": asked}
            world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{id}", **change)
        await world.settle()
        told = {one["request_id"]: one["status"] for one in world.bodies("replies")[-2:]}
        assert told == {"if-1": "rejected", "if-2": "completed"}
        assert (await world.contact()).profile == {"name": "Ann", "city": "Riga"}

    @pytest.mark.parametrize("in_one_batch", [True, False])
    async def test_an_external_id_is_one_persons(self, world: EngineWorld, in_one_batch: bool) -> None:
        told: dict[str, Any] = {"channel": "-", "create": True, "profile": {"external_id": "c-1"}}
        for number in (1, 2):
            reply = REPLY | {"request_id": str(number)}
            world.put("contact_update", "-", key=f"{BOT}/-/new-{number}", reply_to=reply, **told)
            if not in_one_batch:
                await world.settle()
        await world.settle()
        first, second = world.bodies("replies")
        assert (second["problem"]["type"], second["problem"]["reason"]) == ("contact-exists", first["contact_id"])
        other = await make(world, profile={"name": "Ben"})
        refused = await write(world, other, profile={"external_id": "c-1"})
        assert (refused["problem"]["type"], refused["problem"]["status"]) == ("contact-exists", 409)
        assert (await write(world, first["contact_id"], profile={"external_id": "c-1"}))["status"] == "completed"

    async def test_what_is_taken_back_names_nobody(self, world: EngineWorld) -> None:
        id = await make(world, profile={"external_id": "c-1", "email": "a@example.com"}, variables={"points": 3})
        await write(world, id, clear=["external_id", "email"], variables={"points": None})
        assert world.events("contact.updated")[-1]["contact"] == NOTHING_KNOWN | {"id": id}
        assert await make(world, profile={"external_id": "c-1"}) != id

    @pytest.mark.parametrize("by", ["contact_id", "external_id"])
    async def test_who_has_no_conversation_is_changed_by_a_name_and_who_asked_hears_of_it(
        self, world: EngineWorld, by: str
    ) -> None:
        id = await make(world, profile={"external_id": "c-1", "name": "Anna"})
        person = {by: id if by == "contact_id" else "c-1"}
        asked: dict[str, Any] = {
            "channel": "-",
            "person": person,
            "reply_to": REPLY | {"request_id": "r", "until": "verdict"},
        }
        key = f"{BOT}/-/{by}:{person[by]}"
        change = {"profile": {"city": "Riga"}, "clear": ["name"], "id": "c-17", "request_digest": "d1"}
        await world.send("contact_update", "-", key=key, **asked, **change)
        assert world.out("inbound")[-1].key == f"{BOT}/-/{id}".encode()
        told = world.bodies("replies")[-1]
        assert (told["status"], told["contact_id"]) == ("completed", id)
        assert world.events("contact.updated")[-1]["changed"] == ["profile.city", "profile.name"]
        await world.send("contact_update", "-", key=key, **asked, **change | {"request_digest": "d2"})
        assert world.bodies("replies")[-1]["problem"]["type"] == "idempotency-key-reused"

    async def test_a_merge_by_name_goes_to_the_contact_though_it_has_a_conversation(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        anna, ann = (await world.contact()).id, await make(world, profile={"city": "Riga"})
        person = {"contact_id": anna}
        await world.send("contact_update", "-", channel="-", key=f"{BOT}/-/contact_id:{anna}", person=person, merge=ann)
        assert (await world.contact()).profile == {"name": "Anna", "city": "Riga"}

    async def test_a_write_that_changes_nothing_is_not_told_of_and_counts_for_nothing(self, world: EngineWorld) -> None:
        same: dict[str, Any] = {"profile": {"name": "Anna"}, "variables": {"points": 1}}
        id = await make(world, **same, add_tags=["vip"])
        told = await write(world, id, **same, add_tags=["vip"], remove_flags=["paid"], clear=["city"])
        assert (told["status"], world.events("contact.updated"), len(world.events("tag.added"))) == ("completed", [], 1)
        await write(world, id, variables={"points": True}, if_version=1)
        assert [one["changed"] for one in world.events("contact.updated")] == [["variables.points"]]
        assert (await write(world, id, profile={"name": "Ann"}, if_version=2))["status"] == "completed"

    async def test_what_a_conversation_changes_to_what_it_is_counts_for_nothing(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        await world.send("contact_update", profile={"name": "Anna"})
        assert world.events("contact.updated") == []
        assert (await write(world, (await world.contact()).id, profile={"name": "Ann"}, if_version=1))[
            "status"
        ] == "completed"

    async def test_nobody_is_changed_under_an_id_that_nobody_has(self, world: EngineWorld) -> None:
        for own in (str(uuid4()), "no id"):
            refused = await write(world, own, profile={"name": "?"})
            assert (refused["problem"]["type"], refused["problem"]["status"]) == ("contact-not-found", 404)
        assert world.events("contact.updated") == []

    async def test_a_person_of_a_conversation_is_changed_too_and_no_flow_runs(self, world: EngineWorld) -> None:
        await world.say("hello?")
        before, said = await world.contact(), len(world.out("actions"))
        await write(world, before.id, profile={"city": "Riga"}, add_flags=["paid"])
        after = await world.contact()
        assert (after.profile["city"], after.flags, len(world.out("actions"))) == ("Riga", ["paid"], said)
        await world.send("signal", "-", channel="-", key=f"{BOT}/-/contact_id:{before.id}", name="x",
                         person={"contact_id": before.id})  # fmt: skip
        assert world.bodies("inbound")[-1]["peer_id"] == "p1"

    async def test_a_contact_past_its_limit_is_refused_and_stays_as_it_was(self, world: EngineWorld) -> None:
        id = await make(world, profile={"name": "Anna"})
        refused = await write(world, id, variables={"much": "x" * 70_000})
        assert (refused["problem"]["type"], refused["problem"]["status"]) == ("too-large", 413)
        assert (await write(world, id, profile={"city": "Riga"}, if_version=1))["status"] == "completed"
        assert await world.held("-") == 0

    @pytest.mark.parametrize(
        "change",
        [
            {"add_tags": [f"tag-{number}" for number in range(65)]},
            {"add_tags": [f"tag-{number}" for number in range(40)], "variables": {"much": "x" * 60_000}},
        ],
        ids=["many events", "much in all"],
    )
    async def test_a_change_that_cannot_be_told_of_is_refused_and_holds_nobody(
        self, world: EngineWorld, change: dict[str, Any]
    ) -> None:
        id = await make(world, profile={"name": "Anna"})
        refused = await write(world, id, **change)
        assert (refused["problem"]["type"], refused["problem"]["status"]) == ("too-large", 413)
        assert (await write(world, id, profile={"city": "Riga"}, if_version=1))["status"] == "completed"
        await world.say("hello?")
        await world.send("contact_update", **change)
        assert await world.held() == 0
        assert (await world.contact()).tags == []

    async def test_a_contact_that_cannot_be_told_of_is_not_made(self, world: EngineWorld) -> None:
        told: dict[str, Any] = {"create": True, "profile": {"external_id": "c-1"}}
        refused = await write(world, "new", add_tags=[f"tag-{number}" for number in range(64)], **told)
        assert (refused["problem"]["type"], refused["problem"]["status"]) == ("too-large", 413)
        assert (await write(world, "newer", **told))["status"] == "completed"

    async def test_a_merge_that_cannot_be_told_of_leaves_two(self, world: EngineWorld) -> None:
        first, second = await make(world, profile={"name": "Anna"}), await make(world, profile={"city": "Riga"})
        for start in (0, 40):
            await write(world, second, add_tags=[f"tag-{number}" for number in range(start, start + 40)])
        assert (await write(world, first, merge=second))["problem"]["type"] == "too-large"
        assert (await write(world, first, profile={"name": "Ann"}, if_version=1))["status"] == "completed"

    async def test_two_contacts_become_one_that_has_what_either_had(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna", "city": "Riga"})
        anna = (await world.contact()).id
        ann = await make(
            world, profile={"external_id": "c-1", "name": "Ann"}, variables={"points": 3}, add_tags=["vip"]
        )
        assert (await write(world, ann, merge=anna, if_version=2))["problem"]["type"] == "stale"
        told = await write(world, ann, merge=anna, if_version=1)
        assert (told["status"], told["contact_id"]) == ("completed", ann)
        one = await world.contact()
        assert (one.id, one.profile) == (ann, {"external_id": "c-1", "name": "Ann", "city": "Riga"})
        assert (one.variables, one.tags) == ({"points": 3}, ["vip"])
        assert [each["changed"] for each in world.events("contact.updated")] == [["profile.city"]]
        again = await write(world, ann, merge=anna)
        assert (again["status"], len(world.events("contact.updated"))) == ("completed", 1)
        await write(world, anna, variables={"points": 4})
        assert (await world.contact()).variables == {"points": 4}
        refused = await write(world, ann, merge=str(uuid4()))
        assert refused["problem"]["type"] == "contact-not-found"

    async def test_what_a_batch_does_after_a_merge_is_done_to_who_is_left(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna"})
        anna, ann = (await world.contact()).id, await make(world, profile={"name": "Ann"})
        world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{ann}", merge=anna)
        world.put("contact_update", profile={"name": "Annie"}, add_tags=["late"])
        world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{anna}", variables={"points": 3})
        await world.settle()
        one = await world.contact()
        assert (one.id, one.profile, one.variables, one.tags) == (ann, {"name": "Annie"}, {"points": 3}, ["late"])

    async def test_two_that_are_too_large_together_stay_two(self, world: EngineWorld) -> None:
        first = await make(world, variables={"a": "x" * 40_000})
        second = await make(world, variables={"b": "x" * 40_000})
        assert (await write(world, first, merge=second))["problem"]["type"] == "too-large"
