"""`command`: a word that a person types first, or that a generated URL or another flow runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from flowlang.building.compiler import Compiler
from flowlang.triggers.base import Arrival, Claim, Matcher, Precedence, TriggerModel


class CommandTrigger(TriggerModel):
    """A command, `/start`. From `chat`: a person types it. From `url`: only a generated URL (or a flow) runs it."""

    TAKES: ClassVar = ("message", "url", "command")
    PRECEDENCE: ClassVar = Precedence.COMMAND
    IS_BOUNDED: ClassVar = True

    type: Literal["command"]
    value: Annotated[str, StringConstraints(pattern=r"^/?[^\s/@][^\s@]{0,63}$")]
    """The word, with or without a slash. Without one it has to be the whole message."""
    origins: tuple[Literal["chat", "url"], ...] = Field(default=("chat",), alias="from", min_length=1)
    """Who runs it: `chat` (a person types it), `url` (only a generated URL or another flow)."""

    @staticmethod
    def names_in(arrival: Arrival) -> tuple[str, ...]:
        """A URL runs commands of its own kind and, where the bot has none of that name, those of the chat."""
        happening = arrival.happening
        if happening.kind != "message":
            name = str(happening.data.get("command") or "").casefold()
            return f"url {name}", f"chat {name}"
        word, _ = _split(happening.data.get("text"))
        name = word.partition("@")[0] if word.startswith("/") else word
        return (f"chat {name.casefold()}",) if word else ()

    def build(self, compiler: Compiler) -> Matcher:
        return _Command(self._commands(), self.value.startswith("/"))

    def claims(self) -> tuple[Claim, ...]:
        if self.when:
            return ()
        return tuple(Claim(name, "value", f"{self.value.casefold()} is a command") for name in self._commands())

    def _commands(self) -> tuple[str, ...]:
        return tuple(f"{origin} {self.value.casefold()}" for origin in self.origins)


@dataclass(frozen=True, slots=True)
class _Command(Matcher):
    commands: tuple[str, ...]
    slashed: bool

    def names(self) -> tuple[str, ...]:
        return self.commands

    def matches(self, arrival: Arrival) -> bool:
        """A command without a slash is the whole message, else it would take every sentence that begins with it."""
        if self.slashed or arrival.happening.kind != "message":
            return True
        return not _split(arrival.happening.data.get("text"))[1]

    def content(self, arrival: Arrival) -> Any:
        """`/start payload`: what follows the command. A URL or a flow has brought a content of its own."""
        return _split(arrival.happening.data.get("text"))[1] if arrival.happening.kind == "message" else None


def _split(text: Any) -> tuple[str, str]:
    """The first word of a message, and what follows it."""
    parts = text.split(None, 1) if isinstance(text, str) else ()
    return (parts[0] if parts else "", parts[1].rstrip() if len(parts) > 1 else "")
