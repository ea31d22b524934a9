"""A record that erases contacts: alone in its batch, so that all that came for them before is saved."""

from __future__ import annotations

from pydantic import ValidationError

from contracts import cloudevents, inbound
from contracts.actions import EraseContacts, action_type
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from contracts.sentences import code_and_reason
from dispatcher.errors import Unreadable
from dispatcher.intake.takeover import Takeover
from dispatcher.store.port import DeliveryStore
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import Commit, Connection

_TYPE = action_type(EraseContacts).encode()


def is_erasure(record: Record) -> bool:
    """Whether it erases contacts, by its header."""
    return any(name == "ce_type" and value == _TYPE for name, value in record.headers)


def erased(record: Record, store: DeliveryStore, takeover: Takeover) -> Commit:
    """What it comes to. Raises Unreadable."""
    try:
        action = EraseContacts.model_validate_json(record.value or b"")
        told = _done(record, action)
    except ValidationError as error:
        raise Unreadable(*code_and_reason(error)) from error
    except ValueError as error:
        raise Unreadable("wrong-schema", str(error)[:500]) from error

    async def save(connection: Connection) -> None:
        await store.on(connection).erase(action.contact_ids, action.conversation)

    return Commit(
        save=save,
        outgoing=[(record, [told])],
        after=lambda: takeover.forget(frozenset(action.contact_ids)),
        applied=1,
    )


def _done(record: Record, action: EraseContacts) -> Outgoing:
    """For the engine, which says how far the erasure is. Raises ValueError for a conversation that is none."""
    now = now_text()
    bot_id, channel_id, peer_id = split_conversation_key(action.conversation)
    if (record.key or b"") != action.conversation.encode():
        raise ValueError("the body names another conversation than the key")
    body = inbound.ErasureDone(
        project_id=action.project_id, bot_id=bot_id, channel_id=channel_id, peer_id=peer_id, received_at=now,
        hops=action.hops, erasure=action.erasure, again=action.again,
    )  # fmt: skip
    about = headers(
        id=derived_id(action.id, cloudevents.header(record.headers, "ce_id") or "", "erased"),
        type="inbound.erasure_done",
        source="switchhook/dispatcher",
        time=now,
        project=action.project_id,
    )
    return Outgoing(inbound.TOPIC.name, record.key, body.encode(), about)
