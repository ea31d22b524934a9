"""Lines of an import: many contacts made or changed by one record, each as if it had come by itself.

A line is a contact_update of its own, with its own event id, so that it is judged, told of and logged like any other. What the
lines of a record share is their place in the stream, one read before them, one transaction, and one reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from contracts.ids import NOBODY
from contracts.imported import ImportedContact
from contracts.inbound import ContactUpdate
from contracts.people import identifier
from flow_engine.batch.person_lookup import as_event, as_id, makes_anew
from flow_engine.state.ids import as_uuid, conversation_id
from flow_engine.state.json_text import encode
from flow_engine.state.rows import LogRow
from flow_engine.state.seen import fingerprint
from flow_engine.state.work import Erased, LoadedConversation, Outcome, Work
from flow_engine.store.port import Name, Reads
from flow_engine.turn import answers
from flow_engine.turn.event import Arrived
from flow_engine.turn.outputs import Outputs
from flow_engine.turn.own_contacts import GONE, holder_of
from flow_engine.turn.turns import Turns
from flowlang.model import Conversation, Refused

YIELD_EVERY_LINES = 16
"""After so many lines the commit of another batch, heartbeats and HTTP get their turn on the event loop."""
_REUSED = Refused(
    "idempotency-key-reused", 422, "Under this key the line was another one: send the same lines, or take a new key."
)


class Line(Arrived):
    """One line, as a record of its own would have come. `number`: its place in the file, from 1."""

    __slots__ = ("contact_id", "number")

    def __init__(self, whole: Arrived, line: ImportedContact) -> None:
        shared = {"project_id": whole.body.project_id, "bot_id": whole.body.bot_id, "hops": whole.body.hops}
        about: dict[str, Any] = {"received_at": whole.body.received_at, "token_id": whole.body.token_id}
        body = ContactUpdate.model_construct(
            **shared, **about, channel_id=NOBODY, peer_id=NOBODY, request_digest=line.digest, profile=line.profile,
            variables=line.variables, add_tags=line.add_tags, remove_tags=line.remove_tags, add_flags=line.add_flags,
            remove_flags=line.remove_flags, clear=line.clear,
        )  # fmt: skip
        super().__init__(whole.record, line.event_id, whole.key, body, False, whole.stamp, whole.traceparent, True)
        self.number, self.contact_id = line.line, line.contact_id


def is_line(arrived: Arrived) -> bool:
    """Whether it is a line of an import, and no record."""
    return isinstance(arrived, Line)


def names_no_id(arrived: Arrived) -> bool:
    """Whether it is a line that makes a contact where nobody has its external id."""
    return isinstance(arrived, Line) and arrived.contact_id is None


async def load(reads: Reads, work: Work, arrived: list[Arrived]) -> dict[str, list[Line]]:
    """The lines by their records' ids; whom they name goes into the work."""
    imported = {
        one.event_id: [Line(one, line) for line in one.body.lines]
        for one in arrived
        if one.body.kind == "contact_import"
    }
    lines = [line for lines in imported.values() for line in lines]
    ids = {(line.body.bot_id, id) for line in lines if line.contact_id and (id := as_id(line.contact_id))}
    for id, found in (await reads.contacts(sorted(ids)) if ids else {}).items():
        work.contacts[found.contact.id], work.read_versions[found.contact.id] = found.contact, found.version
        work.asked_for[id] = found.contact.id
    names = {name for line in lines if (name := _external_id(line))}
    for name, contact in (await reads.holders(sorted(names)) if names else {}).items():
        work.holders[name] = contact.id
        work.contacts.setdefault(contact.id, contact)
    return imported


async def apply(arrived: Arrived, lines: list[Line], work: Work, turns: Turns, erased: Mapping[Name, Erased]) -> None:
    """Apply the lines of a record, and tell who waits what became of each. `erased`: names of people who were."""
    before = len(work.outgoing)
    told = []
    for count, line in enumerate(lines, 1):
        told.append(_told(line.number, await _applied(line, work, turns, erased)))
        if count % YIELD_EVERY_LINES == 0:
            await asyncio.sleep(0)
    if (to := arrived.body.reply_to) is not None:
        outputs = Outputs(
            key=arrived.key, id_base=("import", 0, arrived.event_id), project_id=arrived.body.project_id,
            now=arrived.body.received_at, hops=arrived.body.hops + 1, traceparent=arrived.traceparent,
        )  # fmt: skip
        body = {"kind": "import", "instance": to.instance, "request_id": to.request_id, "lines": told}
        outputs.reply(to.partition, to.request_id, body)
        work.send(arrived.record, outputs.records)
    work.join_outgoing(before, arrived.record)


async def _applied(line: Line, work: Work, turns: Turns, erased: Mapping[Name, Erased]) -> Outcome:
    """What became of the line, now or when it came before."""
    first = work.digests.get(line.event_id)
    if first is not None:
        same = first == line.body.request_digest
        return work.outcomes[line.event_id] if same else answers.refusal(_REUSED)
    id = _contact_of(line, work)
    if as_event(line) in erased or (id is None and makes_anew(line, erased)):
        return _refused(line, work)
    line.body = line.body.model_copy(update={"create": id is None})
    await turns.apply(line, _own(line, id), fingerprint(line.event_id), here=True)
    if line.body.request_digest is None:  # Nobody can ask for it, or send it again.
        work.log_rows.pop(as_uuid(line.event_id), None)
    return work.outcomes[line.event_id]


def _refused(line: Line, work: Work) -> Outcome:
    """Its person was erased. Sent again under its key it is refused as well, although it is received later then."""
    body, outcome = line.body, answers.refusal(GONE)
    if body.request_digest is not None:
        said = {"problem": outcome.problem, "token_id": body.token_id, "digest": body.request_digest}
        logged = encode({name: value for name, value in said.items() if value is not None})
        work.add_log_row(LogRow(as_uuid(line.event_id), body.project_id, None, outcome.status, logged))
    work.outcomes[line.event_id] = outcome
    return outcome


def _contact_of(line: Line, work: Work) -> str | None:
    """Whom the line changes, "": somebody who is not there; None: it makes a contact."""
    if line.contact_id is not None:
        found = work.asked_for.get(as_id(line.contact_id) or "", "")
        return work.merges.get(found, found)
    name = _external_id(line)
    return holder_of(work, *name) if name else None


def _own(line: Line, id: str | None) -> LoadedConversation:
    """What stands for the contact's own key: the lines of a file leave no rows of it."""
    body, own = line.body, id or line.event_id
    conversation = Conversation(
        key=f"{body.bot_id}/{NOBODY}/{own}", project_id=body.project_id, bot_id=body.bot_id, channel_id=NOBODY,
        channel_type="", peer_id=own, contact_id=id or "",
    )  # fmt: skip
    return LoadedConversation(conversation_id(conversation.key), conversation, None)


def _external_id(line: Line) -> Name | None:
    given = line.body.profile.external_id
    value = identifier("external_id", given) if given else None
    return Name(line.body.bot_id, "external_id", value) if value else None


def _told(number: int, outcome: Outcome) -> dict[str, Any]:
    """contracts.replies.ImportedLine."""
    about = {"contact_id": outcome.contact_id, "problem": outcome.problem}
    return {"line": number, **{name: value for name, value in about.items() if value is not None}}
