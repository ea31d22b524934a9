"""The records that one event causes: plain dicts in the shape of contracts, encoded once.

Their order is their place in the stream; the partition loop adds the headers that name their source. Ids follow from the
conversation, its version before the turn, the event and the ordinal, so that a repeat makes the same records.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

import orjson

from contracts import actions, events, findings, inbound, replies
from contracts.cloudevents import HOPS, PROJECT, TYPE_PREFIX
from contracts.ids import derived_id, effect_ids
from flow_engine.state.json_text import encode
from flow_engine.state.limits import TURN_LIMIT, VALUE_LIMIT, TooLarge, titles_shown
from flowlang.model import Contact
from servicekit.kafka.records import Outgoing

SOURCE = b"switchhook/flow-engine"
MESSAGE_LIFE = timedelta(minutes=5)
"""After this, counted from the event, a dispatcher of an earlier release does not send a message any more."""
MESSAGES_LIMIT = 512 * 1024
"""Bytes of messages in one reply."""
_EVENTS, _ACTIONS = events.TOPIC.name, actions.TOPIC.name
_CONSTANT = (("ce_specversion", b"1.0"), ("ce_source", SOURCE), ("content-type", b"application/json"))


@lru_cache(maxsize=256)
def _type(name: str) -> bytes:
    """A CloudEvents type, as its header."""
    return (TYPE_PREFIX + name).encode()


def contact_view(contact: Contact, last_message: str | None) -> orjson.Fragment:
    """contracts.people.ContactView, encoded: several records of a turn show the same one."""
    view = {
        "id": contact.id,
        **contact.profile,
        "variables": contact.variables,
        "tags": contact.tags,
        "flags": contact.flags,
        "webhook_titles": titles_shown(contact),
    }
    if last_message is not None:
        view["last_message"] = last_message
    return orjson.Fragment(encode(view))


class Outputs:
    """Collects the records of one event about one conversation. `now` is the turn's time."""

    __slots__ = (
        "_base", "_contact", "_effect_id", "_id_base", "_key", "_now", "_ordinal", "_own", "_project", "_shared", "_size",
        "effects", "hops", "key", "now", "records", "shared",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: str,
        id_base: tuple[str, int, str],
        project_id: str,
        now: str,
        hops: int,
        traceparent: str | None,
    ) -> None:
        """`id_base`: what ids follow from, the conversation, its version before the turn and the event."""
        self.key, self.now, self.hops = key, now, hops
        self.records: list[Outgoing] = []
        self.effects: list[dict[str, str]] = []
        """{id, kind} of each action: the deliveries that GET /v1/events/{id} names."""
        self.shared: dict[str, Any] = {}
        self._shared, self._now = b"", now.encode()
        self._contact: orjson.Fragment | None = None
        self._project, self._ordinal, self._id_base = project_id, 0, id_base
        self._effect_id = effect_ids(*id_base)
        self._key, self._size = key.encode(), 0
        self._base: list[tuple[str, bytes]] = [
            *_CONSTANT,
            ("ce_time", self._now),
            (PROJECT, project_id.encode()),
            (HOPS, b"%d" % hops),
        ]
        if traceparent:
            self._base.append(("traceparent", traceparent.encode()))
        self._own = [*self._base, ("ce_subject", self._key)]

    def new_id(self) -> str:
        """The id of the next effect of this turn."""
        self._ordinal += 1
        return self._effect_id(self._ordinal - 1)

    def share(self, data: dict[str, Any], contact: orjson.Fragment | None) -> None:
        """What the `data` of all events has in common (EventData), encoded once; an event's own keys are others."""
        self.shared = data
        self._shared, self._contact = encode(data)[:-1], contact

    def event(self, type: str, data: dict[str, Any], *, contact: orjson.Fragment | None = None) -> None:
        """Tell the outside; `contact` in place of the shared one."""
        shown = contact or self._contact
        own = encode({"contact": shown, **data} if shown is not None else data)
        if self._shared:
            own = self._shared + b"," + own[1:] if len(own) > 2 else self._shared + b"}"
        value = b'{"type":"%b","timestamp":"%b","data":%b}' % (type.encode(), self._now, own)
        self._add(_EVENTS, self.new_id(), _type(type), value)

    def finding(self, type: str, key: str, data: dict[str, Any]) -> None:
        """Tell the registry."""
        value = encode({"type": type, "timestamp": self.now, "data": data})
        self._add(findings.TOPIC.name, self.new_id(), _type(type), value, key)

    def action(self, id: str, kind: str, bot_id: str, contact_id: str, fields: dict[str, Any]) -> None:
        """Something for the dispatcher to do; `fields` are those of its kind."""
        value = encode(
            {
                "id": id,
                "kind": kind,
                "project_id": self._project,
                "bot_id": bot_id,
                "conversation": self.key,
                "contact_id": contact_id or None,
                "day": self.now[:10],
                "created_at": self.now,
                "hops": self.hops,
                **fields,
            }
        )
        self.effects.append({"id": id, "kind": kind})
        self._add(_ACTIONS, id, _type(f"action.{kind}"), value)

    def inbound(self, id: str, key: str, body: dict[str, Any]) -> None:
        """An event for another conversation; `body` is a contracts.inbound model's."""
        full = {"project_id": self._project, "received_at": self.now, "hops": self.hops, **body}
        self._add(inbound.TOPIC.name, id, _type(f"inbound.{body['kind']}"), encode(full), key)

    def reply(self, partition: int, request_id: str | None, body: dict[str, Any]) -> None:
        """An answer for an instance that waits or is attached."""
        id = derived_id("reply", request_id or body["instance"], *self._id_base, len(self.records))
        headers = [*self._base, ("ce_id", id.encode()), ("ce_type", _type(f"reply.{body['kind']}"))]
        key = request_id.encode() if request_id else None
        self.records.append(Outgoing(replies.TOPIC.name, key, encode(body), headers, partition))

    def _add(self, topic: str, id: str, type: bytes, value: bytes, key: str | None = None) -> None:
        size = len(value)
        if size > VALUE_LIMIT:
            raise TooLarge(f"a record of {size} bytes, more than {VALUE_LIMIT}")
        self._size += size
        if self._size > TURN_LIMIT:
            raise TooLarge(f"a turn that writes more than {TURN_LIMIT} bytes")
        headers = [*self._own, ("ce_id", id.encode()), ("ce_type", type)]
        self.records.append(Outgoing(topic, self._key if key is None else key.encode(), value, headers))


def in_portions(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The messages in as few lists as MESSAGES_LIMIT allows, in order."""
    portion: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        length = len(encode(message))
        if portion and size + length > MESSAGES_LIMIT:
            yield portion
            portion, size = [], 0
        portion.append(message)
        size += length
    if portion:
        yield portion


def newest_that_fit(messages: list[dict[str, Any]], limit: int = MESSAGES_LIMIT) -> list[dict[str, Any]]:
    """The last of the messages, as many as one reply holds, or as have no more bytes than `limit`."""
    size, kept = 0, len(messages)
    while kept and (size := size + len(encode(messages[kept - 1]))) <= limit:
        kept -= 1
    return messages[kept:]
