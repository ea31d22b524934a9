"""A Telegram of our own: a real HTTP server that speaks the Bot API's JSON (10.2)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from support.receiver import LOOPBACK, serving

BOT_ID = 104117782
DATE = 1_795_219_200


@dataclass(frozen=True, slots=True)
class Call:
    """One method call that came."""

    method: str
    body: dict[str, Any]
    token: str
    ok: bool
    at: float
    """Monotonic, in seconds."""


class FakeTelegram:
    """Takes every token of its bot; methods fail as programmed."""

    def __init__(self) -> None:
        self.url = ""
        self.bot_id = BOT_ID
        self.calls: list[Call] = []
        self.webhook: dict[str, Any] = {}
        self._failures: dict[str, list[dict[str, Any]]] = {}
        self._message_ids = 0
        self.answers = asyncio.Event()
        """Cleared, a call that has come waits for its answer."""
        self.answers.set()
        self.arrived = 0
        """Calls that have come."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Bodies of the sendMessage calls that were answered ok, in order."""
        return [call.body for call in self.calls if call.method == "sendMessage" and call.ok]

    def fail_next(
        self, method: str, error_code: int, description: str, parameters: dict[str, Any] | None = None, times: int = 1
    ) -> None:
        """The next calls of that method are refused in Telegram's words."""
        refusal = {"ok": False, "error_code": error_code, "description": description}
        self._failures.setdefault(method, []).extend(
            [refusal | ({"parameters": parameters} if parameters else {})] * times
        )

    def forgive(self) -> None:
        """Nothing is refused any more."""
        self._failures.clear()

    def text_update(self, update_id: int, person: int, text: str, *, first_name: str = "Alex") -> dict[str, Any]:
        """A person's message; commands are marked as Telegram marks them."""
        message = self._message(update_id, person, first_name) | {"text": text}
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        return {"update_id": update_id, "message": message}

    def callback_update(self, update_id: int, person: int, data: str, *, first_name: str = "Alex") -> dict[str, Any]:
        """A tap on an inline button."""
        sender = self._sender(person, first_name)
        query = {"id": f"cb-{update_id}", "from": sender, "chat_instance": "1", "data": data}
        return {"update_id": update_id, "callback_query": query | {"message": self._message(update_id, person, "bot")}}

    def member_update(self, update_id: int, person: int, status: str) -> dict[str, Any]:
        """The person blocked (`kicked`) or unblocked (`member`) the bot."""
        sender = self._sender(person, "Alex")
        old = {"user": {"id": self.bot_id}, "status": "member" if status == "kicked" else "kicked"}
        new = {"user": {"id": self.bot_id}, "status": status}
        chat = {"id": person, "type": "private"}
        change = {"chat": chat, "from": sender, "date": DATE, "old_chat_member": old, "new_chat_member": new}
        return {"update_id": update_id, "my_chat_member": change}

    def _message(self, update_id: int, person: int, first_name: str) -> dict[str, Any]:
        return {
            "message_id": update_id,
            "date": DATE,
            "chat": {"id": person, "type": "private", "first_name": first_name},
            "from": self._sender(person, first_name),
        }

    @staticmethod
    def _sender(person: int, first_name: str) -> dict[str, Any]:
        return {"id": person, "is_bot": False, "first_name": first_name, "language_code": "en"}

    async def handle(self, request: web.Request) -> web.Response:
        prefix, _, method = request.path.removeprefix("/").partition("/")
        body = await request.json() if request.can_read_body else dict(request.query)
        self.arrived += 1
        await self.answers.wait()
        refusals = self._failures.get(method)
        answer = refusals.pop(0) if refusals else {"ok": True, "result": self._result(method, body)}
        self.calls.append(Call(method, body, prefix.removeprefix("bot"), answer["ok"], time.monotonic()))
        return web.json_response(answer, status=answer.get("error_code", 200))

    def _result(self, method: str, body: dict[str, Any]) -> Any:
        match method:
            case "getMe":
                return {"id": self.bot_id, "is_bot": True, "first_name": "Conference", "username": "conference_bot"}
            case (
                "sendMessage" | "sendPhoto" | "sendVideo" | "sendAudio" | "sendDocument" | "sendLocation" | "sendVenue"
            ):
                self._message_ids += 1
                chat = {"id": body["chat_id"], "type": "private"}
                shown = {name: body[name] for name in ("text", "caption") if name in body}
                return {"message_id": self._message_ids, "date": DATE, "chat": chat, **shown}
            case "setWebhook":
                self.webhook = body
            case "deleteWebhook":
                self.webhook = {}
            case "getWebhookInfo":
                return {"url": self.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": 0}
        return True


@contextlib.asynccontextmanager
async def fake_telegram(host: str = LOOPBACK) -> AsyncIterator[FakeTelegram]:
    """Listens on a free port of this machine's address until the end of the block."""
    made = FakeTelegram()
    async with serving(made.handle, host) as url:
        made.url = url
        yield made
