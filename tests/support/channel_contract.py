"""What every type of channel has to do, whoever brings it: a class of tests to be subclassed for one connector.

`ChannelContract` is for all, in-house ones too; `PlatformContract` adds what a platform's calls, requests and answers
have to hold.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, ClassVar, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.descriptor import Capability, Found
from channels.limits import Length, payload_of, too_much
from channels.port import Account, Connector, Platform
from channels.reading import Meaning, Reading
from channels.receiving import InboundCall, NotProven, Taken
from channels.sending import Plan, Refusal, Request
from contracts.actions import AcknowledgeTap, Button, Card, Location, Media, MessageContent, SendMessage
from contracts.ids import PEER_ID
from contracts.inbound import InboundAdapter
from contracts.registry import Channel

AT, LATER = "2026-11-21T00:00:00.000Z", "2026-11-21T08:00:00.000Z"
INBOUND_URL = "https://bots.example.com/v1/in/channel-1/planted-random-part"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

FUZZED = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
"""The suite's methods run for each of its subclasses, which is what that check warns of."""


class NotAnObject(Exception):
    """The door's refusal of a body that is no JSON object; a channel lets it pass."""


def parse(body: bytes) -> dict[str, Any]:
    """Stands for the door's JSON parser."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotAnObject from error
    if not isinstance(value, dict):
        raise NotAnObject
    return value


def call_of(
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    query: Mapping[str, str] | None = None,
    received_at: str = AT,
) -> InboundCall:
    """A call at the channel's inbound URL."""
    raw = {name.lower().encode(): value.encode() for name, value in (headers or {}).items()}
    return InboundCall(method, query or {}, raw, body, received_at, parse)


def account_of(connector: Connector, credentials: Mapping[str, str], **fields: Any) -> Account:
    """A channel with these credentials, as the registry publishes it."""
    digested = next((each.name for each in connector.descriptor.credentials if each.digested), None)
    secret = credentials.get(digested or "")
    given = {
        "id": "channel-1", "project_id": "project-1", "bot_id": "bot-1", "type": connector.descriptor.type, "name": "C",
        "secret_token_sha256": sha256(secret.encode()).hexdigest() if secret else None,
    }  # fmt: skip
    return Account(Channel(**(given | fields)), credentials)


FILE = "https://shop.example.com/a.bin"
MORE = {
    "image": MessageContent(text="", media=Media(type="image", url=FILE)),
    "video": MessageContent(text="", media=Media(type="video", url=FILE)),
    "audio": MessageContent(text="", media=Media(type="audio", url=FILE)),
    "file": MessageContent(text="", media=Media(type="file", url=FILE)),
    "location": MessageContent(text="", location=Location(latitude=52.5, longitude=13.4)),
    "cards": MessageContent(text="", cards=(Card(title="One", image=FILE),)),
}
"""By capability: a message that has nothing but this."""


def message_of(content: MessageContent, peer_id: str = "4711", callback_id: str | None = None) -> SendMessage:
    return SendMessage(
        **_BASE, seq=1, expires_at=LATER, content=content, channel_type="any", peer_id=peer_id, callback_id=callback_id
    )


_BASE: dict[str, Any] = {
    "id": "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1d04", "project_id": "project-1", "bot_id": "bot-1", "channel_id": "channel-1",
    "conversation": "bot-1/channel-1/4711", "day": "2026-11-21", "created_at": AT,
}  # fmt: skip
TAP = AcknowledgeTap(**_BASE, channel_type="any", callback_id="tap-1")


class ChannelContract:
    """For every type of channel."""

    connector: ClassVar[Connector]

    def test_the_descriptor_is_sound(self) -> None:
        descriptor = self.connector.descriptor
        assert descriptor.problem() is None
        assert descriptor.title
        assert descriptor.capabilities <= set(get_args(Capability))
        assert all(name == name.lower() for name in descriptor.proof_headers)
        assert descriptor.window_seconds is None or descriptor.window_seconds > 0

    def test_in_house_channels_have_nothing_to_log_in_with(self) -> None:
        descriptor = self.connector.descriptor
        if self.connector.in_house:
            assert (descriptor.credentials, descriptor.checks, descriptor.base_url) == ((), (), None)
        else:
            assert descriptor.inbound_path == "in/{channel}/{random}"
            assert bool(descriptor.of_origin("given")) == bool(descriptor.credentials_hint)

    def test_its_patterns_and_rates_can_be_met(self) -> None:
        for each in self.connector.descriptor.credentials:
            re.compile(each.pattern)
        rates = self.connector.descriptor.rates
        assert rates.in_flight >= 1
        assert all(rate.per_second > 0 for rate in (rates.bot, rates.chat, rates.pair) if rate)


class PlatformContract(ChannelContract):
    """For a channel of a platform. A subclass gives `credentials` (secrets that are found again) and the methods below."""

    credentials: ClassVar[Mapping[str, str]]
    """Of every origin, `inbound_url` left out."""
    bodies: ClassVar[tuple[dict[str, Any], ...]]
    """Objects that the platform posts, each with at least one event in it."""
    answers: ClassVar[tuple[tuple[str, int, Any, Meaning], ...]]
    """(step, status, body, what it means)."""
    handshakes: ClassVar[tuple[tuple[InboundCall, bytes], ...]] = ()
    """Calls that only want to hear something back, and what."""

    def prove(self, body: bytes, received_at: str = AT) -> InboundCall:
        """The call with this body as the platform makes it, with `credentials`."""
        raise NotImplementedError

    def said(self, step: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a 200 to that step when all is well."""
        raise NotImplementedError

    @property
    def platform(self) -> Platform:
        assert self.connector.platform is not None
        return self.connector.platform

    def account(self, **fields: Any) -> Account:
        return account_of(self.connector, {**self.credentials, "inbound_url": INBOUND_URL}, **fields)

    def receive(self, call: InboundCall, account: Account | None = None) -> Taken:
        taken = self.platform.receive(account or self.account(), call)
        assert isinstance(taken, Taken), taken
        return taken

    # What comes in

    def test_its_credentials_are_those_of_the_descriptor(self) -> None:
        fields = self.connector.descriptor.credentials
        assert set(self.credentials) == {each.name for each in fields}
        assert all(re.fullmatch(each.pattern, self.credentials[each.name]) for each in fields)

    def test_a_call_becomes_events_of_the_channels_own_conversations(self) -> None:
        for body in self.bodies:
            taken = self.receive(self.prove(orjson.dumps(body)))
            assert taken.events, body
            assert taken.unread is None
            assert 200 <= taken.reply.status < 300
            for _, record in taken.events:
                place = (record.project_id, record.bot_id, record.channel_id, record.channel_type)
                assert place == ("project-1", "bot-1", "channel-1", self.connector.descriptor.type)
                assert PEER_ID.fullmatch(record.peer_id)
                assert record.received_at == AT
                assert InboundAdapter.validate_json(record.encode()) == record

    def test_a_repeated_call_brings_the_same_ids_and_no_other_call_does(self) -> None:
        seen: set[str] = set()
        for body in self.bodies:
            raw = orjson.dumps(body)
            ids = [event.id for event in self.receive(self.prove(raw)).events]
            assert ids == [event.id for event in self.receive(self.prove(raw, LATER)).events]
            elsewhere = self.receive(self.prove(raw), self.account(id="channel-2")).events
            assert not set(ids) & {event.id for event in elsewhere}
            assert len(set(ids)) == len(ids)
            assert not seen & set(ids)
            seen.update(ids)

    def test_a_forged_call_is_refused_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[Any] = []
        compare = hmac.compare_digest

        def watched(one: Any, other: Any) -> bool:
            compared.append(one)
            return compare(one, other)

        monkeypatch.setattr(hmac, "compare_digest", watched)
        others = account_of(self.connector, {name: f"other-{value}" for name, value in self.credentials.items()})
        for account in (others, account_of(self.connector, {})):
            for body in self.bodies:
                compared.clear()
                assert isinstance(self.platform.receive(account, self.prove(orjson.dumps(body))), NotProven)
                assert compared

    def test_a_call_without_proof_is_refused(self) -> None:
        proofs = [name.encode() for name in self.connector.descriptor.proof_headers]
        for body in self.bodies if proofs else ():
            call = self.prove(orjson.dumps(body))
            bare = {name: value for name, value in call.headers.items() if name not in proofs}
            unproven = call_of(call.body, {name.decode(): value.decode() for name, value in bare.items()})
            assert isinstance(self.platform.receive(self.account(), unproven), NotProven)

    def test_a_handshake_is_answered_as_wanted(self) -> None:
        for call, wanted in self.handshakes:
            taken = self.receive(call)
            assert (taken.events, taken.reply.body) == ((), wanted)
            assert call.method in self.connector.descriptor.methods
            assert isinstance(self.platform.receive(account_of(self.connector, {}), call), NotProven)

    @given(st.data())
    @FUZZED
    def test_no_body_makes_it_raise(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(["bytes", "json", "nearly right"]))
        if kind == "bytes":
            body = data.draw(st.binary(max_size=64))
        elif kind == "json":
            body = orjson.dumps(data.draw(JSON_VALUES))
        else:
            body = orjson.dumps(_bent(data, data.draw(st.sampled_from(self.bodies))))
        try:
            made = self.platform.receive(self.account(), self.prove(body))
        except NotAnObject:
            return
        assert isinstance(made, Taken | NotProven)

    # What goes out

    def test_every_kind_of_message_has_a_plan_within_the_limits_or_is_refused_in_words(self) -> None:
        descriptor = self.connector.descriptor
        for content in contents(descriptor.limits.text, descriptor.limits.payload):
            for first in (True, False):
                made = self.platform.send(self.account(), message_of(content, callback_id="tap-1"), first=first)
                if too_much(content, descriptor.limits, descriptor.title) is not None:
                    assert isinstance(made, Refusal), content
                if isinstance(made, Refusal):
                    assert re.fullmatch(r"[a-z-]+", made.code)
                    assert made.detail.endswith(".")
                else:
                    assert [step.role for step in made.steps].index("message") == len(made.steps) - 1
                    self.check_requests(self.requests(made))
        plain = self.platform.send(self.account(), message_of(MessageContent(text="Hello")), first=True)
        assert isinstance(plain, Plan)

    def test_what_it_says_it_can_it_does(self) -> None:
        can = self.connector.descriptor.capabilities
        contents = {
            "buttons": MessageContent(text="Which?", buttons=(Button(title="One", payload="1"),)),
            "url_buttons": MessageContent(text="Which?", buttons=(Button(title="Site", url="https://example.com"),)),
            "quick_replies": MessageContent(text="Which?", quick_replies=(Button(title="One"),)),
        }
        for name, content in MORE.items():
            if name in can:
                made = self.platform.send(self.account(), message_of(content), first=True)
                assert isinstance(made, Plan)
                shown = b"".join(request.shown_body for request in self.requests(made))
                assert b"shop.example.com" in shown or b"52.5" in shown
        for name, content in contents.items():
            if name in can:
                made = self.platform.send(self.account(), message_of(content), first=True)
                assert isinstance(made, Plan)
                shown = b"".join(request.shown_body for request in self.requests(made))
                assert (content.buttons or content.quick_replies)[0].title.encode() in shown
        tapped = self.platform.acknowledge(self.account(), TAP)
        assert isinstance(tapped, Plan) == ("tap_acknowledgement" in can)

    def test_the_same_message_is_said_in_the_same_words_each_time(self) -> None:
        message = message_of(MessageContent(text="Hello"))
        plans = [self.platform.send(self.account(), message, first=False) for _ in range(2)]
        assert all(isinstance(plan, Plan) for plan in plans)
        one, other = (list(self.requests(plan)) for plan in plans if isinstance(plan, Plan))
        assert one == other

    def test_the_checks_ask_without_showing_secrets_and_read_anything(self) -> None:
        for check in self.connector.descriptor.checks:
            made = self.platform.call(self.account(), check.method, check.params(Found()))
            assert isinstance(made, Plan)
            self.check_requests(self.requests(made))
            reading = self.platform.read(check.method, 200, *self.said(check.method))
            assert reading.meaning == "sent"
            found = check.read(reading.answer, Found(external_id="1"))
            assert set(found.learned) <= {each.name for each in self.connector.descriptor.of_origin("learned")}
            unreadable: tuple[Any, ...] = (None, {}, [], "x", {"result": 1}, {"result": []}, {"response": None})
            for nothing in unreadable:
                assert check.read(nothing, Found(external_id="1")).external_id

    @pytest.mark.parametrize("method", ["", "../x", "a b", "x?y=1", "x\r\nHost: y", "\u0435"])
    def test_a_method_that_is_none_is_refused_or_harmless(self, method: str) -> None:
        made = self.platform.call(self.account(), method, {})
        if isinstance(made, Plan):
            self.check_requests(self.requests(made))
            assert all(method not in request.url or not method for request in self.requests(made))

    # What is answered

    def test_answers_mean_what_they_mean(self) -> None:
        for step, status, body, meaning in self.answers:
            raw = body if isinstance(body, bytes) else orjson.dumps(body)
            reading = self.platform.read(step, status, {}, raw)
            assert reading.meaning == meaning, (step, status, body)
            self.check_reading(reading)
        told = {meaning for _, _, _, meaning in self.answers}
        assert {"sent", "failed", "limited", "credentials", "refused"} <= told

    @given(st.integers(100, 599), st.binary(max_size=64) | JSON_VALUES.map(orjson.dumps), st.data())
    @FUZZED
    def test_no_answer_makes_it_raise(self, status: int, body: bytes, data: st.DataObject) -> None:
        step, _, known, _ = data.draw(st.sampled_from(self.answers))
        if isinstance(known, dict) and data.draw(st.booleans()):
            body = orjson.dumps(_bent(data, known))
        headers = {"retry-after": data.draw(st.text(max_size=4) | st.sampled_from(["0", "7", "1e9", "²"]))}
        reading = self.platform.read(step, status, headers, body)
        self.check_reading(reading)
        if not 200 <= status < 300:
            assert reading.meaning != "sent"

    def check_reading(self, reading: Reading) -> None:
        assert reading.meaning in get_args(Meaning)
        assert (reading.meaning == "unreachable") == (reading.unreachable is not None)
        assert (reading.meaning == "moved") == (reading.moved_to is not None)
        assert reading.meaning == "sent" or (reading.code and reading.detail)
        assert reading.retry_after is None or reading.retry_after > 0

    def requests(self, plan: Plan) -> Iterator[Request]:
        """The plan's requests, each answered well."""
        readings: tuple[Reading, ...] = ()
        for step in plan.steps:
            yield step.make(readings)
            reading = self.platform.read(step.name, 200, *self.said(step.name))
            assert reading.meaning == "sent"
            if step.role != "courtesy":
                readings = (*readings, reading)

    def check_requests(self, requests: Iterator[Request]) -> None:
        fields = {each.name for each in self.connector.descriptor.credentials if each.secret}
        secrets = {value for name, value in self.credentials.items() if name in fields}
        for request in requests:
            shown = f"{request.shown_url} {dict(request.shown_headers)} {request.shown_body!r}"
            assert not [secret for secret in secrets if secret in shown]
            assert "planted-random-part" not in shown
            sent = f"{request.url} {dict(request.headers)} {request.body!r}"
            assert {secret for secret in secrets if secret in sent} <= set(request.secrets)
            assert request.url.startswith(("https://", "http://"))
            assert not re.search(r"[\s\\]", request.url)
            assert all(value.isprintable() for value in request.headers.values())


def contents(text: Length | None, payload: Length | None) -> Iterator[MessageContent]:
    """Messages of every kind, on both sides of each limit."""
    most = text.most if text else 4096
    for size in (0, 1, most, most + 1):
        yield MessageContent(text="x" * size)
    yield MessageContent(text="ü" * most)
    yield MessageContent(text='<b>&"\r\n\u2028\U0001f600</b>')
    for title in ("One", "x" * 200):
        yield MessageContent(text="Which?", buttons=(Button(title=title, payload="1"), Button(title="Two")))
        yield MessageContent(text="Which?", quick_replies=(Button(title=title), Button(title="Two", payload="2")))
    yield MessageContent(text="Which?", buttons=(Button(title="Site", url="https://example.com/?a=1"),))
    yield MessageContent(text="Which?", buttons=tuple(Button(title=str(each)) for each in range(60)))
    yield MessageContent(text="Which?", quick_replies=tuple(Button(title=str(each)) for each in range(60)))
    for size in (payload.most, payload.most + 1) if payload else ():
        button = Button(title="One", payload="x" * size)
        assert payload_of(button) == button.payload
        yield MessageContent(text="Which?", buttons=(button,))


def _bent(data: st.DataObject, value: Any) -> Any:
    """The value with one of its parts taken away or replaced by something else."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(value)))
        if not data.draw(st.integers(0, 4)):
            return {other: kept for other, kept in value.items() if other != name}
        return value | {name: _bent(data, value[name])}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        return [_bent(data, value[0]), *value[1:]]
    return data.draw(JSON_VALUES)
