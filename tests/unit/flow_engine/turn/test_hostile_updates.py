"""Updates as no platform should send them: none holds a conversation, and the person's next message is answered."""

from __future__ import annotations

import contextlib
import copy
import random
from typing import Any

import orjson

from channels.receiving import Event
from channels.telegram.updates import normalise
from contracts.cloudevents import headers
from contracts.registry import Channel
from support.engine_world import BOT, PROJECT, TELEGRAM, EngineWorld

AT = "2026-11-21T00:00:00.000Z"
CHANNEL = Channel(
    id=TELEGRAM, project_id=PROJECT, bot_id=BOT, type="telegram", name="tg", url="https://t.me/LectureBot"
)
ANN = {"id": 42, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "ann", "language_code": "en"}
CHAT = {"id": 42, "type": "private", "first_name": "Ann", "title": "T", "username": "u"}
MESSAGE = {"message_id": 9, "date": 1, "from": ANN, "chat": CHAT}
FILE = {
    "file_id": "f",
    "file_unique_id": "u",
    "width": 1,
    "height": 1,
    "mime_type": "m",
    "file_name": "n",
    "file_size": 1,
    "duration": 1,
}
COMMAND = [{"type": "bot_command", "offset": 0, "length": 6}]
UPDATES: tuple[dict[str, Any], ...] = (
    {"message": {**MESSAGE, "text": "/start", "entities": COMMAND}},
    {"message": {**MESSAGE, "photo": [FILE, FILE], "caption": "c"}},
    {"message": {**MESSAGE, "document": FILE, "voice": FILE}},
    {
        "message": {
            **MESSAGE,
            "contact": {"phone_number": "+491701234567", "first_name": "A", "last_name": "B", "user_id": 42},
        }
    },
    {"message": {**MESSAGE, "location": {"latitude": 1.5, "longitude": 2.5}}},
    {"message": {**MESSAGE, "migrate_to_chat_id": -100}},
    {
        "callback_query": {
            "id": "1",
            "from": ANN,
            "data": "1",
            "message": {**MESSAGE, "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "1"}]]}},
        }
    },
    {"my_chat_member": {"chat": CHAT, "from": ANN, "new_chat_member": {"status": "member"}}},
)


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


NASTY: tuple[Any, ...] = (
    None, True, 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, -0.0, 1e-320, "", " ", "\0", "a\0b", "\ud7ff", "\uffff", "9" * 200, "-5",
    "1e400", "inf", "nan", "x" * 70_000, "{{ user.name }}", "\u202e", "/start@LectureBot", [], [None], [[]], {}, {"": None},
    {"id": {}}, deep(50), ["x"] * 5_000, {str(number): number for number in range(3_000)}, "+49 170 1234567", "é" * 300,
)  # fmt: skip


Place = tuple[Any, ...]


def places(value: Any, path: Place = ()) -> list[Place]:
    """The ways to each value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(one for name, item in inner for one in places(item, (*path, name)))]


def bent(update: dict[str, Any], path: Place, nasty: Any) -> dict[str, Any]:
    """The update with that value there; `...`: without it."""
    made = copy.deepcopy(update)
    at: Any = made
    for name in path[:-1]:
        at = at[name]
    if nasty is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = nasty
    return made


CASES = [(update, path, nasty) for update in UPDATES for path in places(update) for nasty in (..., *NASTY)]
SOME = 400


async def test_whatever_an_update_holds_no_conversation_is_held_and_the_next_message_is_answered(
    world: EngineWorld,
) -> None:
    read = 0
    for number, case in enumerate(random.Random(7).sample(CASES, SOME)):
        body = orjson.loads(orjson.dumps({"update_id": number, **bent(*case)}))
        with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):
            for event in normalise(body, CHANNEL, AT):
                lay(world, event)
                read += 1
        await world.settle()
    assert (world.dead(), read > SOME // 2) == ([], True)
    before = len(world.out("actions"))
    for event in normalise({"update_id": SOME, "message": {**MESSAGE, "text": "/start"}}, CHANNEL, AT):
        lay(world, event)
    await world.settle()
    assert world.bodies("actions")[before:][-1]["kind"] == "send_message"


def lay(world: EngineWorld, event: Event) -> None:
    """As ingress publishes it."""
    record = event.record
    about = headers(
        id=event.id,
        type=f"inbound.{record.kind}",
        source="test",
        time=AT,
        project=PROJECT,  # type: ignore[attr-defined]
    )
    world.lay(record.encode(), f"{record.bot_id}/{record.channel_id}/{record.peer_id}", about)
