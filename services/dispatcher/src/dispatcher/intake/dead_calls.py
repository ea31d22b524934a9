"""A call that becomes no delivery is answered all the same: the conversation that waits for it goes on by its error port.

A call is any action with a `wait`, also one of a kind that this dispatcher does not know.
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from servicekit.kafka.records import Outgoing, Record

CODE = "dead-letter"


def answer(record: Record, why: str) -> list[Outgoing]:
    """The answer to the call that a record asks for, as far as it can be read; nothing for any other record.

    Its event id is that of the call's own answer: should the call be released and made, that comes too late.
    """
    try:
        body, now = orjson.loads(record.value or b""), now_text()
        result = _result(body, (record.key or b"").decode(), why, now)
        about = headers(
            id=derived_id(body["id"], "result"), type="inbound.call_result", source="switchhook/dispatcher", time=now,
            project=result.project_id,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, ValidationError):
        return []  # Not even whom to answer can be read: the wait ends by its time-out.
    return [Outgoing(inbound.TOPIC.name, record.key, result.encode(), about)]


def _result(body: Any, key: str, why: str, now: str) -> inbound.CallResult:
    bot_id, channel_id, peer_id = split_conversation_key(key)
    return inbound.CallResult(
        project_id=body["project_id"],
        bot_id=bot_id,
        channel_id=channel_id,
        peer_id=peer_id,
        received_at=now,
        hops=body.get("hops", 0),
        action_id=body["id"],
        wait=body["wait"],
        outcome="error",
        error=inbound.CallFailure(type=CODE, detail=why),
    )
