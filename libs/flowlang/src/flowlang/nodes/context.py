"""What a step may read and do in a turn: all that a node type knows of the interpreter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Protocol

from flowlang.expressions.scopes import Scopes
from flowlang.expressions.values import Place
from flowlang.model import Effect, Happening, LabelKind, Session, Wait


class StepContext(Scopes, Protocol):
    """The turn, as the step of a node sees it. Is itself the scopes that templates and expressions read.

    What raises NodeError may be let through: the node is then left by its `error` port.
    """

    # What it knows.

    @property
    def happening(self) -> Happening:
        """The event that is applied."""

    @property
    def now(self) -> str:
        """The event's time, RFC 3339 UTC; there is no other clock."""

    @property
    def nobody(self) -> bool:
        """Whether a generated URL runs without a person: nobody can be asked, and there is no memory."""

    @property
    def is_private(self) -> bool:
        """Whether it is a chat with one person, and no group."""

    @property
    def session(self) -> Session:
        """The session that moves. There is one whenever a node runs."""

    @property
    def node_id(self) -> str:
        """The node that runs."""

    @property
    def owner_epoch(self) -> int:
        """How often it has changed who answers the person, the bot or agents."""

    @property
    def next_seq(self) -> int:
        """The number that the bot's next message in this conversation will have."""

    def person(self, user_id: Any) -> dict[str, str]:
        """Whom `user_id` names, as contracts.people.Person: a contact's id or a private peer id; None: the current person.

        Raises NodeError where there is no current person.
        """

    # What it does.

    def say(
        self,
        text: str,
        buttons: list[dict[str, Any]] | None = None,
        quick_replies: list[dict[str, Any]] | None = None,
        tap: dict[str, Any] | None = None,
        expires: timedelta | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Send a message, unless that takes longer than `expires`. Raises NodeError when the person cannot be written to.

        Buttons and quick replies are {title, payload?, url?, shares?}. `tap` says what a tap does, `{"wait": token}` for an answer
        to a question, `{"titles": {option id: title}}` for options that may be taken later. `more`: `media`, `location` or `cards` as
        in contracts.actions.MessageContent; what the channel cannot show is said in words.
        """

    def hand_to_agents(self, queue: str | None, timeout: timedelta | None) -> None:
        """Have the person answered by agents until one gives them back to the bot, which is silent meanwhile, or until none has
        answered within `timeout`. `queue` is what agents see of the matter. Raises NodeError where there is no person, or no room
        for the event."""

    def suggest(self, titles: tuple[str, ...]) -> None:
        """Show these quick replies with the next message."""

    def payload(self, seq: int, option: str) -> str:
        """What a tap on an option of message `seq` sends back; `tapped` reads it."""

    def tapped(self, happening: Happening) -> str | None:
        """The option's id, when the message is a tap on a question of this session."""

    def emit(self, effect: Effect) -> None:
        """Add an effect. Raises NodeError past the limit of a turn."""

    def emit_event(self, type: str, data: dict[str, Any]) -> None:
        """Tell the outside, in the name of this node. Raises NodeError past the limit of a turn."""

    def post_webhook(self, title: str, url: str, format: str) -> None:
        """Post to an inline URL. Raises NodeError past the limit of a turn."""

    def redirect(self, url: str, expires_in: timedelta | None = None) -> str:
        """A tracked link to `url`, which works so long."""

    def link(self, kind: Literal["command", "redirect"], payload: dict[str, Any]) -> str:
        """A signed URL, with an id of its own; see `model.Tools.sign_link`."""

    def label(self, kind: LabelKind, label: str, *, put: bool) -> None:
        """Put a tag or flag on the person or take it off. Raises NodeError when there is nobody, or no room."""

    def opt_out(self) -> None:
        """Note that the person has unsubscribed. Raises NodeError when there is nobody."""

    def write(self, place: Place, value: Any) -> None:
        """Write to a place; None clears. Raises NodeError when it is full."""

    def write_all(self, scope: str, written: dict[str, Any]) -> None:
        """Write several values to `memory`, `user` or `temp`. Raises NodeError when it is full, and writes nothing then."""

    # Waiting.

    def wait(self, kind: Any, length: timedelta | None = None, data: dict[str, Any] | None = None) -> Wait:
        """A wait at this node, for at most `length`; a step rests on it with `Rest`."""

    def same_wait(self) -> Wait:
        """The wait that is being resumed: the question stays open, its timer runs on."""
