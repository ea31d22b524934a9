"""What a platform plans and means, as a delivery meets it."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from channels.reading import Meaning
from channels.reading import Reading as Told
from channels.sending import Plan, Refusal, Step
from channels.sending import Request as Asked
from dispatcher.errors import ChannelPaused, NoRequest, NotYetKnown
from dispatcher.model.delivery import Limits, SendContext
from dispatcher.requests import FINDING_SECONDS, Request
from dispatcher.sending import channel_requests
from dispatcher.sending.channel_requests import active, limits, meaning_of, of_plan, platform_of, read
from dispatcher.sending.rendering import render
from servicekit.http_client.guarded_http import Answer
from support.deliveries import CHANNEL, action_delivery, catalogue_of, channel, say


def context(*entities: Any) -> SendContext:
    return SendContext(catalogue_of(*entities), render, 15.0)


def asked(name: str) -> Asked:
    return Asked("POST", f"https://x.example/{name}", {"a": "b"}, b"{}", f"https://x.example/{name}", {}, b"{}", ("s",))


def step(name: str, role: Any = "preparation") -> Step:
    return Step(name, lambda done: asked("/".join([name, *(str(each.answer) for each in done)])), role)


def test_a_plan_is_its_first_request_and_each_next_one_knows_what_came_before() -> None:
    courtesy = step("tap", "courtesy")
    first = of_plan(Plan((courtesy, step("upload"), step("save"), step("say", "message"))))
    assert [each.url for each in first.before] == ["https://x.example/tap"]
    assert (first.url, first.step) == ("https://x.example/upload", "upload")
    assert first.then is not None
    second: Request = first.then(meaning_of(Told("sent", answer=1)))
    assert (second.url, second.before) == ("https://x.example/save/1", ())
    assert second.then is not None
    last: Request = second.then(meaning_of(Told("sent", answer=2)))
    assert (last.url, last.step, last.then) == ("https://x.example/say/1/2", "say", None)
    assert last.secrets == ("s",)


def test_a_refusal_ends_the_delivery_in_its_words() -> None:
    with pytest.raises(NoRequest, match="Too long") as refused:
        of_plan(Refusal("text-length", "Too long."))
    assert (refused.value.outcome, refused.value.code) == ("exhausted", "text-length")


@pytest.mark.parametrize(
    ("meaning", "verdict"),
    [
        ("sent", "succeeded"), ("failed", "retry"), ("limited", "retry"), ("moved", "retry"),
        ("unreachable", "exhausted"), ("credentials", "retry"), ("refused", "exhausted"),
    ],
)  # fmt: skip
def test_a_meaning_decides_whether_it_is_tried_again(meaning: Meaning, verdict: str) -> None:
    assert meaning_of(Told(meaning)).verdict == verdict


def test_who_is_limited_waits_the_bot_or_the_chat_alone() -> None:
    bot = meaning_of(Told("limited", retry_after=42.0, scope="bot"))
    assert (bot.retry_after, bot.pause, bot.pause_reason, bot.chat_waits) == (42, 42, "rate-limited", None)
    chat = meaning_of(Told("limited", retry_after=6.0, scope="chat"))
    assert (chat.retry_after, chat.pause, chat.chat_waits, chat.chat_or_bot) == (6, None, 6, False)
    unsaid = meaning_of(Told("limited", retry_after=6.0))
    assert (unsaid.retry_after, unsaid.pause, unsaid.chat_waits, unsaid.chat_or_bot) == (6, None, 6, True)
    assert meaning_of(Told("limited", retry_after=1e300, scope="bot")).pause == 3600
    assert meaning_of(Told("limited")).retry_after == 1


def test_refused_credentials_rest_the_channel() -> None:
    reading = meaning_of(Told("credentials", "unauthorized", healthy=False))
    assert (reading.pause, reading.pause_reason, reading.destination_failed) == (FINDING_SECONDS, "unauthorized", True)


def test_what_the_engine_is_told_is_passed_on() -> None:
    blocked = meaning_of(Told("unreachable", "blocked", "She blocked you.", unreachable="blocked"))
    assert (blocked.unreachable, blocked.code, blocked.detail) == ("blocked", "blocked", "She blocked you.")
    assert meaning_of(Told("sent", provider_message_id="17")).provider_message_id == "17"
    assert meaning_of(Told("moved", moved_to="-100")).moved_to == "-100"
    assert channel_requests.moved(action_delivery(say("Hello")), "-100").peer_id == "-100"


def test_a_channel_takes_what_its_platform_takes() -> None:
    assert limits(CHANNEL, catalogue_of(channel())) == Limits(30, 30.0)
    assert limits(CHANNEL, catalogue_of()).in_flight == 4


def test_a_paused_channel_waits_and_one_of_another_kind_ends_its_messages() -> None:
    delivery = action_delivery(say("Hello"))
    with pytest.raises(ChannelPaused):
        active(delivery, context(channel(state="paused")))
    for type in ("webchat", "somebody-elses"):
        with pytest.raises(NoRequest) as refused:
            platform_of(delivery, context(channel(type=type)))
        assert refused.value.code == "no-such-channel"
    with pytest.raises(NotYetKnown):
        platform_of(delivery, context())


def test_an_answer_is_read_by_its_channels_platform() -> None:
    delivery, around = action_delivery(say("Hello")), context(channel())
    body = b'{"ok": true, "result": {"message_id": 17}}'
    request = of_plan(Plan((step("sendMessage", "message"),)))
    reading = read(delivery, request, Answer(200, CIMultiDict(), body, 1), around)
    assert (reading.verdict, reading.provider_message_id) == ("succeeded", "17")
