"""Telegram's updates as inbound records. Pure.

A conversation is a chat: in a group its contact is the group itself, and the member who wrote stands in `provider`.
`/start PAYLOAD` (a deep link) keeps its text, the payload beside it; `/cmd@this_bot` of a group loses the address, and
`/cmd@other_bot` is that bot's. An administrator who writes as the group, or as a channel, comes as a bot of Telegram's own
with `sender_chat`, and counts as a member. Edited messages, channel posts and service messages run nothing.
"""

from __future__ import annotations

from typing import Any, Literal

from channels.receiving import Event
from channels.telegram.facts import TYPE
from contracts.ids import derived_id
from contracts.inbound import InboundBase, MessageReceived, Reachability
from contracts.people import Profile
from contracts.registry import Channel

Update = dict[str, Any]

MEDIA = ("document", "animation", "video", "voice", "audio", "video_note", "sticker")
CAN_WRITE = frozenset({"member", "administrator", "creator"})
GONE = frozenset({"left", "kicked"})


def normalise(update: Update, channel: Channel, received_at: str) -> tuple[Event, ...]:
    """The records of one update; their event ids follow from channel and update_id, so a redelivery is known."""
    update_id = int(update["update_id"])
    if message := update.get("message"):
        found = _message(message, channel, received_at)
    elif callback := update.get("callback_query"):
        found = _tap(callback, channel, received_at)
    elif member := update.get("my_chat_member"):
        found = _membership(member, channel, received_at)
    else:
        found = []
    if len(found) == 1:
        return (Event(_event_id(channel, update_id, 0), found[0]),)
    return tuple(Event(_event_id(channel, update_id, ordinal), record) for ordinal, record in enumerate(found))


def _event_id(channel: Channel, update_id: int, ordinal: int) -> str:
    return derived_id(TYPE, channel.id, update_id, *([ordinal] if ordinal else []))


def _base(chat: dict[str, Any], channel: Channel, received_at: str) -> dict[str, Any]:
    return {
        "project_id": channel.project_id,
        "bot_id": channel.bot_id,
        "channel_id": channel.id,
        "channel_type": TYPE,
        "peer_id": str(int(chat["id"])),
        "received_at": received_at,
        "chat": _chat_kind(chat),
        "chat_title": chat.get("title"),
    }


def _chat_kind(chat: dict[str, Any]) -> Literal["private", "group"]:
    return "private" if chat.get("type") == "private" else "group"


def _profile(chat: dict[str, Any], sender: dict[str, Any] | None, **more: Any) -> Profile:
    if _chat_kind(chat) == "group":
        return Profile(name=chat.get("title"), username=chat.get("username"))
    person = sender or chat
    names = [person[part] for part in ("first_name", "last_name") if person.get(part)]
    return Profile(
        name=" ".join(names) or None,
        first_name=person.get("first_name"),
        last_name=person.get("last_name"),
        username=person.get("username"),
        language=person.get("language_code"),
        **more,
    )


def _message(message: dict[str, Any], channel: Channel, received_at: str) -> list[InboundBase]:
    chat, sender = message["chat"], message.get("from")
    other_bot = (sender or {}).get("is_bot") and "sender_chat" not in message
    if chat.get("type") == "channel" or other_bot:
        return []
    if "migrate_to_chat_id" in message:
        return _migrated(message, channel, received_at)
    content = _content(message, channel)
    if content is None:
        return []
    profile = _profile(chat, sender, **_own_phone(message))
    made = MessageReceived(
        **_base(chat, channel, received_at),
        **content,
        message_id=str(message["message_id"]),
        thread=_topic(message),
        profile=profile,
        verified=("phone",) if profile.phone else (),
        provider=message,
    )
    return [made]


def _topic(message: dict[str, Any]) -> str | None:
    """The forum's topic. Replies in other groups have a thread, too, in which nothing has to be said."""
    topic = message.get("message_thread_id") if message.get("is_topic_message") else None
    return None if topic is None else str(int(topic))


def _content(message: dict[str, Any], channel: Channel) -> dict[str, Any] | None:
    """`type` and what belongs to it; None for a service message, and for a command to another bot."""
    if (text := message.get("text")) is not None:
        if (text := _without_address(text, message, channel)) is None:
            return None
        command, _, payload = text.partition(" ")
        return {"type": "text", "text": text, "payload": (payload.strip() or None) if command == "/start" else None}
    if media := _media(message):
        return {"type": "media", "text": message.get("caption"), "attachments": tuple(media)}
    if contact := message.get("contact"):
        return {"type": "contact", "text": contact.get("phone_number"), "attachments": (_contact(contact, message),)}
    if location := message.get("location"):
        place = {"type": "location", "latitude": location["latitude"], "longitude": location["longitude"]}
        venue = message.get("venue") or {}
        told = {name: venue[key] for name, key in (("name", "title"), ("address", "address")) if venue.get(key)}
        return {"type": "location", "attachments": (place | told,)}
    return None


def _without_address(text: str, message: dict[str, Any], channel: Channel) -> str | None:
    """`/cmd@this_bot rest` -> `/cmd rest`; None for a command to another bot."""
    first = next((e for e in message.get("entities") or () if e["type"] == "bot_command" and e["offset"] == 0), None)
    if first is None:
        return text
    # A bot's command and name are ASCII, so its length in UTF-16 units is its length in characters.
    length = int(first["length"])
    command, at, name = text[:length].partition("@")
    ours = _username(channel)
    if at and ours is not None and name.lower() != ours:
        return None
    return command + text[length:] if at else text


def _username(channel: Channel) -> str | None:
    """The bot's own name, as the last part of its public page (https://t.me/name)."""
    name = (channel.url or "").rstrip("/").rpartition("/")[2]
    return name.lower() or None


def _media(message: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    if photos := message.get("photo"):
        largest = max(photos, key=lambda size: int(size.get("width", 0)) * int(size.get("height", 0)))
        found.append(_attachment("photo", largest))
    # An animation comes with a document of the same file, for clients that do not know animations.
    skip = {"document"} if "animation" in message else set()
    found += [_attachment(kind, message[kind]) for kind in MEDIA if message.get(kind) and kind not in skip]
    return found


def _attachment(kind: str, file: dict[str, Any]) -> dict[str, Any]:
    described = {
        "type": kind,
        "file_id": file["file_id"],
        "file_unique_id": file.get("file_unique_id"),
        "mime": file.get("mime_type"),
        "name": file.get("file_name"),
        "size": file.get("file_size"),
        "duration": file.get("duration"),
    }
    return {name: value for name, value in described.items() if value is not None}


def _is_own(contact: dict[str, Any], message: dict[str, Any]) -> bool:
    """The contact is the sender's own: Telegram vouches for its number."""
    sender = message.get("from") or {}
    return contact.get("user_id") is not None and contact.get("user_id") == sender.get("id")


def _own_phone(message: dict[str, Any]) -> dict[str, Any]:
    contact = message.get("contact")
    return {"phone": contact["phone_number"]} if contact and _is_own(contact, message) else {}


def _contact(contact: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    described = {
        "type": "contact",
        "phone": contact.get("phone_number"),
        "first_name": contact.get("first_name"),
        "last_name": contact.get("last_name"),
        "verified": _is_own(contact, message),
    }
    return {name: value for name, value in described.items() if value is not None}


def _tap(callback: dict[str, Any], channel: Channel, received_at: str) -> list[InboundBase]:
    """A tap on an inline button. Its `message_id` is that of the message with the button."""
    message, sender = callback.get("message") or {}, callback["from"]
    chat = message.get("chat") or {"id": sender["id"], "type": "private"}
    if "data" not in callback:
        return []
    made = MessageReceived(
        **_base(chat, channel, received_at),
        type="choice",
        text=_button_title(message, callback["data"]),
        payload=callback["data"],
        callback_id=callback["id"],
        message_id=str(message.get("message_id", callback["id"])),
        thread=_topic(message),
        profile=_profile(chat, sender),
        provider=callback,
    )
    return [made]


def _button_title(message: dict[str, Any], data: str) -> str | None:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard") or ()
    return next((button["text"] for row in rows for button in row if button.get("callback_data") == data), None)


def _membership(member: dict[str, Any], channel: Channel, received_at: str) -> list[InboundBase]:
    """The bot was blocked or unblocked, or came into a group or left it."""
    chat = member["chat"]
    if chat.get("type") == "channel":
        return []
    status = member["new_chat_member"]["status"]
    state = _state(chat, member["new_chat_member"])
    if state is None:
        return []
    made = Reachability(
        **_base(chat, channel, received_at),
        state=state,
        reason=status,
        profile=_profile(chat, member.get("from")),
    )
    return [made]


def _state(chat: dict[str, Any], now: dict[str, Any]) -> Literal["subscribed", "blocked", "not_in_chat"] | None:
    status = now["status"]
    if _chat_kind(chat) == "private":
        return "blocked" if status in GONE else "subscribed" if status in CAN_WRITE else None
    if status in CAN_WRITE or (status == "restricted" and now.get("is_member") and now.get("can_send_messages")):
        return "subscribed"
    return "not_in_chat"


def _migrated(message: dict[str, Any], channel: Channel, received_at: str) -> list[InboundBase]:
    """A group became a supergroup: it has another id from now on."""
    old, new = message["chat"], {**message["chat"], "id": message["migrate_to_chat_id"], "type": "supergroup"}
    return [
        Reachability(**_base(old, channel, received_at), state="not_in_chat", reason=f"moved to {new['id']}"),
        Reachability(**_base(new, channel, received_at), state="subscribed", profile=_profile(new, None)),
    ]
