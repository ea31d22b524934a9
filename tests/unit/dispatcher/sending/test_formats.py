"""Bodies of webhooks, against samples of what SendPulse's users receive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from channels.descriptor import SendPulse
from channels.discovery import installed
from contracts.people import ContactView
from dispatcher.sending import formats
from dispatcher.sending.formats import ShownBot, Subject
from dispatcher.sending.rendering import render
from support.deliveries import AT

SAMPLES = Path(__file__).parents[3] / "samples"
BOT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1a01"
CONTACT = ContactView(
    id="0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1b02",
    name="Alex",
    username="alex",
    email="alex@example.com",
    phone="+15550100001",
    photo="https://cdn.example.com/alex.jpg",
    tags=("reserved", "speaker"),
    variables={"lecture": "3"},
    last_message="3",
    flags=("vip",),
).model_dump()
SENDPULSE = {type: connector.descriptor.sendpulse for type, connector in installed().items()}
TELEGRAM = ShownBot(
    bot_id=BOT,
    name="Conference",
    channel_type="telegram",
    external_id="104117781",
    url="https://t.me/conference_bot",
    words=SENDPULSE["telegram"],
)
WHATSAPP = ShownBot(
    bot_id=BOT,
    name="Conference",
    channel_type="whatsapp",
    external_id="15550100002",
    url="https://wa.me/15550100002",
    words=SendPulse(
        message_kinds=(
            "text", "audio", "context", "interactive", "contacts", "button", "system", "voice", "video", "identity",
            "image", "document", "sticker", "location", "reaction", "order",
        ),
    ),
)  # fmt: skip


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"sendpulse_{name}.json").read_text())


def step(**data: Any) -> Subject:
    return Subject(
        "webhook.sent", "2026-11-21T00:01:00Z", {"contact": CONTACT, **data}, "Reserved. Lecture #3", step=True
    )


def made(format: Any, subject: Subject, shown_bot: ShownBot = TELEGRAM, template: str | None = None) -> Any:
    return json.loads(formats.body(format, subject, shown_bot, template, render))


def test_a_steps_webhook_is_sendpulses() -> None:
    assert made("sendpulse", step()) == sample("send_webhook")


def test_a_steps_webhook_is_sendpulses_older_one() -> None:
    assert made("sendpulse_legacy", step()) == sample("legacy_send_webhook")


def test_an_incoming_message_is_sendpulses() -> None:
    contact = ContactView(
        id=CONTACT["id"], name="Alex", username="alex", variables={"dept": "Designer"}, last_message="Is lecture 3 still open?"
    )  # fmt: skip
    platform_id = "wamid.HBgLMTU1NTAxMDAwMDEVAgASGBQzQQ"
    message = {
        "id": "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1c03",
        "message_id": platform_id,
        "text": "Is lecture 3 still open?",
        "provider": {
            "id": platform_id,
            "from": "15550100001",
            "type": "text",
            "text": {"body": "Is lecture 3 still open?"},
            "timestamp": "1795219200",
        },
    }
    subject = Subject("message.received", AT, {"contact": contact.model_dump(), "message": message})
    assert made("sendpulse", subject, WHATSAPP) == sample("incoming_message")


def test_of_a_live_message_the_id_is_ours_and_the_platforms_is_beside_it() -> None:
    message = {"id": "77", "type": "text", "text": "hi", "provider": {"message_id": 77, "text": "hi"}}
    data = {"event_id": "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1c03", "message": message}
    shown = made("sendpulse", Subject("message.received", AT, data))[0]["info"]["message"]
    assert (shown["id"], shown["channel_data"]["message_id"]) == (data["event_id"], "77")


@pytest.mark.parametrize("channel", ["webchat", "http"])
def test_a_bot_without_an_id_of_a_platform_is_told_by_ours(channel: str) -> None:
    shown_bot = ShownBot(bot_id=BOT, channel_type=channel, words=SENDPULSE[channel])
    assert made("sendpulse", Subject("bot.subscribed", AT, {}), shown_bot)[0]["bot"]["external_id"] == BOT


@pytest.mark.parametrize(
    ("trigger", "title"),
    [
        ("webhook", "run_custom_flow"),
        ("keyword", "run_custom_flow"),
        ("command", "run_custom_flow"),
        ("api", "run_custom_flow"),
        ("jump", "flow.launched"),
        ("button", "flow.launched"),
        ("no_match", "flow.launched"),
    ],
)
def test_only_starts_from_outside_and_by_word_are_custom_flows(trigger: str, title: str) -> None:
    subject = Subject("flow.launched", AT, {"trigger": {"id": "t", "type": trigger}, "flow": {"id": "f", "name": "F"}})
    assert formats.title_of(subject) == title


def test_a_message_without_the_platforms_own_has_its_text_and_every_kind() -> None:
    subject = Subject("message.received", AT, {"message": {"id": "m1", "text": "hello"}})
    shown = made("sendpulse", subject, ShownBot(bot_id=BOT, channel_type="webchat", words=SENDPULSE["webchat"]))[0]
    assert shown["service"] == "livechat"
    assert shown["info"]["message"]["channel_data"] == {
        "message_id": "m1",
        "message": {"text": "hello", "payload": None, "attachments": None, "location": None, "contact": None},
    }


@pytest.mark.parametrize(
    ("type", "title"),
    [
        ("bot.subscribed", "new_subscriber"),
        ("message.received", "incoming_message"),
        ("message.sent", "outgoing_message"),
        ("live_chat.opened", "open_chat"),
        ("flow.launched", "run_custom_flow"),
        ("redirect.followed", "link_click"),
        ("bot.unsubscribed", "unsubscribe"),
        ("bot.blocked", "bot_block"),
        ("tag.added", "tag.added"),
    ],
)
def test_an_event_has_sendpulses_title_or_its_type(type: str, title: str) -> None:
    assert made("sendpulse", Subject(type, AT, {}))[0]["title"] == title


def test_an_endpoints_own_title_wins_and_a_steps_own_wins_over_it() -> None:
    assert formats.title_of(Subject("tag.added", AT, {}), {"tag.added": "labelled"}) == "labelled"
    assert formats.title_of(step(), {"webhook.sent": "no"}) == "Reserved. Lecture #3"


def test_a_variable_never_hides_what_the_contact_has() -> None:
    contact = CONTACT | {"variables": {"name": "Mallory", "tags": "none", "lecture": "3"}}
    shown = made("sendpulse", step(contact=contact))[0]["contact"]
    assert (shown["name"], shown["tags"], shown["lecture"]) == ("Alex", ["reserved", "speaker"], "3")


def test_an_event_spreads_no_variables_and_shows_no_flags() -> None:
    shown = made("sendpulse", Subject("tag.added", AT, {"contact": CONTACT}))[0]["contact"]
    assert "lecture" not in shown
    assert "flags" not in shown
    assert shown["variables"] == {"lecture": "3"}


def test_links_and_flows_are_told() -> None:
    link = made("sendpulse", Subject("redirect.followed", AT, {"node": "n1", "link": {"url": "https://example.com/"}}))
    assert link[0]["info"] == {"link": {"url": "https://example.com/", "node": "n1"}}
    flow = made("sendpulse", Subject("flow.launched", AT, {"flow": {"id": "f1", "slug": "reserve", "version": 2}}))
    assert flow[0]["info"] == {"flow": {"id": "f1", "name": "reserve"}}


def test_our_own_format_is_the_event_as_it_is() -> None:
    subject = Subject("tag.added", AT, {"contact": CONTACT})
    body = formats.body("switchhook", subject, TELEGRAM, None, render)
    assert orjson.loads(body) == {
        "type": "tag.added",
        "timestamp": AT,
        "data": orjson.loads(orjson.dumps(subject.data)),
    }


def test_a_template_sees_the_event_its_title_and_its_contact() -> None:
    source = '{"what": "{{ event.title }}", "who": "{{ contact.name }}", "old": "{{ event.data.nothing }}"}'
    subject = Subject("bot.subscribed", AT, {"contact": CONTACT})
    assert made("template", subject, template=source) == {"what": "new_subscriber", "who": "Alex", "old": ""}
