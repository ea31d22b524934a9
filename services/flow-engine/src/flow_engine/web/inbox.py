"""The agents' inbox: conversations by who answers, what was said in one, and what an agent does with it.

Each write is an event of the conversation, answered when it is applied: its partition decides of two agents at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.cloudevents import now_text, rfc3339
from contracts.ids import NOBODY, derived_id, split_conversation_key
from contracts.inbound import AgentMessage, AgentNote, AgentPresence, AgentRead, AgentRef, InboundBase, OwnerChange
from contracts.registry import Agent, Bot, Token
from contracts.replies import RunReply
from contracts.routes import ROWS
from flow_engine.state.ids import as_uuid
from flow_engine.store import chat_log, inbox
from flow_engine.store.inbox import Found, Place
from flow_engine.turn import presence
from flow_engine.web import contact_changes, contacts, inbox_stream, views, writing
from flow_engine.web.contacts import bot_of, words_of
from flow_engine.web.inbox_models import Assign, NewMessage, NewNote, Presence, Release
from flow_engine.web.inbox_stream import Streams
from flow_engine.web.writing import Asked
from flowlang.clock import after
from flowlang.running.ownership import BOT, QUEUED
from servicekit.storable import moment_of
from servicekit.web.auth import Authoriser, Caller, expired
from servicekit.web.pagination import NO_CURSOR, decode_cursor, encode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler, prove

_ONE = "/v1/conversations/{conversation}"
LIST = "GET /v1/conversations"
SHOW = f"GET {_ONE}"
MESSAGES = f"GET {_ONE}/messages"
TAKE_OVER = f"POST {_ONE}/takeover"
ASSIGN = f"POST {_ONE}/assign"
RELEASE = f"POST {_ONE}/release"
SAY = f"POST {_ONE}/messages"
NOTE = f"POST {_ONE}/notes"
READ = f"POST {_ONE}/read"
PRESENCE = "POST /v1/conversations/presence"
PRESENCE_SECONDS = 120
"""So long an agent is there after its last word."""
STATES = ("queued", "with_agent", "with_bot")


class Deps(contacts.Deps, Protocol):
    """What these routes need beside what those of contacts do."""

    @property
    def authoriser(self) -> Authoriser:
        """Who may call."""
        ...

    @property
    def streams(self) -> Streams:
        """Those of this process."""
        ...

    def agent(self, agent_id: str) -> Agent | None:
        """An agent by id."""
        ...

    def tokens_of(self, agent_id: str) -> list[Token]:
        """By which the agent acts."""
        ...


class Here(NamedTuple):
    """A conversation that the caller may see."""

    found: Found
    bot: Bot

    @property
    def place(self) -> dict[str, Any]:
        """The fields of a record that say where it is."""
        bot_id, channel_id, peer_id = split_conversation_key(self.found.key)
        named = {"project_id": self.bot.project_id, "bot_id": bot_id, "channel_id": channel_id, "peer_id": peer_id}
        return named | {"channel_type": self.found.state.channel_type or None}


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def list_conversations(request: Request, caller: Caller) -> Response:
        query = request.query_params
        if inbox_stream.MEDIA_TYPE in request.headers.get("accept", "") and request.method == "GET":
            return await stream(request, caller)
        asked, limit, after = _asked(query, caller, deps), page_limit(query.get("limit")), _place(query.get("cursor"))
        async with deps.pool.acquire() as connection:
            found = await inbox.page(connection, asked, after, limit)
        following = encode_cursor(found.next.since.isoformat(), found.next.id) if found.next else None
        return JSONResponse({"items": [shown(one) for one in found.items], "next": following})

    async def stream(request: Request, caller: Caller) -> Response:
        asked = _asked(request.query_params, caller, deps)
        if asked.with_bot or asked.words:
            raise invalid_query(
                "state" if asked.with_bot else "q", "a stream tells of what people answer: leave it out."
            )
        bot = bot_of(asked.bot_id, caller, deps)

        async def ask_again() -> None:
            now = await prove(ROWS[LIST], deps.authoriser, request)
            if not _sees(now, bot, deps):
                raise not_found("The bot")

        return deps.streams.answer(bot.project_id, lambda: deps.pool, asked, shown, ask_again)

    async def show(request: Request, caller: Caller) -> Response:
        return JSONResponse(shown((await here(request, caller, deps)).found))

    async def messages(request: Request, caller: Caller) -> Response:
        query = request.query_params
        limit, before = page_limit(query.get("limit")), _line_place(query.get("cursor"))
        conversation = (await here(request, caller, deps)).found.id
        async with deps.pool.acquire() as connection:
            found = await chat_log.newest(connection, conversation, before, limit + 1)
        listed, following = page(found, limit, lambda one: (one.seq, one.place))
        return JSONResponse({"items": [views.line(one) for one in listed], "next": following})

    async def take_over(request: Request, caller: Caller) -> Response:
        at = await here(request, caller, deps)
        owner = at.found.state.owner
        # Of who cannot give it away.
        gone = owner if _state(owner) == "with_agent" and not _can_answer(owner, at.bot, deps) else None
        return await _changed(deps, request, caller, at, lambda by: {"to": "agent", "instead_of": gone})

    async def assign(request: Request, caller: Caller) -> Response:
        to, at = contact_changes.read(await request.body(), Assign).agent, await here(request, caller, deps)

        def change(by: Agent) -> dict[str, Any]:
            return {"to": "agent", "agent": ref(_colleague(deps, by, at.bot, to))}

        return await _changed(deps, request, caller, at, change)

    async def release(request: Request, caller: Caller) -> Response:
        asked = contact_changes.read(await request.body() or b"{}", Release)
        at = await here(request, caller, deps)
        return await _changed(deps, request, caller, at, lambda by: {"to": asked.to})

    async def say(request: Request, caller: Caller) -> Response:
        new = contact_changes.read(await request.body(), NewMessage)
        by, at = agent_of(caller, deps), await here(request, caller, deps)
        asked = await _asked_by(request, caller, at.bot.project_id)
        if new.client_message_id is not None:
            named = derived_id(at.found.key, by.id, new.client_message_id)
            asked = asked._replace(
                event_id=named, digest=writing.digest_of(new.model_dump_json(exclude_none=True).encode())
            )
        reply = await _write(
            deps,
            asked,
            at,
            AgentMessage,
            {"agent": ref(by), **new.model_dump(include={"media", "location"}), "text": new.text or ""},
        )
        if reply is None:
            return writing.accepted(asked)
        said = [message.model_dump(mode="json", exclude_none=True) for message in reply.messages]
        return JSONResponse({"event_id": asked.event_id, "messages": said}, 201)

    async def note(request: Request, caller: Caller) -> Response:
        text = contact_changes.read(await request.body(), NewNote).text
        by, at = agent_of(caller, deps), await here(request, caller, deps)
        asked = await _asked_by(request, caller, at.bot.project_id)
        reply = await _write(deps, asked, at, AgentNote, {"agent": ref(by), "text": text})
        return writing.accepted(asked) if reply is None else JSONResponse({"id": as_uuid(asked.event_id)}, 201)

    async def read(request: Request, caller: Caller) -> Response:
        by, at = agent_of(caller, deps), await here(request, caller, deps)
        asked = await _asked_by(request, caller, at.bot.project_id)
        reply = await _write(deps, asked, at, AgentRead, {"agent": ref(by)})
        return await _now(deps, asked, reply, at)

    async def be_there(request: Request, caller: Caller) -> Response:
        said = contact_changes.read(await request.body(), Presence).state
        by = agent_of(caller, deps)
        asked = await _asked_by(request, caller, by.project_id)
        until = None if said == "offline" else after(now_text(), timedelta(seconds=PRESENCE_SECONDS))
        place = {"project_id": by.project_id, "bot_id": by.project_id, "channel_id": NOBODY, "peer_id": NOBODY}
        fields = {"agent": ref(by), "state": said, "until_seconds": PRESENCE_SECONDS}
        reply = await deps.writes.write(asked, presence.key_of(by.project_id, by.id), AgentPresence, place | fields)
        if reply is None:
            return writing.accepted(asked)
        return JSONResponse({"agent": ref(by).model_dump(), "state": said, "until": until})

    return {
        LIST: list_conversations, SHOW: show, MESSAGES: messages, TAKE_OVER: take_over, ASSIGN: assign, RELEASE: release,
        SAY: say, NOTE: note, READ: read, PRESENCE: be_there,
    }  # fmt: skip


def agent_of(caller: Caller, deps: Deps) -> Agent:
    """Who acts. Raises ProblemError 403: admin, the operator and a token that was made for nobody act as no agent."""
    agent = deps.agent(caller.agent_id) if caller.agent_id is not None else None
    if agent is None:
        detail = "Agents do this: use a token that was made for one, POST /v1/agents/{id}/tokens."
        raise ProblemError("not-an-agent", 403, "Not an agent", detail)
    return agent


def ref(agent: Agent) -> AgentRef:
    """As records and events name it."""
    return AgentRef(id=agent.id, name=agent.name)


async def here(request: Request, caller: Caller, deps: Deps) -> Here:
    """The conversation of the path. Raises ProblemError 404 where there is none that the caller sees."""
    try:
        id = str(UUID(request.path_params["conversation"]))
    except ValueError:
        raise not_found("The conversation") from None
    async with deps.pool.acquire() as connection:
        found = await inbox.find(connection, id)
    bot = deps.bot(split_conversation_key(found.key)[0]) if found is not None and found.contact_id else None
    if found is None or bot is None or not may_see(caller, bot, deps):
        raise not_found("The conversation")
    return Here(found, bot)


def may_see(caller: Caller, bot: Bot, deps: Deps) -> bool:
    """Whether the bot's conversations are the caller's to see."""
    return caller.project in (bot.project_id, None) and _sees(caller, bot, deps)


def _sees(caller: Caller, bot: Bot, deps: Deps) -> bool:
    return caller.agent_id is None or _may_answer(deps.agent(caller.agent_id), bot)


def _may_answer(agent: Agent | None, bot: Bot) -> bool:
    """Whether it is there, and sees the bot's conversations."""
    return agent is not None and (not agent.bots or bot.id in agent.bots)


def _can_answer(agent_id: str, bot: Bot, deps: Deps) -> bool:
    """Whether it sees the bot's conversations and has a token to act by."""
    acts = any(not expired(token.expires_at) for token in deps.tokens_of(agent_id))
    return acts and _may_answer(deps.agent(agent_id), bot)


def _colleague(deps: Deps, by: Agent, bot: Bot, id: str) -> Agent:
    agent = deps.agent(id)
    if agent is None or agent.project_id != by.project_id:
        raise _not_to("The project has no such agent.")
    if not _may_answer(agent, bot):
        raise _not_to("The agent does not see the conversations of this bot.")
    return agent


def _not_to(detail: str) -> ProblemError:
    errors = [{"pointer": "#/agent", "detail": detail}]
    return ProblemError("invalid", 422, "Invalid request", f"#/agent: {detail}", errors=errors)


def _asked(query: QueryParams, caller: Caller, deps: Deps) -> inbox.Asked:
    """Raises ProblemError 404 or 422."""
    state, agent = query.get("state"), query.get("agent")
    if state not in (None, *STATES):
        raise invalid_query("state", "queued, with_agent or with_bot.")
    if agent is not None and state not in (None, "with_agent"):
        raise invalid_query("agent", "conversations in another state have none: leave it out, or say state=with_agent.")
    bot = bot_of(query.get("bot"), caller, deps)
    if not _sees(caller, bot, deps):
        raise not_found("The bot")
    owner = QUEUED if state == "queued" else agent_of(caller, deps).id if agent == "me" else agent
    return inbox.Asked(
        bot.id,
        owner,
        by_agents=state == "with_agent" and owner is None,
        with_bot=state == "with_bot",
        channel_id=query.get("channel"),
        words=words_of(query.get("q")),
    )


Change = Callable[[Agent], dict[str, Any]]


async def _changed(deps: Deps, request: Request, caller: Caller, at: Here, change: Change) -> Response:
    """Another owner, as the partition decides."""
    by = agent_of(caller, deps)
    asked = await _asked_by(request, caller, at.bot.project_id)
    reply = await _write(deps, asked, at, OwnerChange, {"by": ref(by)} | change(by))
    return await _now(deps, asked, reply, at)


async def _asked_by(request: Request, caller: Caller, project_id: str) -> Asked:
    """An Idempotency-Key is the agent's own: the same key of another one is another write."""
    asked = writing.asked_by(request, project_id, await request.body(), caller.token_id)
    return asked if asked.digest is None else asked._replace(event_id=derived_id(asked.event_id, caller.agent_id or ""))


async def _write(
    deps: Deps, asked: Asked, at: Here, model: type[InboundBase], fields: dict[str, Any]
) -> RunReply | None:
    """The engine's word. Raises ProblemError for what was refused."""
    reply = await deps.writes.write(asked, at.found.key, model, at.place | fields)
    if reply is not None and reply.problem is not None:
        raise writing.problem_of(reply)
    return reply


async def _now(deps: Deps, asked: Asked, reply: RunReply | None, at: Here) -> Response:
    """The conversation as it is after the write."""
    if reply is None:
        return writing.accepted(asked)
    async with deps.pool.acquire() as connection:
        found = await inbox.find(connection, at.found.id)
    return JSONResponse(shown(found or at.found))


def shown(found: Found) -> dict[str, Any]:
    """The answer."""
    bot_id, channel_id, peer_id = split_conversation_key(found.key)
    state = found.state
    has_agent = state.owner not in (BOT, QUEUED)
    return {
        "id": found.id,
        "bot_id": bot_id,
        "channel_id": channel_id,
        "channel_type": state.channel_type,
        "peer_id": peer_id,
        "contact_id": found.contact_id,
        "contact_name": found.contact_name,
        "state": _state(state.owner),
        "agent": {"id": state.owner, "name": state.owner_name} if has_agent else None,
        "queue": state.queue,
        "since": state.owner_since,
        "unread": state.unread,
        "last_message": state.last_message,
        "last_user_message_at": rfc3339(found.last_user_at) if found.last_user_at else None,
    }


def _state(owner: str) -> Literal["queued", "with_agent", "with_bot"]:
    if owner == BOT:
        return "with_bot"
    return "queued" if owner == QUEUED else "with_agent"


def _place(cursor: str | None) -> Place | None:
    key = decode_cursor(cursor, str, UUID)
    try:
        return None if key is None else Place(moment_of(key[0]), key[1])
    except ValueError:
        raise invalid_query("cursor", NO_CURSOR) from None


def _line_place(cursor: str | None) -> tuple[int, int] | None:
    key = decode_cursor(cursor, int, int)
    if key is not None and not (-1 <= key[0] < 1 << 31 and -1 <= key[1] < 1 << 63):
        raise invalid_query("cursor", NO_CURSOR)
    return None if key is None else (key[0], key[1])
