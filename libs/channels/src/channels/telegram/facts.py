"""Telegram's limits, rates and words as values. Rates: core.telegram.org/bots/faq."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.descriptor import BaseUrl, Check, Credential, Descriptor, Found, Rate, Rates, SendPulse
from channels.limits import Length, Limits

TYPE = "telegram"
API = "https://api.telegram.org"
TOKEN = r"[0-9]{1,20}:[A-Za-z0-9_-]{1,128}"  # noqa: S105 (a pattern)
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 (a name)
UPDATES = ("message", "callback_query", "my_chat_member")
"""What we want of Telegram; it leaves my_chat_member out unless asked."""
BUTTON_TITLE = 64
"""Characters of a title that a phone shows."""


def _identity(answer: Any, found: Found) -> Found:
    """Of getMe: the bot's number, and its page."""
    me = answer.get("result") if isinstance(answer, Mapping) else None
    if not isinstance(me, Mapping):
        return found._replace(url=None)
    url = f"https://t.me/{me['username']}" if me.get("username") else None
    return found._replace(external_id=str(me.get("id", found.external_id)), url=url)


DESCRIPTOR = Descriptor(
    type=TYPE,
    title="Telegram",
    credentials=(
        Credential("token", "The bot's token, from BotFather", TOKEN),
        Credential("secret_token", "What Telegram sends along", r"[A-Za-z0-9_-]{1,256}", origin="made", digested=True),
    ),
    credentials_hint="Telegram's are {token}, as BotFather gives it: 123456:ABC…",
    base_url=BaseUrl(API, settable=True),
    proof_headers=(SECRET_HEADER,),
    checks=(
        Check("getMe", read=_identity),
        Check("setWebhook", params=lambda found: {"allowed_updates": list(UPDATES)}, subscribes=True),
    ),
    by_hand="Call inbound_url yourself, with the secret_token in X-Telegram-Bot-Api-Secret-Token.",
    limits=Limits(
        text=Length(4096, least=1),
        caption=Length(1024),
        button_title=BUTTON_TITLE,
        payload=Length(64, "bytes"),
    ),
    rates=Rates(in_flight=30, bot=Rate(30), chat=Rate(1)),
    capabilities=frozenset({
        "buttons", "url_buttons", "quick_replies", "image", "video", "audio", "file", "location", "share_contact", "share_location",
        "tap_acknowledgement", "groups",
    }),
    sendpulse=SendPulse(
        numeric_id=True,
        message_kinds=(
            "text", "entities", "caption", "photo", "document", "video", "video_note", "voice", "audio", "animation",
            "sticker", "contact", "location", "venue", "poll", "dice", "reply_to_message", "media_group_id",
        ),
    ),
)  # fmt: skip
