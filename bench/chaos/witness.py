"""Whether each part still does its work: a command of another program, its answer, two webhooks, and what follows of one.

The command goes over commands, inbound, replies and events; that its outcome reached a webhook says so. Another endpoint
answers 410, which goes over findings: the registry disables it.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import orjson
from confluent_kafka import Producer

from bench.chaos.attack import Run
from bench.chaos.ear import GONE, HOOK
from contracts import cloudevents, commands
from operations.api import Api

SECONDS = 60.0
LOOK_SECONDS = 0.3
AGAIN_SECONDS = 10.0
SCOPES = ["flows:execute"]
KNOCK: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "knock",
    "name": "Knock",
    "start": "noted",
    "variables": {"knocked": {"type": "boolean", "scope": "user"}},
    "triggers": [{"id": "knock", "type": "webhook", "to": "noted"}],
    "nodes": {"noted": {"type": "set", "values": {"user.knocked": True}}},
}
_numbers = count(1)


class Witness:
    """Of one round; `prepare` while all is well, `still_works` when it has to be well again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._line = run.crowd.lines[run.crowd.chats[0] % len(run.crowd.lines)]
        self._token = ""

    async def prepare(self, api: Api, *, tells_messages: bool) -> None:
        """What the witness needs: a flow that another program may start, a token, an endpoint that listens. Another one hears
        of every message, where the round asks for that."""
        await api.publish_flow(self._line.bot, KNOCK)
        self._token = (await api.post("/v1/tokens", {"name": "witness", "scopes": SCOPES}))["token"]
        for event in ("command.accepted", *(["message.received"] if tells_messages else [])):
            about = {"url": self._run.far_end.url + HOOK, "events": [event], "schedule": [1] * 10}
            await api.post("/v1/endpoints", about)

    async def still_works(self, api: Api) -> str | None:
        """None when all of it works within a minute; else what does not."""
        gone = await api.post(
            "/v1/endpoints", {"url": self._run.far_end.url + GONE, "events": ["command.accepted"], "schedule": [1] * 10}
        )
        deadline, asked, name = time.monotonic() + SECONDS, 0.0, ""
        while time.monotonic() < deadline:
            if ("command.accepted", name) in self._run.far_end.told:
                return await self._disabled(api, gone["id"], deadline)
            if time.monotonic() > asked + AGAIN_SECONDS:
                # What another program wrote into a topic that was then deleted it has to write again.
                asked, name = time.monotonic(), f"knock-{next(_numbers)}"
                await asyncio.to_thread(self._command, name)
            await asyncio.sleep(LOOK_SECONDS)
        return f"a command's outcome was not told within {SECONDS:.0f} s"

    async def _disabled(self, api: Api, endpoint: str, deadline: float) -> str | None:
        while time.monotonic() < deadline:
            if (await api.get(f"/v1/endpoints/{endpoint}"))["state"] == "disabled":
                return None
            await asyncio.sleep(LOOK_SECONDS)
        return "an endpoint that answers 410 is not disabled"

    def _command(self, id: str) -> None:
        """Write it as another program does, with a client of its own."""
        stack, person = self._run.stack, {"peer_id": str(self._run.crowd.chats[0]), "channel_id": self._line.channel}
        body = {"kind": "start", "bot": self._line.bot, "person": person, "flow": "knock", "entry": "knock"}
        about = cloudevents.headers(id=id, type="command", source="chaos", time=cloudevents.now_text())
        headers: dict[str, str | bytes | None] = {**dict(about), "authorization": f"Bearer {self._token}"}
        producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
        producer.produce(stack.cluster.named(commands.TOPIC.name), value=orjson.dumps(body), key=id, headers=headers)
        producer.flush(10)
