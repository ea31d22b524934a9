"""What the registry reads out of flow documents."""

from __future__ import annotations

from typing import Any

import pytest

from ingress.lookup.variables import CHECKS, accepts_of
from registry.resources.triggers import EXAMPLES
from registry.values import flow_documents
from servicekit.web.problems import ProblemError

FLOW: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "shop",
    "name": "Shop",
    "start": "ask",
    "triggers": [
        {"id": "a", "type": "command", "value": "/start", "to": "ask"},
        {"id": "b", "type": "command", "value": "/hook", "from": ["url", "chat"], "to": "ask"},
        {"id": "c", "type": "command", "value": "/vip", "when": "'vip' in user.tags", "to": "ask"},
        {"id": "d", "type": "webhook", "accept": {"order_id": "string!"}, "to": "ask"},
        {"id": "e", "type": "webhook", "to": "ask"},
        {"id": "f", "type": "button", "payload": "Buy", "to": "ask"},
        {"id": "g", "type": "button", "prefix": "order:", "to": "ask"},
        {"id": "h", "type": "button", "payload": "sell", "when": "'vip' in user.tags", "to": "ask"},
    ],
    "nodes": {
        "ask": {"type": "call_api", "api": "seats", "ports": {"ok": "say", "error": "say"}},
        "say": {"type": "say", "parts": [{"text": "Hi"}]},
    },
}


def test_a_document_is_read_from_text_or_json() -> None:
    text = "schema: flow/1\nslug: shop\nname: Shop\n"
    assert flow_documents.read(text) == {"schema": "flow/1", "slug": "shop", "name": "Shop"}
    assert flow_documents.read(FLOW) is FLOW


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ("a: [", "#"),
        ({"schema": "flow/9", "slug": "x"}, "#/document/schema"),
        ({"schema": "flow/1"}, "#/document/slug"),
        ({"schema": "flow/1", "slug": "Not A Slug"}, "#/document/slug"),
    ],
)
def test_what_is_no_flow_is_refused(given: Any, pointer: str) -> None:
    with pytest.raises(ProblemError) as refused:
        flow_documents.read(given)
    assert (refused.value.status, refused.value.extra["errors"][0]["pointer"]) == (422, pointer)


def test_names_fall_back_on_the_slug() -> None:
    assert flow_documents.names_of({"slug": "shop", "name": 7}) == {"slug": "shop", "name": "shop"}
    assert flow_documents.names_of(FLOW) == {"slug": "shop", "name": "Shop"}


def test_only_unconditional_commands_and_payloads_are_taken() -> None:
    assert list(flow_documents.commands(FLOW)) == ["chat /start", "url /hook", "chat /hook", "button Buy"]


def test_schedules_are_found_with_what_is_left_out_of_them() -> None:
    daily = {"id": "daily", "type": "schedule", "cron": "0 9 * * *", "to": "ask"}
    (found,) = flow_documents.schedules(FLOW | {"triggers": [*FLOW["triggers"], daily]})
    assert found.model_dump() == {
        "trigger": "daily", "cron": "0 9 * * *", "timezone": "UTC", "segment": None, "grace": "PT1H", "rate": 20.0,
    }  # fmt: skip
    assert flow_documents.schedules(FLOW) == ()
    asked = FLOW | {"triggers": [daily | {"segment": "students"}]}
    assert flow_documents.segments_asked(asked) == {"students"}


def test_api_calls_are_found_by_name() -> None:
    assert flow_documents.called_apis(FLOW) == {"seats"}


def test_only_webhook_triggers_of_sound_documents_are_entries() -> None:
    assert flow_documents.webhook_entry(FLOW, "d") == {"order_id": "string!"}
    assert flow_documents.webhook_entry(FLOW, "e") == {}
    assert flow_documents.webhook_entry(FLOW, "a") is None
    assert flow_documents.webhook_entry(FLOW | {"nodes": {}}, "d") is None


@pytest.mark.parametrize("type", CHECKS)
def test_the_body_that_is_to_be_copied_is_accepted_for_every_type(type: str) -> None:
    document = {"triggers": [{"id": "t", "type": "webhook", "accept": {"v": f"{type}!"}}]}
    accepts = accepts_of(document, "t")
    assert accepts is not None
    accepts.check({"v": EXAMPLES[type]})
