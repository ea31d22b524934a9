"""Entities, their records, and what is shown of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from contracts.registry import (
    ENTITY_MODELS,
    Bot,
    Entity,
    EntityRecord,
    FlowVersion,
    Project,
    Sealed,
    Trigger,
    TriggerAuth,
)
from registry.entities import Stored, key_of, record_of
from registry.resources.tokens import mixes_apis
from registry.resources.triggers import body_example, hint
from registry.writing.answers import Answer

SEALED = Sealed(kek_id="k", wrapped_key="w", nonce="n", ciphertext="c")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entity", "kind", "id", "project"),
    [
        (Project(id="p", name="P", slug="p", signing_secret=SEALED), "project", "p", "p"),
        (Bot(id="b", project_id="p", name="B"), "bot", "b", "p"),
        (FlowVersion(flow_id="f", project_id="p", bot_id="b", version=3, document={}), "flow_version", "f/3", "p"),
    ],
)
def test_every_entity_says_what_it_is_and_whose(entity: Entity, kind: str, id: str, project: str) -> None:
    assert (entity.KIND, entity.entity_id, entity.owner_id) == (kind, id, project)
    assert key_of(record_of(entity, version=1, generation=1)) == f"{kind}/{id}"


def test_a_record_is_of_a_kind_that_the_table_has() -> None:
    with pytest.raises(ValidationError, match="no kind of entity"):
        EntityRecord(kind="nothing", id="b", project_id="p", version=1)


@pytest.mark.parametrize("model", ENTITY_MODELS.values(), ids=lambda model: model.KIND)
def test_what_a_kind_is_looked_up_by_are_fields_of_it(model: type[Entity]) -> None:
    assert {field for fields in model.INDEXES.values() for field in fields} <= model.model_fields.keys()


def test_a_delete_marker_has_no_data() -> None:
    record = record_of(Bot(id="b", project_id="p", name="B"), version=4, generation=2, deleted=True)
    assert record == EntityRecord(kind="bot", id="b", project_id="p", generation=2, version=4, deleted=True)


def test_what_was_deleted_is_never_said_to_be_gone_while_kafka_is_down() -> None:
    assert Answer(204).pending() == Answer(202, {"state": "pending"})
    assert Answer(201, {"id": "x"}).pending() == Answer(201, {"id": "x"})
    assert Answer(201, {"id": "x"}).response(pending=True).headers["switchhook-state"] == "pending"


@pytest.mark.parametrize(
    ("scopes", "mixed"),
    [
        (("bots:converse",), False),
        (("data:read", "data:write"), False),
        (("bots:converse", "data:read"), True),
        (("bots:converse", "data:write"), True),
    ],
)
def test_a_token_of_both_apis_is_noticed(scopes: tuple[str, ...], mixed: bool) -> None:
    assert mixes_apis(scopes) is mixed  # type: ignore[arg-type]  # literals of Scope


def trigger(group: str | None = None) -> Stored[Trigger]:
    entity = Trigger(
        id="t", project_id="p", bot_id="b", flow_id="f", entry="e", group_peer_id=group, auth=TriggerAuth()
    )
    return Stored(entity, 1, NOW, NOW, {"accepts": {"order_id": "string!", "count": "integer"}})


def test_the_example_is_complete_but_for_the_person() -> None:
    assert body_example(trigger(), "swh_new") == {
        "token": "swh_new", "peer_id": "<the person's id>", "variables": {"order_id": "…", "count": 1}
    }  # fmt: skip
    assert body_example(trigger("-100"), "swh_new")["peer_id"] == "-100"


def test_the_hint_says_who_fills_the_peer_in() -> None:
    assert hint(trigger().entity).startswith("peer_id: fill in")
    assert hint(trigger("-100").entity).startswith("peer_id is filled in")
