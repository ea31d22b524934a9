"""What all records of `switchhook.inbound.v1` have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from contracts.model import Model

ChannelType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""What a bot talks through: `telegram`, `webchat`, `http`, and what installed packages bring (libs/channels)."""


class ReplyTo(Model):
    """Where the answer to a waiting caller goes: the partition of the replies topic that its ingress instance reads.

    `until`: `verdict` is answered as soon as the engine started or refused the run; `rest` when the run waits for the
    person, ends or fails.
    """

    instance: str
    partition: int
    request_id: str
    until: Literal["verdict", "rest"] = "rest"


class Problem(Model):
    """An RFC 9457 problem as it travels between services; `type` is the slug, without the docs' base URL."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None


class InboundBase(Model):
    """`channel_id` and `peer_id` are `-` until the engine has found the person.

    `request_digest` stands for what was asked under an id that the caller chose (Idempotency-Key, `ce_id`,
    `client_message_id`): the engine refuses another request under the same id. `token_id` is that of the token by which it
    came: with it, what became of the event may be read.
    """

    project_id: str
    bot_id: str
    channel_id: str
    peer_id: str
    channel_type: ChannelType | None = None
    received_at: str
    reply_to: ReplyTo | None = None
    hops: int = 0
    request_digest: str | None = None
    token_id: str | None = None
