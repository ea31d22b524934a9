"""What the `data` of events holds in which agents take part; see contracts.event_data."""

from __future__ import annotations

from typing import Literal

from contracts.event_data import Agent, EventData


class WithAgent(EventData):
    """Somebody who answers in place of the bot."""

    agent: Agent
    """Who it is."""


class AgentNotifiedData(EventData):
    """A `notify_agent` node was reached."""

    text: str
    """What the flow says."""


class LiveChatOpenedData(EventData):
    """People answer from now on, and the bot is silent."""

    by: Literal["flow", "agent"]
    """A flow handed it over, or an agent took it."""
    agent: Agent | None = None
    """The agent whose it is; none where it waits in the queue."""
    queue: str | None = None
    """What the flow's `live_chat` node calls the matter, if it does."""


class LiveChatClosedData(EventData):
    """The bot answers from now on."""

    agent: Agent | None = None
    """The agent who gave it back; none after a time-out."""
    reason: Literal["released", "timeout"]
    """`timeout`: no agent had answered within the time that the `live_chat` node gives."""
