"""A turn while it is made: what nodes read, write and ask for. Copies on write; what came in stays as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from contracts.ids import NOBODY, derived_id
from flowlang import clock
from flowlang.expressions import values
from flowlang.expressions.values import MOST_LEVELS, is_too_deep
from flowlang.graph import Graph, GraphNode
from flowlang.model import (
    Contact,
    Conversation,
    Effect,
    EmitEvent,
    Happening,
    LabelKind,
    PostWebhook,
    Refused,
    RunCode,
    RunEnd,
    Say,
    Session,
    Tools,
    Turn,
    Wait,
)
from flowlang.problems import NodeError
from flowlang.running import ownership
from flowlang.running.bot_flows import BotFlows
from flowlang.running.copies import copy_conversation, copy_session
from flowlang.running.membership import IN_SEGMENT, Membership
from flowlang.running.memory import note, size_with
from flowlang.running.payloads import newest_taps, payload_of, split_payload
from flowlang.running.person import Person
from flowlang.running.reachability import why_not_written
from flowlang.running.shown import Said, as_shown, hides, in_words
from flowlang.work import Work

STEP_BUDGET = 100
ERROR_STEPS = 10
"""Steps that `on_error` has when the budget is spent."""
MOST_EFFECTS = 64
ROOM = 52
ROOM_AFTER_ERROR = 56
"""What nodes may use of them, and `on_error` after they did; the rest is for the turn's own events and timers."""


class Run:
    """The working state of one turn. Is itself the scopes that templates and expressions read."""

    __slots__ = (
        "_memory_size", "_person", "_scopes", "_waits", "budget", "code", "conversation", "effects", "flows",
        "fresh", "graph", "happening", "memory_changes", "missing_names", "nobody", "node", "reached", "refused", "rests", "room", "settled",
        "started", "steps", "temp", "tools", "version", "work",
    )  # fmt: skip

    graph: Graph
    node: GraphNode

    def __init__(
        self, flows: BotFlows, conversation: Conversation, contact: Contact, happening: Happening, tools: Tools
    ) -> None:
        self.flows, self.tools, self.happening = flows, tools, happening
        self.conversation = copy_conversation(conversation)
        self._person = Person(contact)
        self.version = conversation.version
        self.nobody = conversation.channel_id == NOBODY
        self.effects: list[Effect] = []
        self.steps: list[dict[str, Any]] = []
        self.reached: list[int] = []
        self.rests: list[RunEnd] = []
        self.temp: dict[str, Any] = {}
        self.budget = STEP_BUDGET
        self.room = ROOM
        self.work = Work(gate=tools.gate, make=tools.make)
        self.code: RunCode | None = None
        self.refused: Refused | None = None
        self.started: str | None = None
        self.fresh: set[str] = set()
        """Causes of the sessions that began in this turn: their timer is started when they first rest."""
        self.settled: set[str] = set()
        """Event ids that are accounted for: answered, refused, queued, or with a session that goes on."""
        self.missing_names: list[str] = []
        self.memory_changes: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._scopes: dict[str, Any] = {}
        self._memory_size = -1
        self._waits = 0
        if conversation.session is not None:
            self.conversation.session = copy_session(conversation.session)

    def forked(self, conversation: Conversation, contact: Contact) -> Run:
        """This run in the state of an unfinished turn, to go on with; the original can be gone on with again."""
        run = Run(self.flows, conversation, contact, self.happening, self.tools)
        for name in ("effects", "steps", "reached", "rests", "missing_names"):
            setattr(run, name, list(getattr(self, name)))
        for name in ("fresh", "settled"):
            setattr(run, name, set(getattr(self, name)))
        run.memory_changes = dict(self.memory_changes)
        for name in ("temp", "budget", "room", "refused", "started", "version", "_waits"):
            setattr(run, name, getattr(self, name))
        run.work.left = self.work.left
        run._person = self._person.forked(contact)
        return run

    # --- what it knows

    @property
    def now(self) -> str:
        """The event's time, RFC 3339 UTC."""
        return self.happening.now

    @property
    def contact(self) -> Contact:
        """The person as of now."""
        return self._person.contact

    @property
    def is_private(self) -> bool:
        """Whether it is a chat with one person."""
        return self.conversation.chat == "private"

    @property
    def session(self) -> Session:
        """The session that moves. There is one whenever a node runs."""
        session = self.conversation.session
        if session is None:
            raise RuntimeError("no session moves")
        return session

    @property
    def node_id(self) -> str:
        """The node that runs."""
        return self.node.id

    @property
    def owner_epoch(self) -> int:
        """How often the conversation's owner has changed."""
        return self.conversation.owner_epoch

    @property
    def next_seq(self) -> int:
        """The number that the bot's next message will have."""
        return self.conversation.next_seq

    def scope(self, name: str) -> Any:
        """The value of a root name. Raises NodeError for memory in a run without a person."""
        found = self._scopes.get(name)
        if found is None:
            found = self._scopes[name] = self._made_scope("user" if name == "contact" else name)
        return found

    def _made_scope(self, name: str) -> Any:
        if name == IN_SEGMENT:
            return Membership(self.contact, self.conversation.bot_id, self.now, self.tools, self.work)
        if name == "memory":
            return self._memory()
        if name == "user":
            return self._user()
        if name == "temp":
            return self.temp
        if name == "event":
            return self._event()
        if name == "bot":
            return {**self.tools.bot.get("variables", {}), **self.tools.bot}
        if name == "system":
            channel_names = {"channel": self.tools.channel.get("type"), "channel_id": self.tools.channel.get("id")}
            return {"now": self.now, "last_message": self.conversation.last_message, **channel_names}
        return {}

    def _memory(self) -> dict[str, Any]:
        if self.nobody:
            raise NodeError("no-person", "a generated URL without a person has no session memory")
        return self.conversation.session.memory if self.conversation.session else {}

    def _user(self) -> dict[str, Any]:
        contact = self.contact
        if not contact.id:
            return {}
        known = {"id": contact.id, "tags": contact.tags, "flags": contact.flags}
        return {**contact.variables, **contact.profile, **known, "last_message": self.conversation.last_message}

    def _event(self) -> dict[str, Any]:
        data = self.happening.data
        return data if "variables" in data else {**data, "variables": {}}

    def missing(self, name: str) -> None:
        """Note that `name` rendered empty. Raises NodeError where the flow is strict."""
        if self.graph.strict:
            raise NodeError("missing-value", f"{name} has no value, and this flow is strict")
        self.missing_names.append(name)

    # --- where it is

    def stand_in(self, session: Session | None) -> None:
        """Make this the session that moves (None: no session is left)."""
        self.conversation.session = session
        self._scopes.pop("memory", None)
        self._memory_size = -1

    def take(self, happening: Happening) -> None:
        """Turn to another event: one that was queued."""
        self.happening = happening
        self._scopes.clear()

    # --- what it does

    def emit(self, effect: Effect) -> None:
        """Add an effect of a node. Raises NodeError past the limit of a turn."""
        if len(self.effects) >= self.room:
            raise NodeError("too-many-effects", f"a turn has at most {MOST_EFFECTS} effects")
        self.effects.append(effect)

    def emit_event(self, type: str, data: dict[str, Any]) -> None:
        """Emit an event of the present node. Raises NodeError past the limit of a turn."""
        self.emit(EmitEvent(type, data, self.node.id, self.graph.ref, self.contact))

    def tell(self, type: str, data: dict[str, Any], node: str | None = None, graph: Graph | None = None) -> None:
        """Emit an event of the turn itself; these have room of their own."""
        self.effects.append(EmitEvent(type, data, node, graph.ref if graph else None, self.contact))

    def say(
        self,
        text: str,
        buttons: list[dict[str, Any]] | None = None,
        quick_replies: list[dict[str, Any]] | None = None,
        tap: dict[str, Any] | None = None,
        expires: timedelta | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Send a message, or several where the channel shows less in one. `tap`: where its buttons lead, which the last
        of them has. Raises NodeError when the person cannot be written to, and for buttons that are too much to remember."""
        if not self.nobody and (refused := why_not_written(self.conversation, unasked=self.session.unasked)):
            raise NodeError(refused.type, refused.detail, refused.status)
        session, seq = self.session, self.conversation.next_seq
        suggested = [{"title": title} for title in session.quick_replies]
        until = clock.after(self.now, expires) if expires else None
        taps = self._taps_with(seq, tap) if tap else self.conversation.taps
        said = Said(text, tuple(buttons or ()), (*(quick_replies or ()), *suggested), **(more or {}))
        for one in as_shown(said, self.tools.channel):
            self._send(one.effect(self.next_seq, expires=until, hides=hides(one, self.conversation)))
        session.quick_replies = []
        session.said = in_words(said)
        self.conversation.taps = taps

    def _send(self, message: Say) -> None:
        self.emit(message)
        self.conversation.next_seq = message.seq + 1

    hand_to_agents = ownership.to_queue

    def _taps_with(self, seq: int, tap: dict[str, Any]) -> dict[str, Any]:
        place = {"flow_id": self.graph.flow_id, "flow_version": self.graph.version, "node": self.node.id}
        taps = {**self.conversation.taps, str(seq): {**place, **tap}}
        return newest_taps(taps)

    def suggest(self, titles: tuple[str, ...]) -> None:
        """Show these quick replies with the next message."""
        if titles:
            self.session.quick_replies = list(titles)

    def payload(self, seq: int, option: str) -> str:
        """What a tap on an option of message `seq` sends back; `tapped` reads it."""
        return payload_of(seq, option)

    def tapped(self, happening: Happening) -> str | None:
        """The option's id, when the message is a tap on a question of this session."""
        _, option = split_payload(happening.data.get("payload"))
        return option

    def post_webhook(self, title: str, url: str, format: str) -> None:
        """Post to an inline URL."""
        self.emit(PostWebhook(title, url, format, self.node.id, self.graph.ref, self.contact))

    def redirect(self, url: str, expires_in: timedelta | None = None) -> str:
        """A tracked link to `url`."""
        place = {"node": self.node.id, "flow": self.graph.ref, "conversation": self.conversation.key}
        until = clock.after(self.now, expires_in) if expires_in else None
        return self.link("redirect", {"url": url, **place, "contact_id": self.contact.id or None, "expires_at": until})

    def link(self, kind: Literal["command", "redirect"], payload: dict[str, Any]) -> str:
        """A signed URL, with an id of its own."""
        self._waits += 1
        jti = derived_id("link", self.conversation.key, self.version, self._waits)
        return self.tools.sign_link(kind, {**payload, "jti": jti})

    def person(self, user_id: Any) -> dict[str, str]:
        """Whom `user_id` names: a contact's id or a private peer id; None is the current person.

        Raises NodeError where there is no current person.
        """
        if user_id is None:
            if self.nobody:
                raise NodeError("no-person", "there is no current person: name one by user_id")
            return {"contact_id": self.contact.id}
        named = str(user_id)
        try:
            return {"contact_id": str(UUID(named))}
        except ValueError:
            pass
        return {"peer_id": named} if self.nobody else {"peer_id": named, "channel_id": self.conversation.channel_id}

    # --- waiting

    def token(self) -> str:
        """A fresh wait token of this turn."""
        self._waits += 1
        return derived_id("wait", self.conversation.key, self.version, self._waits)

    def wait(self, kind: Any, length: timedelta | None = None, data: dict[str, Any] | None = None) -> Wait:
        """A wait at the present node, for at most `length`."""
        until = clock.after(self.now, length) if length else None
        return Wait(self.token(), kind, self.node.id, until, data or {})

    def same_wait(self) -> Wait:
        """The wait that is being resumed: the question stays open, its timer runs on."""
        wait = self.session.wait
        if wait is None:
            raise RuntimeError("nothing is waited for")
        return wait

    # --- writing

    def write(self, place: values.Place, value: Any) -> None:
        """Write to a place; None clears. Raises NodeError when it is full."""
        self.write_all(place.scope, {place.name: value})

    def write_all(self, scope: str, written: dict[str, Any]) -> None:
        """Write several values to `memory`, `user` or `temp`. Raises NodeError when it is full, and writes nothing then."""
        if not written:
            return
        if scope == "memory":
            self._write_memory(written)
        elif scope == "user":
            self._person.write(written)
            self._forget_person()
        else:
            if is_too_deep(written):
                raise NodeError("not-json", f"a value that cannot be kept: it has more than {MOST_LEVELS} levels")
            self.temp = {**self.temp, **written}
            self._scopes.pop("temp", None)

    def _write_memory(self, written: dict[str, Any]) -> None:
        memory, session = self._memory(), self.session
        self._memory_size = size_with(self.conversation, session, written, self._memory_size)
        note(self.memory_changes, session, written)
        session.memory = {name: value for name, value in {**memory, **written}.items() if value is not None}
        self._scopes.pop("memory", None)

    def label(self, kind: LabelKind, label: str, *, put: bool) -> None:
        """Put a tag or flag on the person or take it off, and tell when that is a change."""
        if self._person.has(kind, label) is put:
            return
        name = kind.removesuffix("s")
        verb = "removed" if not put else ("added" if kind == "tags" else "assigned")
        self._person.label(kind, label, put=put)
        self._forget_person()
        self.emit_event(f"{name}.{verb}", {name: label})

    def opt_out(self) -> None:
        """Note that the person has unsubscribed, and tell when that is news. Raises NodeError when there is nobody."""
        self._person.someone()
        if not self.conversation.opted_out:
            self.conversation.opted_out = True
            self.emit_event("bot.unsubscribed", {"reason": "opted-out"})

    def _forget_person(self) -> None:
        for name in ("user", "contact", IN_SEGMENT):
            self._scopes.pop(name, None)

    # --- the result

    def turn(self) -> Turn:
        """What the event did. The conversation is a version further, except while code is to run."""
        conversation = self.conversation
        if self.code is not None:
            conversation.unfinished = self
        else:
            conversation.unfinished = None
            conversation.version = self.version + 1
            conversation.last_at = self.now
            self._tell_of_contact()
        return Turn(
            conversation, self.contact, self.effects, self.steps, self.started, self.rests, self.refused, self.code,
            self.memory_changes, self.reached,
        )  # fmt: skip

    def _tell_of_contact(self) -> None:
        patch = self._person.patch()
        if patch is not None:
            self.effects.append(patch)
            if patch.set:
                self.effects.append(EmitEvent("contact.updated", {"changed": list(patch.set)}, contact=self.contact))
