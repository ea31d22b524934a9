"""Bytes to the one model that travels through the turn. Validated once, here."""

from __future__ import annotations

from typing import Any, get_args

import structlog
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from contracts import inbound
from contracts.cloudevents import TYPE_PREFIX
from contracts.ids import NOBODY
from contracts.inbound import InboundBase
from contracts.sentences import code_and_reason
from flow_engine.errors import Undecodable
from flow_engine.state.patches import ESCAPED_NUL, without_nul
from flow_engine.turn.event import Arrived
from servicekit.kafka.records import Record
from servicekit.loop.batches import DeadRecord
from servicekit.observability.current_trace import in_trace
from servicekit.registry_view.stamps import stamp_of

log = structlog.get_logger()

LARGEST_RECORD = 1536 * 1024
"""Bytes of value; larger ones are parked."""
_MODELS: dict[str, Any] = {
    f"{TYPE_PREFIX}inbound.{model.model_fields['kind'].default}": model.__pydantic_validator__
    for model in get_args(get_args(inbound.Inbound)[0])
}


def decoded(record: Record) -> Arrived | DeadRecord:
    """The record as an event, or as what goes to the dead letters."""
    try:
        return decode(record)
    except Undecodable as error:
        return DeadRecord(record, error.code, error.message)
    except Exception as error:
        # A record that cannot even be decoded has no conversation to be held: whatever it is, it goes.
        with in_trace(dict(record.headers).get("traceparent")):
            log.exception("record.undecodable", partition=record.partition, offset=record.offset)
        return DeadRecord(record, "failed", f"{type(error).__name__}: {error}")


def decode(record: Record) -> Arrived:
    """Raises Undecodable with one of the codes bad-header, too-large, unknown-type, not-json, wrong-schema."""
    headers = _headers(record)
    event_id, kind = headers.get("ce_id"), headers.get("ce_type")
    if not event_id or not kind or len(event_id) > 255 or "\0" in event_id:
        raise Undecodable("bad-header", "ce_id and ce_type are needed")
    if kind not in _MODELS:
        raise Undecodable("unknown-type", f"no inbound record has the type {kind[:100]}")
    key, body = _key(record), _body(record, kind)
    person_keyed = _check_key(key, body)
    try:
        stamp = stamp_of(headers)
    except ValueError as error:
        raise Undecodable("bad-header", str(error)) from error
    return Arrived(record, event_id, key, body, person_keyed, stamp, headers.get("traceparent"))


def _headers(record: Record) -> dict[str, str]:
    try:
        return {name: value.decode() for name, value in record.headers}  # type: ignore[union-attr]
    except (UnicodeDecodeError, AttributeError) as error:
        raise Undecodable("bad-header", "a header is null or not UTF-8") from error


def _key(record: Record) -> str:
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise Undecodable("wrong-schema", "the key is not UTF-8") from error


def _body(record: Record, kind: str) -> Any:
    value = record.value or b""
    if len(value) > LARGEST_RECORD:
        raise Undecodable("too-large", f"{len(value)} bytes, more than {LARGEST_RECORD}")
    try:
        body = _MODELS[kind].validate_json(value)
        if ESCAPED_NUL not in value:
            return body
        # An id, a name or a phone number with it would fail the transaction, and hold its conversation.
        return _MODELS[kind].validate_json(to_json(without_nul(from_json(value))))
    except ValidationError as error:
        raise Undecodable(*code_and_reason(error)) from error


_NOBODYS = frozenset(
    (
        "redrive", "contact_import", "webhook_received", "timer", "call_result", "read_history", "agent_presence", "erase",
        "erasure_done",
    )
)  # fmt: skip


def is_where_it_belongs(body: Any) -> bool:
    """A generated URL without a person, and what its run waits for; the bot's global one, a change of a contact itself or its end, an
    import, a webhook's title, what is about an agent, or a redrive of theirs."""
    return bool(body.kind in _NOBODYS or (body.kind in ("url", "contact_update") and body.person is None))


def _check_key(key: str, body: InboundBase) -> bool:
    """Whether the record is person-keyed. Raises Undecodable when the body names another conversation than the key.

    The key alone decides which partition, and so which owner, a conversation has.
    """
    if key == f"{body.bot_id}/{body.channel_id}/{body.peer_id}" and body.channel_id != NOBODY:
        return False
    if body.channel_id == NOBODY and key.startswith(f"{body.bot_id}/{NOBODY}/") and not key.endswith("/"):
        return not is_where_it_belongs(body)
    raise Undecodable("wrong-schema", "the body names another conversation than the key")
