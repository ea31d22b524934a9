"""Work with people beside the load: contacts are imported, told of something, taken over by agents and erased; and what came of it.

It comes in cycles, each with a bot of its own: an import that is sent twice, visitors of a web chat, a broadcast to all of them, two agents
who take one conversation over at once, and two erasures. Whatever is not answered is sent again, as the guides say. Nothing
may be lost, done twice, or done by half.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import orjson

from bench.chaos.checker import Verdict
from contracts.ids import derived_id
from devstack.stack import Stack
from operations.api import Api
from operations.errors import CommandError

LINES, VISITORS = 20, 8
TAKEN, ERASED, ERASED_LINE = 0, 1, 1
"""Which visitor is taken over, by way of a channel of its own, which visitor is erased, and which imported contact."""
RATE = 2.0
"""Starts of a broadcast a second, so that servers go and come while it is walked."""
PAUSE_SECONDS, LOOK_SECONDS = 0.3, 0.5
BETWEEN_SECONDS = 3.0
PATIENCE = 180.0
"""Seconds that one step may take, of which servers may be away for most."""
AGENTS = ("Kim", "Lee")
NEWS: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "news",
    "name": "News",
    "start": "answer",
    "triggers": [
        {"id": "said", "type": "no_match", "to": "answer"},
        {"id": "told", "type": "webhook", "to": "tell"},
    ],
    "nodes": {
        "answer": {"type": "say", "parts": [{"text": "Hello, {{ user.name }}."}]},
        "tell": {"type": "say", "parts": [{"text": "News for {{ user.name }}."}]},
    },
}


class Stuck(Exception):
    """Something was not answered as it has to be in the end."""


class Agent(NamedTuple):
    """Who answers in place of the bot, and the header by which they act."""

    name: str
    headers: dict[str, str]


@dataclass(slots=True)
class Cycle:
    """One bot and its people: what was done, and what was answered."""

    number: int
    bot: str = ""
    channels: list[str] = field(default_factory=list)
    """Two of web chat."""
    sessions: list[str] = field(default_factory=list)
    """Web-chat sessions of the visitors."""
    broadcast: str = ""
    jobs: list[str] = field(default_factory=list)
    """Of erasures."""
    taken: dict[str, int] = field(default_factory=dict)
    """Agent -> the status of its takeover."""
    said: dict[str, int] = field(default_factory=dict)
    """Agent -> the status of its message."""
    failure: str = ""
    """What did not come to its end."""

    def visitor(self, number: int) -> str:
        return f"Visitor {self.number}-{number}"

    def imported(self, number: int) -> str:
        return f"Imported {self.number}-{number}"

    @property
    def erased(self) -> set[str]:
        return {self.visitor(ERASED), self.imported(ERASED_LINE)}

    @property
    def there(self) -> set[str]:
        """Who has to be there in the end, once."""
        return {*map(self.visitor, range(VISITORS)), *map(self.imported, range(LINES))} - self.erased

    @property
    def told(self) -> set[str]:
        """Who has to hear of the news, once: the one who was taken over is on another channel, the imported ones are on none."""
        return {self.visitor(number) for number in range(VISITORS) if number not in (TAKEN, ERASED)}


class People:
    """Of one run, in a project of its own."""

    def __init__(self, client: httpx.AsyncClient, api: Api, log: Callable[[str], None]) -> None:
        """`client` calls the installation; `api` does so as the project's operator."""
        self._client, self._api, self._log = client, api, log
        self._agents: list[Agent] = []
        self.cycles: list[Cycle] = []

    async def prepare(self) -> None:
        """While all is well: a token, and two agents."""
        scopes = ["admin", "data:read", "data:write"]
        own = (await self._api.post("/v1/tokens", {"name": "office", "scopes": scopes}))["token"]
        self._client.headers["authorization"] = f"Bearer {own}"
        for name in AGENTS:
            id = (await self._ask("POST", "/v1/agents", {"name": name, "email": f"{name}@example.com"}))["id"]
            token = (await self._api.post(f"/v1/agents/{id}/tokens", {}))["token"]
            self._agents.append(Agent(name, {"authorization": f"Bearer {token}"}))

    async def work_until(self, over: asyncio.Event) -> None:
        """One cycle after the other until somebody sets the event; the last one is brought to its end."""
        while not over.is_set():
            cycle = Cycle(len(self.cycles))
            self.cycles.append(cycle)
            try:
                await self._cycle(cycle)
            except Stuck as stuck:
                cycle.failure = str(stuck)
                self._log(f"  people: {cycle.failure}")
            await asyncio.sleep(BETWEEN_SECONDS)

    async def _cycle(self, cycle: Cycle) -> None:
        await self._until(lambda: self._made(cycle), f"bot {cycle.number} is made")
        bot, (one, two) = cycle.bot, cycle.channels
        await self._import(cycle)
        for number in range(VISITORS):
            await self._visit(cycle, number, two if number == TAKEN else one)
        body = {"bot": bot, "flow": "news", "entry": "told", "channel_id": one, "rate": RATE}
        made = await self._ask("POST", "/v1/broadcasts", body, key=f"news {cycle.number}")
        cycle.broadcast = made["id"]
        await asyncio.gather(self._take_over(cycle, two), self._erase(cycle))
        await self._until(lambda: self._completed(cycle), f"broadcast {cycle.broadcast} is completed")
        for job in cycle.jobs:
            await self._until(lambda job=job: self._erased(job), f"erasure {job} is done")  # type: ignore[misc]

    async def _made(self, cycle: Cycle) -> bool:
        """A bot with two channels and its flow; where an answer is not there another bot is made."""
        try:
            cycle.bot = (await self._api.post("/v1/bots", {"name": f"people {cycle.number}"}))["id"]
            body = {"bot": cycle.bot, "type": "webchat"}
            made = [await self._api.post("/v1/channels", body | {"name": name}) for name in ("one", "two")]
            cycle.channels = [channel["id"] for channel in made]
            await self._api.publish_flow(cycle.bot, NEWS)
        except (CommandError, httpx.TransportError):
            return False
        return True

    async def _import(self, cycle: Cycle) -> None:
        """The file, twice under its key."""
        lines = [{"name": (name := cycle.imported(n)), "external_id": name, "tags": ["new"]} for n in range(LINES)]
        file = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        for _ in range(2):
            await self._until(lambda: self._imported(cycle, file), f"import {cycle.number} is reported whole")

    async def _imported(self, cycle: Cycle, file: bytes) -> bool:
        """Whether the report has come to its end."""
        headers = {"idempotency-key": f"file {cycle.number}", "content-type": "application/x-ndjson"}
        path = f"/v1/contacts/import?bot={cycle.bot}"
        answer = await self._send("POST", path, content=file, headers=headers)
        last = answer.text.splitlines()[-1] if answer is not None and answer.is_success else "{}"
        try:
            return bool(orjson.loads(last) == {"lines": LINES, "failed": 0})
        except orjson.JSONDecodeError:
            return False

    async def _visit(self, cycle: Cycle, number: int, channel: str) -> None:
        """A visitor says hello and is answered."""
        sessions, name = f"/v1/web/{channel}/sessions", cycle.visitor(number)
        session = await self._ask("POST", sessions, {"contact": {"external_id": name, "name": name}})
        cycle.sessions.append(session["session_id"])
        url = f"{sessions}/{session['session_id']}"
        headers = {"authorization": f"Bearer {session['token']}"}
        await self._ask("POST", f"{url}/messages", {"client_message_id": "1", "text": "hello"}, headers=headers)

        async def answered() -> bool:
            return bool((await self._ask("GET", f"{url}/events", headers=headers))["messages"])

        await self._until(answered, f"{name} is answered")

    async def _take_over(self, cycle: Cycle, channel: str) -> None:
        """Two agents at once: both try to take the conversation and to write; whoever has it gives it back."""
        key = f"{cycle.bot}/{channel}/{cycle.sessions[TAKEN]}"
        url = f"/v1/conversations/{derived_id('conversation', key)}"

        async def tries(agent: Agent) -> None:
            cycle.taken[agent.name] = await self._status(f"{url}/takeover", agent, f"take {cycle.number}")

        async def writes(agent: Agent) -> None:
            body = {"text": f"I am {agent.name}.", "client_message_id": f"hello from {agent.name}"}
            cycle.said[agent.name] = await self._status(f"{url}/messages", agent, "", body)

        await asyncio.gather(*map(tries, self._agents))
        await asyncio.gather(*map(writes, self._agents))
        for agent in self._agents:
            if cycle.taken[agent.name] == 200:
                await self._status(f"{url}/release", agent, f"release {cycle.number}", {"to": "bot"})

    async def _status(self, path: str, agent: Agent, key: str, body: Any = None) -> int:
        """What an agent's deed is answered in the end."""
        told: list[int] = []
        headers = agent.headers | ({"idempotency-key": f"{key} {agent.name}"} if key else {})

        async def answered() -> bool:
            answer = await self._send("POST", path, json=body, headers=headers)
            if answer is not None and answer.status_code in (200, 201, 403, 409):
                told.append(answer.status_code)
            return bool(told)

        await self._until(answered, f"{agent.name} is answered by {path}")
        return told[0]

    async def _erase(self, cycle: Cycle) -> None:
        for contact in await self._contacts(cycle):
            if contact["name"] in cycle.erased:
                made = await self._ask("DELETE", f"/v1/contacts/{contact['id']}", accepted=(404,))
                if "job" in made:
                    cycle.jobs.append(made["job"]["id"])

    async def _completed(self, cycle: Cycle) -> bool:
        return bool((await self._ask("GET", f"/v1/broadcasts/{cycle.broadcast}"))["state"] == "completed")

    async def _erased(self, job: str) -> bool:
        return bool((await self._ask("GET", f"/v1/contacts/erasures/{job}"))["job"]["status"] == "done")

    async def _contacts(self, cycle: Cycle) -> list[dict[str, Any]]:
        return [one async for one in self._items(f"/v1/contacts?bot={cycle.bot}&limit=200")]

    async def _items(self, path: str) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            page = await self._ask("GET", f"{path}&cursor={cursor}" if cursor else path)
            for item in page["items"]:
                yield item
            cursor = page["next"]

    async def _ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", accepted: tuple[int, ...] = (), **more: Any
    ) -> Any:
        """What it is answered, once it is done."""
        headers = more.pop("headers", {}) | ({"idempotency-key": key} if key else {})
        answers: list[Any] = []

        async def answered() -> bool:
            answer = await self._send(method, path, json=body, headers=headers)
            if answer is not None and (answer.is_success or answer.status_code in accepted):
                answers.append(answer.json() if answer.content else {})
            return bool(answers)

        await self._until(answered, f"{method} {path} is answered")
        return answers[0]

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """None: the connection broke, so that it is not known whether it was done."""
        try:
            return await self._client.request(method, path, **more)
        except httpx.TransportError:
            return None

    async def _until(self, done: Callable[[], Awaitable[bool]], what: str) -> None:
        """Raises Stuck when it is not so in time."""
        deadline = time.monotonic() + PATIENCE
        while not await done():
            if time.monotonic() > deadline:
                raise Stuck(f"not within {PATIENCE:.0f} s: {what}")
            await asyncio.sleep(LOOK_SECONDS)

    async def judged(self, verdict: Verdict) -> None:
        """Add what is wrong with any cycle to the verdict."""
        for cycle in self.cycles:
            if cycle.failure:
                verdict.found("lost", 1, cycle.failure)
                continue
            names = Counter([str(one.get("name")) for one in await self._contacts(cycle)])
            said = Counter([
                one["content"].get("text", "")
                async for one in self._items(f"/v1/chatlogs?bot={cycle.bot}&limit=200")
                if one["sender"] in ("bot", "agent")
            ])  # fmt: skip
            shown = await self._ask("GET", f"/v1/broadcasts/{cycle.broadcast}")
            for kind, what in findings(cycle, names, said, shown["counts"]):
                verdict.found(kind, 1, what)
            verdict.people += len(cycle.there) + len(cycle.erased)
        self._log(f"  people: {len(self.cycles)} imports, broadcasts, takeovers and pairs of erasures")


@contextlib.asynccontextmanager
async def people(stack: Stack, log: Callable[[str], None]) -> AsyncIterator[People]:
    """Ready to work, while all is well, in a project of their own."""
    token = stack.secrets.admin_token
    async with Api(stack.base_url, token) as operator:
        project = (await operator.post("/v1/projects", {"name": "people"}))["id"]
    async with (
        Api(stack.base_url, token, project) as api,
        httpx.AsyncClient(base_url=stack.base_url, trust_env=False, timeout=15) as client,
    ):
        made = People(client, api, log)
        await made.prepare()
        yield made


def findings(
    cycle: Cycle, names: Counter[str], said: Counter[str], counts: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """(`lost`, `applied_twice` or `half`, what) of one cycle. `names`: of the contacts there are; `said`: by bot and agents; `counts`: the
    broadcast's."""
    yield from _once("contact", {name: names[name] for name in cycle.there})
    yield from (("half", f"{name} is erased and there") for name in sorted(cycle.erased & names.keys()))
    yield from (("applied_twice", f"somebody is {name}") for name in sorted(names.keys() - cycle.there - cycle.erased))
    yield from _once("news", {name: said[f"News for {name}."] for name in cycle.told})
    of_erased = [text for text in said for name in cycle.erased if name in text]
    yield from (("half", f"of who is erased there is left: {text}") for text in of_erased)
    settled = sum(counts[name] for name in ("started", "skipped", "failed", "cancelled"))
    if settled != counts["recipients"] or counts["started"] not in (len(cycle.told), len(cycle.told) + 1):
        yield "half", f"the broadcast of {cycle.bot} counts {counts}"
    yield from _taken(cycle, said)


def _taken(cycle: Cycle, said: Counter[str]) -> Iterator[tuple[str, str]]:
    """One agent has it, and that one's message is there once; the other's was refused, and is not."""
    having = [name for name, status in cycle.taken.items() if status == 200]
    if len(having) != 1:
        yield "applied_twice" if having else "lost", f"takeovers were answered {cycle.taken}"
    yield from _once("message of an agent", {name: said[f"I am {name}."] for name in having})
    for name in cycle.taken.keys() - set(having):
        if said[f"I am {name}."] or cycle.said[name] in (200, 201):
            yield "half", f"{name} was refused and has written"


def _once(what: str, found: dict[str, int]) -> Iterator[tuple[str, str]]:
    for name, count in sorted(found.items()):
        if count != 1:
            yield "applied_twice" if count else "lost", f"{what} {name}: {count} times"
