"""The other two sides of a chat of ours: the engine, which has its messages, and the client of a stream."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts.actions import MessageContent
from contracts.replies import ChatMessage, MessagesReply
from flow_engine.store.port import BACKLOG_LIMIT


def said(*seqs: int) -> list[ChatMessage]:
    """The bot's messages of those seqs."""
    return [ChatMessage(seq=seq, id=str(seq), at="", content=MessageContent(text=f"m{seq}")) for seq in seqs]


class Chat:
    """The engine's side of a conversation: answers attach records with what is in `log`, the oldest first."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.log: list[ChatMessage] = []
        self.attaches: list[dict[str, Any]] = []
        rig.publisher.on_record = self.on_record

    def on_record(self, record: Any) -> None:
        if b'"kind":"attach"' not in record.value:
            return
        attach = self.rig.inbound[-1]
        self.attaches.append(attach)
        found = tuple(message for message in self.log if message.seq > attach["after"])[:BACKLOG_LIMIT]
        reply = MessagesReply(
            instance="i",
            request_id=attach["request_id"],
            conversation=record.key.decode(),
            messages=found,
            last_seq=self.log[-1].seq if self.log else 0,
        )
        asyncio.get_running_loop().call_soon(self.rig.asker.futures[attach["request_id"]].set_result, reply)

    def say(self, key: str, *messages: ChatMessage) -> None:
        """The bot says something, and the attached instance gets a copy."""
        self.log += messages
        self.rig.ingress.attachments.on_messages(MessagesReply(instance="i", conversation=key, messages=messages))


class Stream:
    """The client's side of a stream of server-sent events."""

    def __init__(self) -> None:
        self.body, self.changed, self.gone, self.ended = b"", asyncio.Event(), asyncio.Event(), False
        self.room = 10**9
        """Bytes that it reads; whoever sends more waits."""

    async def open(self, app: Any, path: str, headers: dict[str, str]) -> None:
        """Request it; returns when it is over."""
        given = {"host": "test", "accept": "text/event-stream", **headers}
        scope = {
            "type": "http", "method": "GET", "path": path, "query_string": b"", "client": ("203.0.113.9", 1),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        await app(scope, self.receive, self.send)

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(5):
            while text not in self.body:
                await self.changed.wait()
                self.changed.clear()

    def close(self) -> None:
        self.gone.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.body) > self.room:
            await asyncio.Event().wait()
        self.body += message.get("body", b"")
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        self.changed.set()
