"""Steps of a script, played one after the other on the interpreter, with a clock that goes only when a step says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from contracts.ids import derived_id
from flowlang import clock
from flowlang.language.cases import Answer, Command, Given, ScriptStep
from flowlang.model import CancelTimer, Happening, ReadHistory, RunCode, RunCommand, Say, Session, StartTimer, Turn
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import FROM_OUTSIDE
from flowlang.running.interpreter import step as interpret
from flowlang.simulation import shown
from flowlang.simulation.stage import CONTACT, NOTHING, Surroundings, contact_of, conversation_of, tools

MOST_TURNS = 1000
"""Of a simulation: a flow may go round through its delays for ever."""
MOST_CODE_RUNS = 8
"""Code nodes in one turn, as in the engine."""
_MISSHAPEN = (KeyError, TypeError, AttributeError, ValueError, OverflowError)
"""What the interpreter ends with where an event has not the fields of its kind: nobody checks those that a script makes up."""

Plays = Generator[RunCode, dict[str, Any], "Played"]
"""Asks for the result of a code node, the data of a `code_result`, until it is played."""


class CannotPlay(Exception):
    """The script asks for what there is not; the text says what to do."""


@dataclass(slots=True)
class Played:
    """What a step has done. `turns` are those of simulation.shown, `after` is the state then."""

    does: str
    turns: list[dict[str, Any]] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def effects(self) -> Iterator[dict[str, Any]]:
        """Of all its turns."""
        for turn in self.turns:
            yield from turn["effects"]

    def as_json(self) -> dict[str, Any]:
        """`{does, turns, after}`."""
        return {"does": self.does, "turns": self.turns, "after": self.after}


class _Wait(NamedTuple):
    node: str
    token: str


class Simulation:
    """One conversation. `unused_answers` and `open_calls` are for who judges it at its end."""

    def __init__(self, flows: BotFlows, given: Given, around: Surroundings = NOTHING, default_flow: str = "") -> None:
        """`default_flow`: the slug of the flow that `start` starts where it names none."""
        self._flows, self._tools, self._default_flow = flows, tools(given, around), default_flow
        self._conversation, self._contact = conversation_of(given), contact_of(given)
        self._now = clock.after(given.now, clock.NO_TIME)
        self._timers: dict[str, str] = {}
        self._answers = {node: deque(_several(answer)) for node, answer in given.answers.items()}
        self._answered: set[str] = set()
        """Tokens of calls that had their answer."""
        self._used: set[str] = set()
        self._calls: dict[str, str] = {}
        """Node -> the token of its last call. An answer may come late, or twice."""
        self._commands: deque[Command] = deque()
        self._payloads: dict[str, str] = {}
        self._reads: deque[ReadHistory] = deque()
        self._chat_log: list[tuple[str, dict[str, str]]] = []
        """(event, `{role, text}`), as an `ai` node is shown them."""
        self._count = 0

    @property
    def state(self) -> dict[str, Any]:
        """`{conversation, contact}` as of now."""
        return shown.state_of(self._conversation, self._contact)

    @property
    def unused_answers(self) -> list[str]:
        """Nodes for which an answer was given that nothing asked for."""
        return [node for node in self._answers if node not in self._used]

    @property
    def open_calls(self) -> list[str]:
        """Nodes that wait for an answer which nobody has given."""
        return [wait.node for wait in self._waiting_calls()]

    def play(self, step: ScriptStep) -> Plays:
        """A step of the script. Raises CannotPlay."""
        played = Played(step.does)
        try:
            if step.wait is not None:
                yield from self._let_pass(played, clock.after(self._now, clock.duration(step.wait)))
            else:
                yield from self._happen(played, *self._event_of(step))
                yield from self._settle(played)
        except _MISSHAPEN as error:
            if (wrong := self._made_up(step)) is None:
                raise
            raise CannotPlay(f"{wrong}: {error!r}") from error
        played.after = self.state
        return played

    def _made_up(self, step: ScriptStep) -> str | None:
        """What the script may have given in a shape that no server has; None where it gave only texts."""
        if step.event is not None:
            return f"an event {step.event.kind!r} needs other `data`"
        if step.message is not None:
            return "a message needs other fields"
        return "an answer needs another shape" if self._answers or step.answer is not None else None

    # --- what a step is

    def _event_of(self, step: ScriptStep) -> tuple[str, dict[str, Any]]:
        if step.say is not None:
            return "message", self._message(text=step.say)
        if step.tap is not None:
            return "message", self._message(payload=self._payload_of(step.tap))
        if step.message is not None:
            return "message", self._message(**step.message.model_dump())
        if step.start is not None:
            slug = step.start.flow or self._default_flow
            flow = self._flows.by_slug(slug)
            return "start", {
                "flow_id": flow.flow_id if flow else slug, "entry": step.start.entry, "variables": step.start.variables, "content": None
            }  # fmt: skip
        if step.signal is not None:
            return "signal", step.signal.model_dump()
        if step.answer is not None:
            return self._answer_to(step.answer.node, step.answer)
        if step.event is not None:
            if step.event.kind not in FROM_OUTSIDE:
                raise CannotPlay(f"there is no event {step.event.kind!r}: there are {', '.join(sorted(FROM_OUTSIDE))}")
            return step.event.kind, dict(step.event.data)
        if step.open is not None:
            return "url", step.open.model_dump()
        return "command", step.run.model_dump() if step.run else {}

    def _message(self, **more: Any) -> dict[str, Any]:
        return {"text": None, "payload": None, "type": "text", "message_id": str(self._count + 1), **more}

    def _payload_of(self, title: str) -> str:
        found = self._payloads.get(title)
        if found is None:
            there_are = ", ".join(map(repr, self._payloads)) or "none"
            raise CannotPlay(f"no button or quick reply {title!r} was shown: there are {there_are}")
        return found

    def _answer_to(self, node: str, answer: Answer) -> tuple[str, dict[str, Any]]:
        token = self._calls.get(node)
        if token is None:
            asked = ", ".join(map(repr, self._calls)) or "none"
            raise CannotPlay(f"the node {node!r} has not called anything: of those that did there are {asked}")
        return "call_result", self._taken(_Wait(node, token), answer)

    # --- what follows

    def _settle(self, played: Played) -> Generator[RunCode, dict[str, Any], None]:
        """All that is due now: commands for this person, answers that are given, timers."""
        while True:
            if self._commands:
                yield from self._happen(played, "command", self._commands.popleft().model_dump())
            elif self._reads:
                yield from self._happen(played, "call_result", self._history(self._reads.popleft()))
            elif (given := self._given_answer()) is not None:
                yield from self._happen(played, "call_result", given)
            elif (due := self._next_due(self._now)) is not None:
                yield from self._fire(played, due)
            else:
                return

    def _let_pass(self, played: Played, until: str) -> Generator[RunCode, dict[str, Any], None]:
        while (due := self._next_due(until)) is not None:
            self._now = max(self._now, self._timers[due], key=clock.moment)
            yield from self._fire(played, due)
            yield from self._settle(played)
        self._now = until

    def _fire(self, played: Played, token: str) -> Generator[RunCode, dict[str, Any], None]:
        del self._timers[token]
        yield from self._happen(played, "timer", {"wait": token})

    def _next_due(self, until: str) -> str | None:
        due = min(self._timers, key=lambda token: clock.moment(self._timers[token]), default=None)
        return due if due is not None and clock.moment(self._timers[due]) <= clock.moment(until) else None

    def _given_answer(self) -> dict[str, Any] | None:
        for wait in self._waiting_calls():
            if (answer := self._given_for(wait.node)) is not None:
                return self._taken(wait, answer)
        return None

    def _given_for(self, node: str) -> Answer | None:
        answers = self._answers.get(node)
        if not answers:
            return None
        self._used.add(node)
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _taken(self, wait: _Wait, answer: Answer) -> dict[str, Any]:
        self._answered.add(wait.token)
        given = answer.model_dump(exclude={"node"}, exclude_unset=True)
        status = given.get("status") or 200
        outcome = given.get("outcome") or ("ok" if status < 400 else "error")
        return {"body": None, "error": None, **given, "wait": wait.token, "status": status, "outcome": outcome}

    def _history(self, read: ReadHistory) -> dict[str, Any]:
        """As the engine answers it: the chat log up to the first reading, without the message that began the turn."""
        self._answered.add(read.wait)
        cut = read.cut or {"before": len(self._chat_log), "without": read.event}
        said = [
            line for event, line in self._chat_log[: cut["before"]] if (event, line["role"]) != (cut["without"], "user")
        ]
        found = {"messages": said[-read.limit :], "cut": cut}
        return {"wait": read.wait, "outcome": "ok", "status": None, "body": found, "error": None}

    def _waiting_calls(self) -> list[_Wait]:
        conversation = self._conversation
        sessions: list[Session | None] = [conversation.session, *reversed(conversation.stack)]
        waits = [session.wait for session in sessions if session is not None and session.wait is not None]
        return [
            _Wait(wait.node, wait.token)
            for wait in waits
            if wait.kind == "call" and wait.token not in self._answered
        ]  # fmt: skip

    # --- a turn

    def _happen(self, played: Played, kind: str, data: dict[str, Any]) -> Generator[RunCode, dict[str, Any], None]:
        if self._count >= MOST_TURNS:
            raise CannotPlay(f"it makes more than {MOST_TURNS} turns: let less time pass")
        self._count += 1
        happening = Happening(derived_id("simulation", "event", self._count), kind, self._now, data)
        if kind == "message" and data["text"]:
            self._chat_log.append((happening.id, {"role": "user", "text": data["text"]}))
        turn = interpret(self._flows, self._conversation, self._contact, happening, self._tools)
        turn = yield from self._run_code(turn, happening)
        self._conversation, self._contact = turn.conversation, turn.contact
        played.turns.append(shown.turn(happening, turn))
        for effect in turn.effects:
            self._note(effect, happening.id)
        self._calls.update((wait.node, wait.token) for wait in self._waiting_calls())
        self._payloads.update(shown_options(played.turns[-1]["effects"]))

    def _run_code(self, turn: Turn, happening: Happening) -> Generator[RunCode, dict[str, Any], Turn]:
        runs = 0
        while turn.code is not None:
            runs += 1
            if runs > MOST_CODE_RUNS:
                raise CannotPlay(f"more than {MOST_CODE_RUNS} code nodes in one turn")
            session = turn.conversation.session
            node = session.wait.node if session is not None and session.wait is not None else ""
            answer = self._given_for(node)
            result = _code_result(turn.code, answer) if answer is not None else (yield turn.code)
            happened = Happening(happening.id, "code_result", happening.now, result)
            turn = interpret(self._flows, turn.conversation, turn.contact, happened, self._tools)
        return turn

    def _note(self, effect: Any, event: str) -> None:
        if isinstance(effect, StartTimer):
            self._timers[effect.wait] = effect.due
        elif isinstance(effect, CancelTimer):
            self._timers.pop(effect.wait, None)
        elif isinstance(effect, RunCommand) and effect.person == {"contact_id": CONTACT}:
            self._commands.append(Command(command=effect.command, content=effect.content))
        elif isinstance(effect, ReadHistory):
            self._reads.append(effect)
        elif isinstance(effect, Say) and effect.text:
            self._chat_log.append((event, {"role": "assistant", "text": effect.text}))


def shown_options(value: Any) -> dict[str, str]:
    """Title -> payload of all buttons and quick replies in these effects, whatever their type."""
    if isinstance(value, list):
        return {title: payload for item in value for title, payload in shown_options(item).items()}
    if not isinstance(value, dict):
        return {}
    if isinstance(value.get("title"), str) and isinstance(value.get("payload"), str):
        return {value["title"]: value["payload"]}
    return {title: payload for item in value.values() for title, payload in shown_options(item).items()}


def _several(answer: Answer | tuple[Answer, ...]) -> tuple[Answer, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _code_result(code: RunCode, answer: Answer) -> dict[str, Any]:
    given = answer.model_dump(exclude_unset=True)
    return {
        "value": None,
        "sent": [],
        "runs": [],
        "ok": not given.get("error"),
        "error": None,
        **given,
        "wait": code.wait,
    }
