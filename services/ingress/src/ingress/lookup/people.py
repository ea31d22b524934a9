"""Naming a person: what a caller gave -> the conversation, or who the engine has to look for."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from contracts.ids import NOBODY, PEER_ID
from contracts.inbound import ChannelType
from contracts.people import Person
from contracts.registry import Channel
from ingress.ports import View
from ingress.wire.problems import channel_needed, invalid
from servicekit.web.problems import not_found

WAYS = ("contact_id", "channel_id", "peer_id", "external_id", "phone", "email")
LONGEST_NAME = 256


class Address(NamedTuple):
    """Where an inbound record goes. `person` is set where the engine has to find the conversation."""

    bot_id: str
    channel_id: str
    peer_id: str
    channel_type: ChannelType | None
    person: Person | None = None

    @property
    def key(self) -> str:
        """The record's key: the conversation, or `bot_id/-/<person>`."""
        who = self.peer_id if self.person is None else self.person.named()
        return f"{self.bot_id}/{self.channel_id}/{who}"


def parse_person(given: Any, pointer: str = "/person") -> Person:
    """The person of a body. Raises ProblemError 422 naming the field."""
    if not isinstance(given, dict):
        raise invalid(pointer, "person is an object: {peer_id}, {contact_id}, {external_id}, {phone} or {email}.")
    if unknown := next((name for name in given if name not in WAYS), None):
        raise invalid(f"{pointer}/{unknown}", f"{unknown} does not name a person; one of {', '.join(WAYS)} does.")
    named = {name: value for name, value in given.items() if value is not None}
    if "peer_id" in named:
        named["peer_id"] = parse_peer(named["peer_id"], f"{pointer}/peer_id")
    for name, value in named.items():
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
            raise invalid(f"{pointer}/{name}", f"{name} is a text of 1 to {LONGEST_NAME} characters.")
    try:
        return Person(**named)
    except ValidationError:
        raise invalid(pointer, "Give exactly one of contact_id, peer_id, external_id, phone, email.") from None


def parse_peer(given: Any, pointer: str = "/peer_id") -> str:
    """A channel's own id: a string or an integer. Raises ProblemError 422."""
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or not PEER_ID.fullmatch(text):
        raise invalid(pointer, "peer_id: an integer, or 1 to 128 of A-Z a-z 0-9 . _ : @ + -")
    return text


def address_of(view: View, bot_id: str, project_id: str, person: Person, channel_id: str | None) -> Address:
    """Where a record for that person of the bot goes; `channel_id` is the trigger's, None when it has none.

    Raises ProblemError 422 when a peer's channel is not clear or not the trigger's, 404 for a channel that is not the bot's.
    """
    if channel_id and person.channel_id and person.channel_id != channel_id:
        raise invalid("/person/channel_id", "This trigger writes on another channel; leave channel_id out.")
    if person.peer_id is None:
        wanted = person.channel_id or channel_id
        bound = person if wanted == person.channel_id else person.model_copy(update={"channel_id": wanted})
        return Address(bot_id, NOBODY, NOBODY, None, bound)
    return peer_address(view, bot_id, project_id, person.peer_id, person.channel_id or channel_id)


def peer_address(view: View, bot_id: str, project_id: str, peer_id: str, channel_id: str | None) -> Address:
    """The conversation of a peer in that channel, or in the bot's only one. Raises ProblemError 404 or 422."""
    channel = _channel(view, bot_id, project_id, channel_id)
    return Address(bot_id, channel.id, peer_id, channel.type)


def _channel(view: View, bot_id: str, project_id: str, wanted: str | None) -> Channel:
    if wanted is not None:
        found: Channel | None = view.get("channel", wanted)
        if found is None or found.bot_id != bot_id:
            raise not_found("The bot's channel")
        return found
    channels = [one for one in view.all("channel", project_id) if one.bot_id == bot_id]
    if len(channels) != 1:
        raise channel_needed() if channels else not_found("A channel of the bot")
    one: Channel = channels[0]
    return one
