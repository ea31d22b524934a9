"""A channel of somebody else passes the suite that ours pass."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import new
from typing import ClassVar

import orjson

from channels.port import Connector
from channels.receiving import InboundCall
from extend.channel.toybox.toychat import CONNECTOR
from support.channel_contract import AT, PlatformContract, call_of

SECRET, TOKEN = "planted-app-secret", "planted-verify-token"
GOOD = {"whoami": {"id": "77", "confirmation": "c0nfirm"}, "files": {"file": "f"}, "keep": {"picture": "p"}}


def signed(body: bytes, received_at: str = AT) -> InboundCall:
    return call_of(body, {"X-Toy-Signature": new(SECRET.encode(), body, sha256).hexdigest()}, received_at=received_at)


class TestToyChat(PlatformContract):
    connector: ClassVar[Connector] = CONNECTOR
    credentials: ClassVar[Mapping[str, str]] = {
        "key": "planted-key-1", "app_secret": SECRET, "verify_token": TOKEN, "confirmation": "planted-confirmation",
    }  # fmt: skip
    bodies = (
        {"events": [{"id": "1", "from": "ann", "text": "hello"}, {"id": "2", "from": "bob", "gone": True}]},
        {"events": [{"id": "3", "from": "ann", "text": "hello"}]},
    )
    answers = (
        ("say", 200, {"message": "m"}, "sent"),
        ("say", 200, {}, "failed"),
        ("say", 403, {"error": "she blocked you"}, "unreachable"),
        ("say", 429, {"error": "slowly"}, "limited"),
        ("say", 400, {"error": "no such person"}, "refused"),
        ("whoami", 401, {"error": "no such key"}, "credentials"),
        ("files", 503, b"", "failed"),
    )
    handshakes = (
        (call_of(method="GET", query={"hub.verify_token": TOKEN, "hub.challenge": "1234"}), b"1234"),
        (signed(b'{"type": "confirmation"}'), b"planted-confirmation"),
    )

    def prove(self, body: bytes, received_at: str = AT) -> InboundCall:
        return signed(body, received_at)

    def said(self, step: str) -> tuple[dict[str, str], bytes]:
        return {}, orjson.dumps(GOOD.get(step, {"message": "m", "done": True}))

    def test_one_unreadable_event_does_not_take_the_others_along(self) -> None:
        taken = self.receive(signed(orjson.dumps({"events": [{"id": "1"}, {"id": "2", "from": "ann", "text": "x"}]})))
        assert [event.record.peer_id for event in taken.events] == ["ann"]
        assert taken.unread is not None
