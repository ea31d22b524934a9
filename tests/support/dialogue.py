"""A conversation with flows, as a test drives it: each event is stepped twice, and state goes through its stored form."""

from __future__ import annotations

import copy
from typing import Any

import orjson

from contracts.ids import NOBODY
from contracts.registry import FlowVersion
from flowlang.graph import Graph
from flowlang.language.compile import compile_flow
from flowlang.model import (
    AskModel,
    CallApi,
    Contact,
    Conversation,
    EmitEvent,
    Happening,
    PostWebhook,
    ReadHistory,
    Say,
    StartTimer,
    Tools,
    Turn,
)
from flowlang.running import state
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step


def document(nodes: dict[str, Any], triggers: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    """A flow document around these nodes; it starts at the first one, which /go leads to."""
    first = next(iter(nodes))
    go = {"id": "go", "type": "command", "value": "/go", "to": first}
    return {
        "schema": "flow/1",
        "slug": "story",
        "name": "Story",
        "start": first,
        "triggers": [go, *(triggers or [])],
        "nodes": nodes,
        **fields,
    }


def compiled(raw: dict[str, Any], flow_id: str = "f1", version: int = 1) -> Graph:
    """The graph of a document, as a published version."""
    published = FlowVersion(flow_id=flow_id, project_id="p", bot_id="b", version=version, document=raw)
    return compile_flow(published.encode())


class Dialogue:
    """A person's conversation with a bot."""

    def __init__(self, *documents: dict[str, Any], talked: bool = True, nobody: bool = False) -> None:
        self.links: list[tuple[str, dict[str, Any]]] = []
        self.graphs = [compiled(raw, f"f{place}") for place, raw in enumerate(documents, start=1)]
        self.flows = BotFlows(self.graphs)
        self.tools = Tools(
            self._sign, {"id": "b", "name": "Bot", "variables": {"shop": "Books"}}, {"type": "telegram"}, "p"
        )
        channel = NOBODY if nobody else "c"
        self.conversation = Conversation(f"b/{channel}/1", "p", "b", channel, "telegram", "1", "" if nobody else "k1")
        self.conversation.reachable = "subscribed" if talked else "unknown"
        self.contact = Contact("" if nobody else "k1", {} if nobody else {"name": "Ann"})
        self.now = "2026-11-21T12:00:00Z"
        self.turn = Turn(self.conversation, self.contact)
        self.count = 0

    def _sign(self, kind: str, payload: dict[str, Any]) -> str:
        self.links.append((kind, payload))
        return f"https://bot.example/{kind}/{payload['jti']}"

    def event(self, kind: str, **data: Any) -> Turn:
        self.count += 1
        return self._step(Happening(f"e{self.count}", kind, self.now, data))

    def _step(self, happening: Happening) -> Turn:
        before = copy.deepcopy((state.to_dict(self.conversation), self.contact)) if not self.turn.code else None
        turn = step(self.flows, self.conversation, self.contact, happening, self.tools)
        again = step(self.flows, self.conversation, self.contact, happening, self.tools)
        assert (turn.effects, turn.steps, turn.rests) == (again.effects, again.steps, again.rests)
        if before is not None:
            assert before == (state.to_dict(self.conversation), self.contact)
        self.turn, self.contact, self.conversation = turn, turn.contact, turn.conversation
        if turn.code is None:
            self.conversation = state.decode(state.encode(turn.conversation))
            assert self.conversation == turn.conversation
            assert len(state.encode(self.conversation)) <= 64 * 1024
            orjson.dumps(turn.effects)
        return turn

    def say(self, text: str | None, **more: Any) -> Turn:
        return self.event("message", **{"text": text, "type": "text", "message_id": "m", **more})

    def tap(self, title: str, seq: int | None = None) -> Turn:
        """Tap a button or quick reply of the last turn that showed it."""
        return self.say(None, payload=self.payloads[title])

    def start(self, entry: str | None = None, flow_id: str = "f1", **variables: Any) -> Turn:
        return self.event("start", flow_id=flow_id, entry=entry, variables=variables, content=None)

    def api_answers(self, body: Any = None, *, wait: str | None = None, **more: Any) -> Turn:
        token = wait or self.token
        return self.event("call_result", **{"wait": token, "outcome": "ok", "status": 200, "body": body, **more})

    def fire(self, token: str | None = None) -> Turn:
        return self.event("timer", wait=token or self.token)

    def code_gives(self, **result: Any) -> Turn:
        assert self.turn.code is not None
        data = {"wait": self.turn.code.wait, "ok": True, "value": None, "sent": [], "runs": [], "error": None, **result}
        return self._step(Happening(f"e{self.count}", "code_result", self.now, data))

    @property
    def token(self) -> str:
        session = self.conversation.session
        assert session is not None
        assert session.wait is not None
        return session.wait.token

    @property
    def waits_at(self) -> str | None:
        session = self.conversation.session
        return session.wait.node if session is not None and session.wait is not None else None

    @property
    def memory(self) -> dict[str, Any]:
        assert self.conversation.session is not None
        return self.conversation.session.memory

    def effects(self, kind: type) -> list[Any]:
        return [effect for effect in self.turn.effects if isinstance(effect, kind)]

    @property
    def texts(self) -> list[str]:
        return [say.text for say in self.effects(Say)]

    @property
    def payloads(self) -> dict[str, str]:
        shown = [option for say in self.effects(Say) for option in (*say.buttons, *say.quick_replies)]
        return {option["title"]: option["payload"] for option in shown if "payload" in option}

    @property
    def events(self) -> list[str]:
        return [event.type for event in self.effects(EmitEvent)]

    def event_data(self, type: str) -> dict[str, Any]:
        return next(event.data for event in self.effects(EmitEvent) if event.type == type)

    @property
    def calls(self) -> list[Any]:
        return self.effects(CallApi)

    @property
    def questions(self) -> list[Any]:
        return self.effects(AskModel)

    @property
    def histories(self) -> list[Any]:
        return self.effects(ReadHistory)

    def model_answers(self, text: str | None = None, *calls: tuple[str, str, Any], **more: Any) -> Turn:
        """A text, or calls of tools (id, name, arguments; a text in their place is what is wrong with them)."""
        asked = [
            {"id": id, "name": name, "arguments": {}, "error": given}
            if isinstance(given, str)
            else {"id": id, "name": name, "arguments": given}
            for id, name, given in calls
        ]
        body = {"text": text, "calls": asked, "tokens": {"input": 100, "output": 20}, **more}
        return self.api_answers(body)

    @property
    def posts(self) -> list[Any]:
        return self.effects(PostWebhook)

    @property
    def timers(self) -> list[Any]:
        return self.effects(StartTimer)

    @property
    def ends(self) -> dict[str, str]:
        return {end.cause: end.status for end in self.turn.rests}

    @property
    def path(self) -> list[str]:
        return [step["node"] for step in self.turn.steps]
