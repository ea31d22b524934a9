"""What a turn needs to know about its conversation's bot and channel, and the port that tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from contracts.registry import ApiCall
from flowlang.model import Conversation, Tools
from servicekit.registry_view.stamps import Stamp


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`flows` is the bot's flowlang.running.bot_flows.BotFlows. `bot` and `channel` are as events name them, encoded.

    The tools let nothing pass that is not cheap by its form, and let parts of flows be made ready as far as the project's
    allowance for that goes (flowlang.work). `in_house`: types of channel whose messages go to replies and the chat log, never through the dispatcher.
    """

    flows: Any
    tools: Tools
    bot: orjson.Fragment
    channel: orjson.Fragment
    in_house: frozenset[str]


class Retired(NamedTuple):
    """Versions of a flow up to `through` are retired, as a registry of this generation said: a restored one may not know it."""

    generation: int
    through: int


class Catalogue(Protocol):
    """What turns ask of the registry. `RegistryCatalogue` answers out of the registry view."""

    async def knows(self, stamps: Collection[Stamp], timeout: float) -> bool:
        """Whether what the writers of these stamps had read of the registry is known here within so many seconds."""

    async def prepare(self, conversations: Iterable[Conversation]) -> None:
        """Make what `around` says of these, while other tasks have their turns: bots may have many flows."""

    def around(self, conversation: Conversation) -> Surroundings:
        """The flows, bot and channel of a conversation."""

    def flow_data(self, flow_id: str, number: int) -> bytes | None:
        """A published version, the JSON of its contracts.registry.FlowVersion; None for one that was deleted or
        ended.

        Raises UnknownVersion for one that is not here: that may change.
        """

    def api_call(self, project_id: str, name: str) -> ApiCall | None:
        """A named API call."""

    def segment(self, project_id: str, name: str) -> str | None:
        """The filter of a project's segment, as it is now."""

    def is_deleted(self, kind: str, id: str) -> bool:
        """Whether its tombstone was seen; unknown is not deleted."""

    def channel_for(self, body: Any) -> str | None:
        """The channel on which a person-keyed record wants to reach its person; None: where they wrote last."""

    def peer_keys(self, body: Any) -> list[str]:
        """The conversations that a person may have who is named by a peer id: one on each of the bot's channels."""

    @property
    def generation(self) -> int:
        """How often the registry's database was restored, and one."""

    def retire(self, retired: Mapping[str, Retired]) -> None:
        """Let nobody start on these versions, by flow id. Who would, because the view is behind, is raised
        Infrastructure: the batch waits for the view."""

    def retired(self) -> Iterator[tuple[str, int]]:
        """(flow id, number) of versions that the registry has retired, or whose flow it has deleted, and that are still here."""

    def channel_type(self, key: str) -> str | None:
        """The type of a conversation's channel."""
