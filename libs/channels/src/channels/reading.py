"""What a platform's answer means, in words that are the same for all of them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Meaning = Literal["sent", "failed", "limited", "moved", "unreachable", "credentials", "refused"]
"""sent: the platform has it. failed: its own trouble, later again. limited: too much, later again.

moved: the chat has another id, `moved_to`. unreachable: this person cannot be written to, in the way `unreachable` says.
credentials: they are refused; the channel is paused until somebody mends them. refused: never, as it stands (its content,
the platform's configuration or policy, a closed window); `code` says which.
"""


Scope = Literal["bot", "chat", "unsaid"]
"""Whom a limit is for. unsaid: the platform's answer is the same for both; the conversation waits, and the bot only once
several conversations in a row were told so."""


class Reading(NamedTuple):
    """`code` is the word to count by, `detail` the platform's own sentence. `answer` is what later steps and checks read.

    `retry_after` (seconds) goes with `limited`, and `scope` says who has to wait: the whole bot, or this chat alone (a
    limit per person and channel is met in the same way: they share the chat's order). `bot` holds up everybody whom the bot
    talks to, so it is only said where the platform says it. `healthy`: it says nothing against the platform as a whole; a
    refused person does not.
    """

    meaning: Meaning
    code: str | None = None
    detail: str | None = None
    answer: Any = None
    provider_message_id: str | None = None
    retry_after: float | None = None
    scope: Scope = "unsaid"
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None
    moved_to: str | None = None
    healthy: bool = True
