"""The delivery log over HTTP, on rows of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from starlette.types import ASGIApp

from contracts.registry import Scope, Token
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.results.retention import drop_before
from dispatcher.store.postgres import PostgresDeliveries
from dispatcher.web.routes import make_app
from servicekit.credentials.tokens import generate_token
from servicekit.database import connect
from servicekit.settings import ServiceSettings
from servicekit.web.auth import Authoriser
from servicekit.web.pagination import encode_cursor
from support.asgi import Response, call

OPERATOR = "operator-token-of-the-tests-0123456789"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SCOPES: tuple[Scope, ...] = ("deliveries:read", "deliveries:write")
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Tokens:
    """A registry view of tokens only."""

    def __init__(self) -> None:
        self.known: dict[str, Token] = {}

    def find(self, kind: str, index: str, value: str) -> Token | None:
        return self.known.get(value)

    def deleted(self, kind: str, id: str) -> bool:
        return False

    async def current(self) -> bool:
        return True


@dataclass
class Deps:
    pool: asyncpg.Pool[asyncpg.Record]
    tokens: Tokens = field(default_factory=Tokens)
    woken: int = 0

    def __post_init__(self) -> None:
        self.authoriser = Authoriser(self.tokens, SecretStr(OPERATOR))

    def wake(self) -> None:
        self.woken += 1


@dataclass
class Log:
    """One project's log: its rows, and the API as its token sees it."""

    deps: Deps
    app: ASGIApp
    project: str = field(default_factory=lambda: f"project-{uuid4().hex[:8]}")
    scopes: tuple[Scope, ...] = SCOPES

    def __post_init__(self) -> None:
        new = generate_token()
        self.headers = {"authorization": f"Bearer {new.text}"}
        self.deps.tokens.known[new.sha256] = Token(
            id=new.id, project_id=self.project, name="crm", sha256=new.sha256, scopes=self.scopes
        )

    async def get(self, path: str) -> Response:
        return await call(self.app, "GET", path, headers=self.headers)

    async def post(self, path: str) -> Response:
        return await call(self.app, "POST", path, headers=self.headers)

    async def listed(self, query: str = "") -> list[str]:
        """Ids on the first page."""
        answer = await self.get(f"/v1/deliveries{query}")
        assert answer.status == 200, answer.body
        return [item["id"] for item in answer.json["items"]]

    async def add(self, *, destination: str = "endpoint:e1", source: str = "", **fields: Any) -> UUID:
        """One delivery, succeeded unless told otherwise."""
        row = {
            "id": uuid4(), "day": NOW.date(), "project_id": self.project, "kind": "event", "source": "events/0",
            "state": "succeeded", "attempts": 1, "created_at": NOW, "finished_at": NOW, "event_type": "tag.added",
            "event_id": "event-1", "payload": b'{"type":"tag.added"}',
        } | fields  # fmt: skip
        row["queue_id"] = await self.queue(destination, source)
        names, marks = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.deps.pool.execute(f"INSERT INTO delivery ({names}) VALUES ({marks})", *row.values())
        return UUID(str(row["id"]))

    async def queue(self, destination: str, source: str) -> int:
        added = """INSERT INTO queue (destination, source) VALUES ($1, $2)
                   ON CONFLICT (destination, source) DO UPDATE SET source = excluded.source RETURNING id"""
        return int(await self.deps.pool.fetchval(added, destination, source))

    async def add_attempt(self, delivery: UUID, number: int, **fields: Any) -> None:
        row = {
            "delivery_id": delivery, "day": NOW.date(), "number": number, "took_ms": 12, "outcome": "retry",
            "started_at": NOW + timedelta(seconds=number), "request": orjson.dumps({"body": None}),
        } | fields  # fmt: skip
        names, marks = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.deps.pool.execute(f"INSERT INTO attempt ({names}) VALUES ({marks})", *row.values())

    async def row(self, id: UUID) -> asyncpg.Record:
        found = await self.deps.pool.fetchrow(
            """SELECT d.*, q.destination, q.source AS queue_source, q.next_due <= d.due AS looked_at_in_time
                 FROM delivery d JOIN queue q ON q.id = d.queue_id WHERE d.id = $1""",
            id,
        )
        assert found is not None
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(module_database: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    settings = ServiceSettings(database=SecretStr(module_database), admin_token=SecretStr(OPERATOR))
    made = await connect(settings, "dispatcher")
    async with PostgresDeliveries(made, DELIVERY_KINDS).session() as session:
        await session.ensure_days([NOW.date() - timedelta(days=1), NOW.date()])
    yield made
    await made.close()


@pytest.fixture
def log(pool: asyncpg.Pool[asyncpg.Record]) -> Log:
    """A project of its own for each test."""
    deps = Deps(pool)
    return Log(deps, make_app(deps))


async def test_the_list_shows_the_newest_first(log: Log) -> None:
    old = await log.add(created_at=NOW - timedelta(minutes=2))
    new = await log.add(
        state="retrying", attempts=2, due=NOW + timedelta(minutes=5), finished_at=None, error="The receiver answered 500."
    )  # fmt: skip
    answer = await log.get("/v1/deliveries")
    assert [item["id"] for item in answer.json["items"]] == [str(new), str(old)]
    assert answer.json["next"] is None
    assert answer.json["items"][0] == {
        "id": str(new),
        "kind": "event",
        "status": "retrying",
        "target": {"type": "endpoint", "id": "e1"},
        "event": {"id": "event-1", "type": "tag.added"},
        "conversation_id": None,
        "attempts_made": 2,
        "next_attempt_at": "2026-11-21T12:05:00.000Z",
        "created_at": "2026-11-21T12:00:00.000Z",
        "finished_at": None,
        "error": "The receiver answered 500.",
    }


async def test_the_list_is_filtered(log: Log) -> None:
    one = await log.add(destination="endpoint:e1", event_type="tag.added", event_id="a")
    two = await log.add(destination="endpoint:e2", event_type="bot.blocked", event_id="b", state="exhausted")
    old = await log.add(created_at=NOW - timedelta(hours=1), event_id="c")
    for query, found in {
        "?endpoint=e2": [two],
        "?event=bot.blocked": [two],
        "?event=a": [one],
        "?status=exhausted": [two],
        "?since=2026-11-21T12:00:00Z&event=tag.added": [one],
        "?event=c": [old],
        "?endpoint=e3": [],
    }.items():
        assert await log.listed(query) == list(map(str, found)), query


async def test_pages_follow_each_other_without_gap_or_repeat(log: Log) -> None:
    made = {str(await log.add(created_at=NOW - timedelta(seconds=n // 3))) for n in range(10)}
    seen, path = list[str](), "/v1/deliveries?limit=4"
    while path:
        answer = (await log.get(path)).json
        seen += [item["id"] for item in answer["items"]]
        path = f"/v1/deliveries?limit=4&cursor={answer['next']}" if answer["next"] else ""
    assert len(seen) == 10
    assert set(seen) == made


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "since=yesterday",
        "since=2026-11-21T12:00:00",
        "since=9999-12-31T23:59:59-23:59",
        "since=0001-01-01T00:00:00%2B23:59",
        "endpoint=%00",
        "event=%00",
        "limit=0",
        "limit=201",
        "cursor=nonsense",
        f"cursor={encode_cursor('yesterday', 'x')}",
    ],
)
async def test_what_makes_no_sense_is_refused(log: Log, query: str) -> None:
    answer = await log.get(f"/v1/deliveries?{query}")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json["detail"].startswith(query.partition("=")[0])


async def test_a_delivery_is_shown_with_its_attempts(log: Log) -> None:
    payload = b'{"type":"tag.added","data":"' + b"x" * 10_000 + b'"}'
    id = await log.add(attempts=2, payload=payload)
    request = {"method": "POST", "url": "https://crm.example.com/hook", "headers": {"webhook-id": str(id)}}
    refusal = {"status": 500, "headers": {}, "body": "no"}
    await log.add_attempt(
        id, 2, outcome="succeeded", status=204, request=orjson.dumps(request | {"body": "[{}]"}), response=b"{}"
    )
    await log.add_attempt(
        id, 1, status=500, code="http-500", detail="The receiver answered 500.",
        request=orjson.dumps(request | {"body": None}), response=orjson.dumps(refusal),
    )  # fmt: skip
    shown = (await log.get(f"/v1/deliveries/{id}")).json
    assert (shown["id"], shown["status"], shown["attempts_made"]) == (str(id), "succeeded", 2)
    first, second = shown["attempts"]
    assert first["request"] == request | {"body": payload[: 8 * 1024].decode()}
    assert (first["number"], first["status"], first["code"], first["response"]) == (1, 500, "http-500", refusal)
    assert (second["number"], second["outcome"], second["request"]["body"]) == (2, "succeeded", "[{}]")


async def test_an_attempt_without_an_answer_has_none(log: Log) -> None:
    id = await log.add()
    await log.add_attempt(id, 1, code="timeout")
    [attempt] = (await log.get(f"/v1/deliveries/{id}")).json["attempts"]
    assert (attempt["status"], attempt["response"], attempt["code"]) == (None, None, "timeout")


@pytest.mark.parametrize("state", ["succeeded", "exhausted", "cancelled", "discarded"])
async def test_a_finished_delivery_is_replayed_under_its_own_id(log: Log, state: str) -> None:
    id = await log.add(state=state, attempts=10, error="The receiver answered 500.", expires_at=NOW)
    answer = await log.post(f"/v1/deliveries/{id}/replay")
    assert (answer.status, answer.json["id"], answer.json["status"]) == (202, str(id), "pending")
    row = await log.row(id)
    assert (row["state"], row["attempts"], row["base"], row["error"]) == ("pending", 10, 10, None)
    assert (row["finished_at"], row["expires_at"], row["destination"]) == (None, None, "endpoint:e1")
    assert row["looked_at_in_time"]
    assert log.deps.woken == 1


async def test_a_queue_that_is_looked_at_later_is_looked_at_now(log: Log) -> None:
    id = await log.add(destination="endpoint:slow")
    await log.deps.pool.execute(
        "UPDATE queue SET next_due = now() + interval '1 h' WHERE destination = 'endpoint:slow'"
    )
    await log.post(f"/v1/deliveries/{id}/replay")
    assert (await log.row(id))["looked_at_in_time"]


async def test_a_replay_leaves_its_ordered_lane(log: Log) -> None:
    id = await log.add(destination="endpoint:ordered", source="events/7", lane="ordered/c1", seq=5, state="exhausted")
    assert (await log.post(f"/v1/deliveries/{id}/replay")).status == 202
    row = await log.row(id)
    assert (row["lane"], row["queue_source"], row["destination"]) == (None, "", "endpoint:ordered")
    assert row["looked_at_in_time"]


async def test_two_replays_at_once_are_one(log: Log) -> None:
    id = await log.add()
    answers = await asyncio.gather(*(log.post(f"/v1/deliveries/{id}/replay") for _ in range(5)))
    assert {answer.status for answer in answers} == {202}
    row = await log.row(id)
    assert (row["state"], row["attempts"], row["base"]) == ("pending", row["attempts"], row["attempts"])


@pytest.mark.parametrize("lane", [None, "ordered/c1"], ids=["alone", "ordered"])
@pytest.mark.parametrize("state", ["retrying", "pending"])
async def test_what_waits_for_its_next_attempt_is_attempted_now(log: Log, state: str, lane: str | None) -> None:
    later = {"due": datetime.now(UTC) + timedelta(days=1), "finished_at": None, "attempts": 3}
    id = await log.add(state=state, lane=lane, seq=1 if lane else None, **later)
    await log.deps.pool.execute("UPDATE queue SET next_due = now() + interval '1 day'")
    assert (await log.post(f"/v1/deliveries/{id}/replay")).status == 202
    row = await log.row(id)
    assert (row["state"], row["lane"], row["attempts"]) == (state, lane, 3)
    assert row["due"] <= datetime.now(UTC)
    assert row["looked_at_in_time"]
    assert log.deps.woken == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "in_flight", "finished_at": None, "lease": uuid4()}, "attempted just now"),
        ({"state": "blocked", "finished_at": None, "lane": "ordered/c1", "seq": 2}, "behind an earlier one"),
        ({"kind": "message", "lane": "bot/tg/1", "state": "exhausted"}, "conversation"),
        ({"kind": "call", "state": "exhausted"}, "no longer waits"),
    ],
)
async def test_what_cannot_be_replayed_says_why(log: Log, fields: dict[str, Any], reason: str) -> None:
    id = await log.add(**fields)
    before = await log.row(id)
    answer = await log.post(f"/v1/deliveries/{id}/replay")
    assert (answer.status, answer.json["type"].rsplit("/", 1)[1]) == (409, "not-replayable")
    assert reason in answer.json["detail"]
    assert dict(await log.row(id)) == dict(before)
    assert log.deps.woken == 0


async def test_another_projects_delivery_is_not_there(log: Log) -> None:
    id, other = await log.add(), Log(log.deps, log.app)
    assert await other.listed() == []
    assert (await other.get(f"/v1/deliveries/{id}")).status == 404
    assert (await other.post(f"/v1/deliveries/{id}/replay")).status == 404
    assert (await log.row(id))["state"] == "succeeded"


@pytest.mark.parametrize("id", ["nonsense", str(UUID(int=0))])
async def test_an_unknown_delivery_is_not_there(log: Log, id: str) -> None:
    assert (await log.get(f"/v1/deliveries/{id}")).status == 404
    assert (await log.post(f"/v1/deliveries/{id}/replay")).status == 404


async def test_reading_and_replaying_need_their_own_scopes(log: Log) -> None:
    id = await log.add()
    reader = Log(log.deps, log.app, log.project, ("deliveries:read",))
    writer = Log(log.deps, log.app, log.project, ("deliveries:write",))
    assert (await reader.get(f"/v1/deliveries/{id}")).status == 200
    refused = await reader.post(f"/v1/deliveries/{id}/replay")
    assert (refused.status, refused.json["scope"]) == (403, "deliveries:write")
    assert (await writer.get("/v1/deliveries")).status == 403
    assert (await call(log.app, "GET", "/v1/deliveries")).status == 401


async def test_the_operator_names_the_project(log: Log) -> None:
    id, headers = await log.add(), {"authorization": f"Bearer {OPERATOR}"}
    answer = await call(log.app, "GET", f"/v1/deliveries?project={log.project}", headers=headers)
    assert [item["id"] for item in answer.json["items"]] == [str(id)]
    assert (await call(log.app, "GET", "/v1/deliveries", headers=headers)).status == 422


async def test_days_are_made_once_and_dropped_when_their_time_is_over(log: Log) -> None:
    days = [date(2026, 9, 1), date(2026, 9, 2)]
    store = PostgresDeliveries(log.deps.pool, DELIVERY_KINDS)
    async with store.session():
        await asyncio.gather(*(_ensure(log, days) for _ in range(3)))
        ended = await log.add(day=days[0])
        unfinished = await log.add(day=days[0], state="retrying", finished_at=None, due=NOW)
        kept = await log.add(day=days[1])
        await log.add_attempt(ended, 1, day=days[0])
        await drop_before(store, days[1])
        await drop_before(store, days[1])
        await store.close()
    assert await log.listed() == [str(kept)]
    assert (await log.get(f"/v1/deliveries/{unfinished}")).status == 404
    assert await log.deps.pool.fetchval("SELECT count(*) FROM attempt WHERE delivery_id = $1", ended) == 0


async def _ensure(log: Log, days: list[date]) -> None:
    async with PostgresDeliveries(log.deps.pool, DELIVERY_KINDS).session() as session:
        await session.ensure_days(days)
