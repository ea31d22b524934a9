"""Lines of an import: many contacts made or changed by one record, each as if it had come by itself.

A line is judged, told of and logged as a contact_update of a contact's own key is, with its own event id. It is no turn: no
conversation takes part. What the lines of a record share is their place in the stream, one read before them, one transaction,
and one reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from contracts.cloudevents import rfc3339_ms
from contracts.ids import NOBODY
from contracts.imported import ImportedContact
from contracts.people import Identifier
from flow_engine.batch.person_lookup import as_id
from flow_engine.catalogue.port import Catalogue
from flow_engine.state.ids import as_uuid, conversation_id
from flow_engine.state.json_text import NotJson, encode
from flow_engine.state.limits import MOST_HOPS, TooLarge
from flow_engine.state.patches import is_same
from flow_engine.state.rows import Identity, LogRow
from flow_engine.state.work import Erased, NewContact, Outcome, Work
from flow_engine.store.port import EVENT, Name, Reads
from flow_engine.turn import answers, own_contacts, people
from flow_engine.turn.event import Arrived
from flow_engine.turn.outputs import Outputs, contact_view
from flow_engine.turn.own_contacts import GONE, Written, holder_of
from flowlang.clock import moment
from flowlang.model import Conversation, EmitEvent, PatchContact, Refused
from servicekit.kafka.records import Outgoing

YIELD_EVERY_LINES = 50
"""After so many lines the commit of another batch, heartbeats and HTTP get their turn on the event loop."""
_REUSED = Refused(
    "idempotency-key-reused", 422, "Under this key the line was another one: send the same lines, or take a new key."
)
_FAR = Refused("too-many-hops", 413, f"The import is more than {MOST_HOPS} hops away from its first cause.")


class Line(NamedTuple):
    """A line as it came, and what it tells of who its person is."""

    told: ImportedContact
    verified: list[tuple[Identifier, str]]
    """What identifies the person from now on."""
    names: list[Name]
    """The same, as it is looked up."""

    @property
    def external_id(self) -> Name | None:
        return next((name for name in self.names if name.field == "external_id"), None)


async def load(reads: Reads, work: Work, arrived: list[Arrived]) -> dict[str, list[Line]]:
    """The lines by their records' ids; whom they name goes into the work."""
    imported = {
        one.event_id: [_line(one.body.bot_id, line) for line in one.body.lines]
        for one in arrived
        if one.body.kind == "contact_import"
    }
    ids = {
        (one.body.bot_id, id)
        for one in arrived
        for line in imported.get(one.event_id, ())
        if line.told.contact_id and (id := as_id(line.told.contact_id))
    }
    for id, found in (await reads.contacts(sorted(ids)) if ids else {}).items():
        work.contacts[found.contact.id], work.read_versions[found.contact.id] = found.contact, found.version
        work.asked_for[id] = found.contact.id
    names = {name for lines in imported.values() for line in lines if (name := line.external_id)}
    for name, contact in (await reads.holders(sorted(names)) if names else {}).items():
        work.holders[name] = contact.id
        work.contacts.setdefault(contact.id, contact)
    return imported


def _line(bot_id: str, told: ImportedContact) -> Line:
    verified = people.verified_by(told)
    return Line(told, verified, [Name(bot_id, kind, value) for kind, value in verified if value])


def of_who_may_be_erased(bot_id: str, lines: Iterable[Line]) -> set[Name]:
    """The names by which lines may make somebody again who was erased."""
    making = [line for line in lines if line.told.contact_id is None]
    names = {name for line in making for name in line.names}
    return names | {_as_event(bot_id, line) for line in making if line.told.digest is not None}


def _as_event(bot_id: str, line: Line) -> Name:
    """As person_lookup.as_event."""
    return Name(bot_id, EVENT, as_uuid(line.told.event_id))


async def apply(
    arrived: Arrived, lines: list[Line], work: Work, catalogue: Catalogue, erased: Mapping[Name, Erased]
) -> None:
    """Apply the lines of a record, and tell who waits what became of each. `erased`: names of people who were."""
    applying = Applying(arrived, work, catalogue, erased)
    told = []
    for count, line in enumerate(lines, 1):
        told.append(_told(line.told.line, applying.apply(line)))
        if count % YIELD_EVERY_LINES == 0:
            await asyncio.sleep(0)
    if (to := arrived.body.reply_to) is not None:
        outputs = applying.outputs(arrived.key, ("import", 0, arrived.event_id))
        body = {"kind": "import", "instance": to.instance, "request_id": to.request_id, "lines": told}
        outputs.reply(to.partition, to.request_id, body)
        applying.records += outputs.records
    work.send(arrived.record, applying.records)


class Applying:
    """The lines of one record on their way into the work. `records` are what they cause, which is numbered together."""

    def __init__(self, arrived: Arrived, work: Work, catalogue: Catalogue, erased: Mapping[Name, Erased]) -> None:
        self._arrived, self._work, self._erased = arrived, work, erased
        self._body, self._at_ms = arrived.body, arrived.record.timestamp
        self._now = rfc3339_ms(self._at_ms)
        self._new = NewContact(self._body.project_id, self._body.bot_id, moment(self._now))
        self._bot = catalogue.around(_nobodys(arrived)).bot
        self.records: list[Outgoing] = []

    def apply(self, line: Line) -> Outcome:
        """What became of the line, now or when it came before."""
        work, id, digest = self._work, line.told.event_id, line.told.digest
        first = work.digests.get(id)
        if first is not None:
            return work.outcomes[id] if first == digest else answers.refusal(_REUSED)
        contact_id = self._contact_of(line)
        if self._erased and self._is_erased(line, contact_id):
            outcome, place = answers.refusal(GONE), None
        else:
            outcome, place = self._outcome(line, contact_id)
        if digest is not None:  # Else nobody can ask for it, or send it again.
            work.outcomes[id], work.digests[id] = outcome, digest
            work.add_log_row(self._logged(line, outcome, place))
        return outcome

    def _contact_of(self, line: Line) -> str | None:
        """Whom the line changes, "": somebody who is not there; None: it makes a contact."""
        work = self._work
        if line.told.contact_id is not None:
            found = work.asked_for.get(as_id(line.told.contact_id) or "", "")
            return work.merges.get(found, found)
        name = line.external_id
        return holder_of(work, *name) if name else None

    def _is_erased(self, line: Line, contact_id: str | None) -> bool:
        """Whether its person was erased since. Sent again under its key it is refused as well, although it is received later then."""
        erased, received = self._erased, str(self._body.received_at)
        if _as_event(self._body.bot_id, line) in erased:
            return True
        return contact_id is None and any(name in erased and received < erased[name].before for name in line.names)

    def _outcome(self, line: Line, contact_id: str | None) -> tuple[Outcome, str | None]:
        """What becomes of it, and the key whose event it is."""
        key = f"{self._body.bot_id}/{NOBODY}/{contact_id or line.told.event_id}"
        try:
            written = self._judged(line, contact_id, key)
        except (TooLarge, NotJson) as error:
            written = Refused(error.type, 413, str(error))
        if isinstance(written, Refused):
            return answers.refusal(written), key
        self._keep(line, key, written)
        id = written.contact.id
        return Outcome("completed", contact_id=id), f"{self._body.bot_id}/{NOBODY}/{id}"

    def _judged(self, line: Line, contact_id: str | None, key: str) -> Written | Refused:
        """Raises TooLarge, NotJson."""
        work = self._work
        if self._body.hops > MOST_HOPS:
            return _FAR
        if contact_id is None:
            id = people.contact_id(key, self._at_ms)
            return own_contacts.made(work, id, self._new, line.told, line.verified)
        before = work.contacts.get(contact_id)
        if before is None:
            return GONE
        return own_contacts.changed(work, self._body.bot_id, before, line.told, line.verified)

    def _keep(self, line: Line, key: str, written: Written) -> None:
        """Add the contact and what tells of it to the batch's work."""
        work, contact, id = self._work, written.contact, line.told.event_id
        outputs = self.outputs(key, (key, 0, id))
        outputs.share({"event_id": id, "bot": self._bot}, contact_view(contact, None))
        before = work.contacts.get(contact.id)
        for effect in written.effects:
            if isinstance(effect, EmitEvent):
                outputs.event(effect.type, effect.data)
            elif isinstance(effect, PatchContact) and (before is None or not is_same(before, contact)):
                work.patch(contact.id, effect)
        work.contacts[contact.id] = contact
        if written.verified:
            work.verify([Identity(self._body.bot_id, *one, contact.id) for one in written.verified])
        self.records += outputs.records

    def _logged(self, line: Line, outcome: Outcome, key: str | None) -> LogRow:
        about = {"contact_id": outcome.contact_id, "token_id": self._body.token_id, "digest": line.told.digest}
        said = {"problem": outcome.problem, **about}
        body = encode({name: value for name, value in said.items() if value})
        place = conversation_id(key) if key else None
        return LogRow(as_uuid(line.told.event_id), self._body.project_id, place, outcome.status, body)

    def outputs(self, key: str, id_base: tuple[str, int, str]) -> Outputs:
        """Where records are collected that this record causes."""
        return Outputs(
            key=key, id_base=id_base, project_id=self._body.project_id, now=self._now, hops=self._body.hops + 1,
            traceparent=self._arrived.traceparent,
        )  # fmt: skip


def _nobodys(arrived: Arrived) -> Conversation:
    """What stands for the record's key: the lines of a file leave no rows of conversations."""
    body = arrived.body
    return Conversation(
        key=arrived.key, project_id=body.project_id, bot_id=body.bot_id, channel_id=NOBODY, channel_type="",
        peer_id=NOBODY, contact_id="",
    )  # fmt: skip


def _told(number: int, outcome: Outcome) -> dict[str, Any]:
    """contracts.replies.ImportedLine."""
    if outcome.problem is None:
        return {"line": number, "contact_id": outcome.contact_id}
    return {"line": number, "problem": outcome.problem}
