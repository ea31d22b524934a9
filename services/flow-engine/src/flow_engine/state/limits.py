"""Sizes that are checked before anything is committed: past one of them the turn fails.

Unchecked, a record that Kafka refuses would be committed in the outbox, and hold its partition for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.actions import ACTION_LIMIT
from flow_engine.state import json_text, stored_state
from flowlang.model import Contact, Conversation, Effect, EmitEvent

STATE_LIMIT = 64 * 1024
CONTACT_LIMIT = 64 * 1024
HEADERS_SIZE = 2048
"""More than the headers of a record take, bytes."""
VALUE_LIMIT = ACTION_LIMIT - HEADERS_SIZE
"""Bytes of an action's or event's value."""
TURN_LIMIT = 2 * 1024 * 1024
"""Bytes of values that one turn writes."""
MOST_EFFECTS = 64
"""Effects of one turn that leave it; timers and the change of the person make rows only."""

MOST_TITLES = 200
"""Titles of webhooks that are kept of one contact; templates may make any number."""
LONGEST_TITLE = 256
"""Characters of each that are kept."""
TITLES_SHOWN = 16 * 1024
"""Characters of all of them together that events show."""

EVENT_FRAME = 4096
"""More than an event's value has beside the contact and its own data, bytes."""

MOST_HOPS = 16
"""Steps from an event's first cause. Of several commands that one turn runs, each is two steps further for every halving that
leaves one of them: 64 are 13 steps away, and one cause leads to 128 at a time at most, in whatever shape."""


MOST_COMMANDS, COMMANDS_A_SECOND = 3_000, 50
"""Commands that a project's turns run at once, where they run several, and more of them each second, in each process."""


class TooLarge(Exception):
    """Something past its limit: the turn that made it fails. `type` is the problem's."""

    type = "too-large"


class TooManyHops(TooLarge):
    """The commands that a turn runs would be further from their first cause than MOST_HOPS."""

    type = "too-many-hops"


class TooManyCommands(TooLarge):
    """The project's turns run so many commands that other projects would have to wait for theirs."""

    type = "too-many-commands"


def hops_of_runs(hops: int, runs: int) -> int:
    """How far from the first cause the commands are of which a turn, `hops` away itself, runs so many (1 or more).

    Raises TooManyHops for several; a single one is refused where it arrives, so that the turn before it holds.
    """
    away = hops + 1 + 2 * (runs - 1).bit_length()
    if runs > 1 and away > MOST_HOPS:
        raise TooManyHops(f"the {runs} commands that this turn runs would be {away} hops away from their first cause")
    return away


def check_contact(contact: Contact) -> None:
    """Raises TooLarge."""
    _size_within(contact)


def _size_within(contact: Contact) -> int:
    size = len(json_text.encode((contact.profile, contact.variables, contact.tags, contact.flags)))
    if size > CONTACT_LIMIT:
        raise TooLarge(f"the contact would have {size} bytes, more than {CONTACT_LIMIT}")
    return size


def check_written(contact: Contact, effects: Sequence[Effect]) -> None:
    """A changed contact, and that it can be told of, each event with the whole contact in it. Raises TooLarge."""
    size = _size_within(contact)
    told = [effect for effect in effects if isinstance(effect, EmitEvent)]
    if len(told) > MOST_EFFECTS:
        raise TooLarge(f"{len(told)} events would tell of it, more than {MOST_EFFECTS}: fewer tags and flags at a time")
    each = size + len(json_text.encode(titles_shown(contact))) + EVENT_FRAME
    sizes = [each + len(json_text.encode(effect.data)) for effect in told]
    if max(sizes, default=0) > VALUE_LIMIT or sum(sizes) > TURN_LIMIT:
        raise TooLarge(f"the events that tell of it would have {sum(sizes)} bytes: fewer changes at a time")


def titles_shown(contact: Contact) -> list[str]:
    """The titles of webhooks received that events show: those kept first, as many as fit."""
    titles = contact.webhook_titles
    size = 0
    for place, title in enumerate(titles):
        if (size := size + len(title)) > TITLES_SHOWN:
            return titles[:place]
    return titles


def encoded_state(conversation: Conversation, now: str) -> bytes:
    """The conversation as its row holds it, last touched `now`. Raises TooLarge."""
    conversation.last_at = now
    encoded = stored_state.encode(conversation)
    if len(encoded) > STATE_LIMIT:
        raise TooLarge(f"the conversation's state would have {len(encoded)} bytes, more than {STATE_LIMIT}")
    return encoded
