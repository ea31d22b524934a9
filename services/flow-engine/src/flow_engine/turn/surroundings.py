"""What a turn needs to know about its conversation's bot and channel, out of the registry view. Rebuilt when they change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from contracts.ids import derived_id
from contracts.links import HookLink, RedirectLink
from contracts.people import Person
from contracts.registry import ApiCall
from flowlang.model import Conversation, Tools
from servicekit.credentials.links import LinkKeys

IN_HOUSE = frozenset({"webchat", "http"})
"""Channels whose messages go to replies and the chat log, never through the dispatcher."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`flows` is the bot's flowlang.running.bot_flows.BotFlows. `bot` and `channel` are as events name them, encoded."""

    flows: Any
    tools: Tools
    bot: orjson.Fragment
    channel: orjson.Fragment


class Catalogue(Protocol):
    """What turns ask of the registry; catalogue.RegistryCatalogue answers."""

    @property
    def offset(self) -> int:
        """Offset of the last registry record that is known here."""

    async def reached(self, offset: int, timeout: float) -> bool:
        """Whether that offset is known within so many seconds."""

    def around(self, conversation: Conversation) -> Surroundings:
        """The flows, bot and channel of a conversation."""

    def api_call(self, project_id: str, name: str) -> ApiCall | None:
        """A named API call."""

    def is_deleted(self, kind: str, id: str) -> bool:
        """Whether its tombstone was seen; unknown is not deleted."""

    def channel_for(self, body: Any) -> str | None:
        """The channel on which a person-keyed record wants to reach its person; None: where they wrote last."""

    def only_channel_key(self, body: Any) -> str | None:
        """The conversation of a person named by a peer id alone, where the bot has one channel."""

    def channel_type(self, key: str) -> str | None:
        """The type of a conversation's channel."""


class LinkMaker:
    """Signs the URLs that flows make (B1, tracked links)."""

    def __init__(self, keys: LinkKeys | None, public_url: str) -> None:
        self._keys, self._public_url = keys, public_url

    def for_bot(self, project_id: str, bot_id: str) -> Callable[[str, dict[str, Any]], str]:
        """`sign_link` of flowlang.model.Tools. Raises ValueError without a link key."""

        def sign(kind: str, payload: dict[str, Any]) -> str:
            if self._keys is None:
                raise ValueError("generated URLs need SWITCHHOOK_LINK_KEY")
            made = _hook(bot_id, payload) if kind == "command" else _redirect(bot_id, payload)
            purpose: Any = "w" if kind == "command" else "r"
            text = self._keys.sign_link(purpose, project_id, made.model_dump(mode="json", exclude_none=True))
            return f"{self._public_url}/v1/{purpose}/{text}"

        return sign


def _hook(bot_id: str, payload: dict[str, Any]) -> HookLink:
    person = payload.get("person")
    return HookLink(
        link_id=derived_id("link", payload["jti"]),
        bot_id=bot_id,
        command=payload["command"],
        content=payload.get("content"),
        person=Person.model_validate(person) if person else None,
        redirect_to=payload.get("redirect_to"),
        expires_at=payload.get("expires_at"),
        single_use=bool(payload.get("single_use")),
        confirm=bool(payload.get("confirm")),
    )


def _redirect(bot_id: str, payload: dict[str, Any]) -> RedirectLink:
    return RedirectLink(
        link_id=derived_id("link", payload["jti"]),
        bot_id=bot_id,
        conversation=payload.get("conversation", ""),
        url=payload["url"],
        contact_id=payload.get("contact_id"),
        node=payload.get("node"),
    )
