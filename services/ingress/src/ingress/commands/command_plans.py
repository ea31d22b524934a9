"""What another program wants done, as the inbound record that does it: commands.v1 and /v1/signals alike."""

from __future__ import annotations

from typing import NamedTuple

from contracts.cloudevents import now_text
from contracts.commands import CreateContact, MergeContacts, Say, SendSignal, Start, UpdateContact
from contracts.ids import NOBODY
from contracts.inbound import ContactUpdate, InboundBase, MessageReceived, Signal, StartFlow
from contracts.registry import Bot, Scope
from ingress.lookup.catalogue import Catalogue
from ingress.lookup.people import Address, address_of
from ingress.wire.problems import invalid, refuse_paused
from servicekit.web.auth import Caller
from servicekit.web.problems import not_found

LONGEST_SIGNAL = 100
"""Characters of the name that a `wait_event` step may wait for."""
Command = Start | Say | CreateContact | UpdateContact | MergeContacts | SendSignal
SCOPES: dict[type, Scope] = {
    Start: "flows:execute",
    Say: "bots:converse",
    CreateContact: "data:write",
    UpdateContact: "data:write",
    MergeContacts: "data:write",
    SendSignal: "flows:execute",
}
JUDGED_BY_ENGINE = frozenset({"start", "contact_create", "contact_update", "contact_merge"})
"""Kinds on which the engine has the last word."""


class CommandPlan(NamedTuple):
    """The record and its key."""

    body: InboundBase
    key: str


class Planner:
    """Checks a command as the HTTP API does; whether the bot may write is the engine's to say."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def bot_of(self, command: Command, caller: Caller) -> Bot:
        """The command's bot, if the caller may do this to it. Raises ProblemError 403 or 404."""
        caller.require(SCOPES[type(command)])
        bot = await self._catalogue.caught_up(lambda: self._catalogue.bot(command.bot))
        if bot.project_id != caller.project and not (caller.is_operator and caller.project is None):
            raise not_found("The bot")
        return bot

    async def plan(self, command: Command, bot: Bot, *, event_id: str, hops: int) -> CommandPlan:
        """Raises ProblemError 404, 409 or 422."""
        return await self._catalogue.caught_up(lambda: self._plan(command, bot, event_id, hops))

    def _plan(self, command: Command, bot: Bot, event_id: str, hops: int) -> CommandPlan:
        address = self._address(command, bot)
        base: dict[str, object] = {
            "project_id": bot.project_id,
            "bot_id": bot.id,
            "channel_id": address.channel_id,
            "peer_id": address.peer_id,
            "channel_type": address.channel_type,
            "received_at": now_text(),
            "hops": hops,
        }
        key = f"{bot.id}/{NOBODY}/{event_id}" if isinstance(command, CreateContact) else address.key
        return CommandPlan(self._body(command, bot, address, event_id, base), key)

    def _address(self, command: Command, bot: Bot) -> Address:
        if isinstance(command, CreateContact):
            return Address(bot.id, NOBODY, NOBODY, None)
        channel_id = self._http_channel(bot) if isinstance(command, Say) else None
        return address_of(self._catalogue.view, bot.id, bot.project_id, command.person, channel_id)

    def _http_channel(self, bot: Bot) -> str:
        channel = self._catalogue.http_channel(bot)
        refuse_paused(channel)
        return channel.id

    def _body(
        self, command: Command, bot: Bot, address: Address, event_id: str, base: dict[str, object]
    ) -> InboundBase:
        match command:
            case Start():
                flow, accepts = self._catalogue.flow_entry(bot, command.flow, command.entry)
                if accepts is not None:
                    accepts.check(command.variables)
                return StartFlow.model_validate({
                    **base, "source": "command", "flow_id": flow.id, "entry": command.entry,
                    "person": address.person, "variables": command.variables,
                })  # fmt: skip
            case Say():
                if address.person is not None:
                    raise invalid("/person", "In the http channel a person is named by peer_id.")
                return MessageReceived.model_validate({**base, "message_id": event_id, "text": command.text})
            case CreateContact():
                told = command.profile.model_dump(exclude_none=True)
                about = {"profile": told, "variables": command.variables, "create": True}
                return ContactUpdate.model_validate(
                    {**base, **about, "add_tags": command.tags, "add_flags": command.flags}
                )
            case MergeContacts():
                return ContactUpdate.model_validate({**base, "person": address.person, "merge": str(command.contact)})
            case UpdateContact():
                changes = command.model_dump(exclude={"kind", "bot", "person"})
                return ContactUpdate.model_validate({**base, **changes, "person": address.person})
            case SendSignal():
                if not 0 < len(command.name) <= LONGEST_SIGNAL:
                    raise invalid("/name", f"name has 1 to {LONGEST_SIGNAL} characters, as that of a wait_event step.")
                return Signal.model_validate({
                    **base, "name": command.name, "data": command.data, "person": address.person,
                })  # fmt: skip
