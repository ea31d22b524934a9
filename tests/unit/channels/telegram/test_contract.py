"""Telegram does what every channel has to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import orjson

from channels.receiving import InboundCall
from channels.telegram import CONNECTOR
from support.channel_contract import AT, PlatformContract, call_of

SENDER = {"id": 4711, "is_bot": False, "first_name": "Alex", "username": "alex", "language_code": "en"}
CHAT = {"id": 4711, "type": "private", "first_name": "Alex"}
MESSAGE = {"message_id": 7, "date": 1795219200, "chat": CHAT, "from": SENDER}
CALLBACK = {"id": "cb-1", "from": SENDER, "data": "l:3", "message": MESSAGE}
MEMBER = {"user": {"id": 1}, "status": "kicked"}


def refused(status: int, description: str, **parameters: object) -> dict[str, object]:
    answer = {"ok": False, "error_code": status, "description": description}
    return answer | ({"parameters": parameters} if parameters else {})


class TestTelegram(PlatformContract):
    connector = CONNECTOR
    credentials: ClassVar[Mapping[str, str]] = {
        "token": "104117782:AAF-planted_bot_token",
        "secret_token": "planted-s3cret-t0ken",
    }
    bodies = (
        {"update_id": 1, "message": MESSAGE | {"text": "hello"}},
        {"update_id": 2, "message": MESSAGE | {"caption": "me", "photo": [{"file_id": "f", "width": 1, "height": 1}]}},
        {"update_id": 3, "message": MESSAGE | {"contact": {"phone_number": "+1555", "user_id": 4711}}},
        {"update_id": 4, "message": MESSAGE | {"location": {"latitude": 1.5, "longitude": 2.5}}},
        {"update_id": 5, "callback_query": CALLBACK},
        {"update_id": 6, "my_chat_member": {"chat": CHAT, "from": SENDER, "new_chat_member": MEMBER}},
        {"update_id": 7, "message": MESSAGE | {"chat": {"id": -1, "type": "group"}, "migrate_to_chat_id": -1001}},
    )
    answers = (
        ("sendMessage", 200, {"ok": True, "result": {"message_id": 17}}, "sent"),
        ("sendMessage", 403, refused(403, "Forbidden: bot was blocked by the user"), "unreachable"),
        ("sendMessage", 400, refused(400, "Bad Request: BUTTON_DATA_INVALID"), "refused"),
        ("sendMessage", 400, refused(400, "Bad Request: group upgraded", migrate_to_chat_id=-1001), "moved"),
        ("sendMessage", 429, refused(429, "Too Many Requests", retry_after=7), "limited"),
        ("getMe", 401, refused(401, "Unauthorized"), "credentials"),
        ("setWebhook", 502, b"<html>Bad Gateway</html>", "failed"),
        ("answerCallbackQuery", 200, {"ok": True, "result": True}, "sent"),
    )

    def prove(self, body: bytes, received_at: str = AT) -> InboundCall:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.credentials["secret_token"]}
        return call_of(body, headers, received_at=received_at)

    def said(self, step: str) -> tuple[dict[str, str], bytes]:
        result = {"getMe": {"id": 104117782, "username": "conference_bot"}, "sendMessage": {"message_id": 17}}
        return {}, orjson.dumps({"ok": True, "result": result.get(step, True)})
