"""`GET /v1/conversations/chats`: the people and groups that a channel has seen, and whether its bot may begin something there."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.registry import Channel
from flow_engine.store import chats
from flow_engine.store.chats import Chat
from flow_engine.web import inbox
from flowlang.running.reachability import why_not_begun
from servicekit.web.auth import Caller
from servicekit.web.pagination import decode_cursor, encode_cursor, page_limit
from servicekit.web.problems import not_found
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler

LIST = "GET /v1/conversations/chats"
TYPES = ("private", "group")


class Deps(inbox.Deps, Protocol):
    """What this route needs beside what the inbox does."""

    def channel(self, channel_id: str) -> Channel | None:
        """A channel by id."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def list_chats(request: Request, caller: Caller) -> Response:
        query = request.query_params
        channel, limit = channel_of(query.get("channel"), caller, deps), page_limit(query.get("limit"))
        type, after = query.get("type"), decode_cursor(query.get("cursor"), UUID)
        if type not in (None, *TYPES):
            raise invalid_query("type", "private or group.")
        async with deps.pool.acquire() as connection:
            found = await chats.page(connection, channel.bot_id, channel.id, type, after[0] if after else None, limit)
        following = encode_cursor(found.next) if found.next else None
        return JSONResponse({"items": [shown(one) for one in found.items], "next": following})

    return {LIST: list_chats}


def channel_of(id: str | None, caller: Caller, deps: Deps) -> Channel:
    """The channel that is named. Raises ProblemError 404 where the caller sees none, and 422."""
    if id is None:
        raise invalid_query("channel", "say which: the id of a channel.")
    channel = deps.channel(id)
    bot = deps.bot(channel.bot_id) if channel is not None else None
    if channel is None or bot is None or not inbox.may_see(caller, bot, deps):
        raise not_found("The channel")
    return channel


def shown(chat: Chat) -> dict[str, Any]:
    """The answer."""
    told = chat.conversation
    return {"peer_id": told.peer_id, "title": chat.title, "type": told.chat, "can_write": why_not_begun(told) is None}
