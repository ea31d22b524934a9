"""`say`: send messages and go on at once. A tap on a button with a target leads there later, from wherever it waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import LONGEST_PAYLOAD, PAYLOAD_MARK, DocumentModel, Duration, NodeId, OptionId, Payload
from flowlang.building.titles import check_text, check_title
from flowlang.expressions.templates import Template
from flowlang.nodes.base import Edge, Go, NodeModel, Outcome, Step, answer_names
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

OPENABLE = ("https://", "http://", "mailto:", "tel:")


class QuickReply(DocumentModel):
    """A suggestion that vanishes after a tap. Without `to` the tap is the title as the person's message, with the `payload`."""

    id: OptionId
    """Its name within the node."""
    title: str = Field(min_length=1, max_length=200)
    """What is on it; may have merge tags."""
    to: NodeId | None = None
    """The node that a tap leads to, now or later."""
    payload: Payload | None = None
    """What a tap brings beside the title, for a trigger `button` of any flow of the bot; may have merge tags. Not with `to`."""


class Button(QuickReply):
    """A button under the message. With `url` it opens that; `track` tells when it was followed."""

    url: str | None = None
    """What it opens; may have merge tags. Either this, or `to`, or `payload`."""
    track: bool = False
    """Whether the link tells (the event `redirect.followed`) that it was opened."""


class Part(DocumentModel):
    """One message."""

    text: str = Field(min_length=1)
    """What the bot writes; may have merge tags."""
    buttons: tuple[Button, ...] = Field(default=(), max_length=20)
    """Buttons under the message."""
    quick_replies: tuple[QuickReply, ...] = Field(default=(), max_length=20)
    """Suggestions that vanish after a tap."""


class SayModel(NodeModel):
    """Send one or more messages. `expires`: after so long since what caused them they are not worth sending."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["say"]
    parts: tuple[Part, ...] = Field(min_length=1, max_length=10)
    """The messages, in their order."""
    expires: Duration | None = None
    """After so long since what caused them they are not worth sending any more."""

    def build(self, compiler: Compiler) -> Say:
        seen: set[str] = set()
        for index, part in enumerate(self.parts):
            for name, buttons in (("buttons", part.buttons), ("quick_replies", part.quick_replies)):
                for place, button in enumerate(buttons):
                    if button.id in seen:
                        compiler.problem(
                            "duplicate-id", f"the id {button.id!r} is used twice", "parts", index, name, place
                        )
                    seen.add(button.id)
        expires = clock.duration(self.expires) if self.expires else None
        return Say(tuple(_part(part, index, compiler) for index, part in enumerate(self.parts)), expires)

    def _buttons(self) -> Iterator[tuple[tuple[str | int, ...], QuickReply]]:
        for index, part in enumerate(self.parts):
            for place, button in enumerate(part.buttons):
                yield ("parts", index, "buttons", place), button
            for place, reply in enumerate(part.quick_replies):
                yield ("parts", index, "quick_replies", place), reply

    def later_targets(self) -> dict[str, str]:
        return {button.id: button.to for _, button in self._buttons() if button.to}

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        for place, button in self._buttons():
            if button.to:
                yield Edge(button.to, (*place, "to"), same_turn=False)

    def report_moments(self) -> tuple[str, ...]:
        return answer_names(button for _, button in self._buttons())


@dataclass(frozen=True, slots=True)
class _Button:
    id: str
    title: Template
    url: Template | None
    payload: Template | None
    track: bool


@dataclass(frozen=True, slots=True)
class _Part:
    text: Template
    buttons: tuple[_Button, ...]
    quick_replies: tuple[_Button, ...]


def _part(part: Part, index: int, compiler: Compiler) -> _Part:
    with compiler.at("parts", index):
        text = compiler.template(part.text, "text")
        check_text(compiler, part.text, "text")
        buttons = tuple(_button(button, place, "buttons", compiler) for place, button in enumerate(part.buttons))
        replies = tuple(
            _button(reply, place, "quick_replies", compiler) for place, reply in enumerate(part.quick_replies)
        )
        return _Part(text, buttons, replies)


def _button(button: QuickReply, place: int, name: str, compiler: Compiler) -> _Button:
    with compiler.at(name, place):
        check_title(compiler, button.title)
        source = button.url if isinstance(button, Button) else None
        if sum(1 for one in (source, button.to, button.payload) if one) > 1:
            compiler.problem("button", "a button opens a `url`, leads `to` a node or has a `payload`: one of these")
        track = isinstance(button, Button) and button.track
        if track and not source:
            compiler.problem("button", "`track` needs a `url`", "track")
        url = compiler.link(source, "url") if source else None
        payload = compiler.template(button.payload, "payload") if button.payload else None
        return _Button(button.id, compiler.template(button.title, "title"), url, payload, track)


@dataclass(frozen=True, slots=True)
class Say(Step):
    """The running messages."""

    IS_BOUNDED: ClassVar = True

    parts: tuple[_Part, ...]
    expires: timedelta | None

    def enter(self, run: StepContext) -> Outcome:
        for part in self.parts:
            text = part.text.render(run)
            if not text.strip() and not part.buttons and not part.quick_replies:
                continue  # Nothing to show; the trace names what was missing.
            seq = run.next_seq
            buttons = [self._shown(button, seq, run) for button in part.buttons]
            replies = [self._shown(reply, seq, run) for reply in part.quick_replies]
            both = (*part.buttons, *part.quick_replies)
            titles = {
                button.id: shown["title"]
                for button, shown in zip(both, (*buttons, *replies), strict=True)
                if "url" not in shown
            }
            payloads = {button.id: _payload(button.payload, run) for button in both if button.payload is not None}
            tap = {"titles": titles} | ({"payloads": payloads} if payloads else {})
            run.say(text, buttons, replies, tap=tap if titles else None, expires=self.expires)
        return Go()

    def _shown(self, button: _Button, seq: int, run: StepContext) -> dict[str, Any]:
        shown: dict[str, Any] = {"title": button.title.render(run)}
        if button.url is None:
            shown["payload"] = run.payload(seq, button.id)
        else:
            shown["url"] = _openable(button.url.render(run), button, run)
        return shown


def _openable(url: str, button: _Button, run: StepContext) -> str:
    if not url.startswith(OPENABLE) or any(ord(character) <= 32 for character in url):
        raise NodeError("button-url", f"the button {button.id!r} has no address that can be opened: {url[:100]!r}")
    return run.redirect(url) if button.track else url


def _payload(template: Template, run: StepContext) -> str:
    payload = template.render(run)
    if not payload or len(payload) > LONGEST_PAYLOAD or payload.startswith(PAYLOAD_MARK):
        detail = f"a payload has 1 to {LONGEST_PAYLOAD} characters and does not begin with {PAYLOAD_MARK!r}: {payload[:100]!r}"
        raise NodeError("button-payload", detail)
    return payload
