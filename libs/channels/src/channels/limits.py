"""What a platform takes in one message, and the refusal of what is too much for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from channels.sending import Refusal
from contracts.actions import Button, MessageContent


class Length(NamedTuple):
    """How long a text may be, counted in `unit`."""

    most: int
    unit: Literal["characters", "bytes"] = "characters"
    least: int = 0

    def holds(self, text: str) -> bool:
        size = len(text) if self.unit == "characters" else len(text.encode())
        return self.least <= size <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: as much as an action holds. `buttons` and `quick_replies` are how many a message may have.

    `button_title` is what people see of a title: past it the platform shortens it, so the author of a flow is warned.
    `payload` is what comes back of a tapped button. `caption` is the text beside a picture, video, recording or file.
    """

    text: Length | None = None
    text_with_buttons: Length | None = None
    caption: Length | None = None
    buttons: int | None = None
    quick_replies: int | None = None
    button_title: int | None = None
    payload: Length | None = None

    @property
    def shortest_text(self) -> Length | None:
        """What one message has, with buttons or without."""
        return min((one for one in (self.text, self.text_with_buttons) if one), default=None)


def too_much(content: MessageContent, limits: Limits, title: str) -> Refusal | None:
    """Why the platform `title` would not take that message as it is; None when it would."""
    text = (limits.text_with_buttons if content.buttons else None) or limits.text
    if content.media is not None:
        text = limits.caption or text
    if (content.media or content.location or content.cards) and text is not None:
        text = text._replace(least=0)
    if text is not None and not text.holds(content.text):
        return Refusal("text-length", f"A {title} message has {text.least} to {text.most} {text.unit}.")
    if limits.buttons is not None and len(content.buttons) > limits.buttons:
        return Refusal("too-many-buttons", f"A {title} message has at most {limits.buttons} buttons.")
    if limits.quick_replies is not None and len(content.quick_replies) > limits.quick_replies:
        return Refusal("too-many-buttons", f"A {title} message has at most {limits.quick_replies} quick replies.")
    if limits.payload and not all(limits.payload.holds(payload_of(button)) for button in content.buttons):
        return Refusal("payload-length", f"A button's payload has at most {limits.payload.most} {limits.payload.unit}.")
    return None


def not_shown(content: MessageContent, capabilities: frozenset[Any], title: str) -> Refusal | None:
    """Why the platform `title` cannot show that message: a flow says otherwise what it cannot, so this one was made for another."""
    kinds = {
        "location": content.location,
        "cards": content.cards,
        str(content.media and content.media.type): content.media,
    }
    missing = [kind for kind, value in kinds.items() if value and kind not in capabilities]
    return Refusal("not-shown", f"{title} cannot show this: {', '.join(missing)}.") if missing else None


def payload_of(button: Button) -> str:
    """What comes back when the button is tapped: its payload, or its title. One that opens a URL brings nothing."""
    return "" if button.url else button.payload or button.title
