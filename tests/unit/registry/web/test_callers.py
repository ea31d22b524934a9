"""Who calls the registry: what a bearer text costs its database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from contracts.registry import Token
from contracts.routes import ROWS
from registry.web import callers
from registry.web.callers import STRANGERS_AT_ONCE, Callers
from servicekit.credentials.tokens import generate_token
from servicekit.database import Database
from servicekit.web.auth import Caller
from servicekit.web.problems import ProblemError
from support.registry_api import ADMIN_TOKEN

ROW = ROWS["GET /v1/bots"]


class Table:
    """A pool with one table of tokens: what was asked, and how many asked at once."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        self.asked = self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Table]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            yield self
        finally:
            self.at_once -= 1

    async def fetchrow(self, statement: str, kind: str, sha256: str) -> dict[str, Any] | None:
        self.asked += 1
        found, now = self.tokens.get(sha256), datetime.now(UTC)
        data = found and found.model_dump_json()
        return data and {"data": data, "extra": "{}", "version": 1, "created_at": now, "updated_at": now}

    def made(self) -> tuple[str, str]:
        """A new token of the table, and its digest."""
        new = generate_token()
        self.tokens[new.sha256] = Token(id=new.id, project_id="p", name="t", sha256=new.sha256, scopes=("admin",))
        return new.text, new.sha256


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def who(table: Table) -> Callers:
    pool: Any = table
    return Callers(Database("registry", pool), SecretStr(ADMIN_TOKEN))


async def prove(who: Callers, text: str) -> Caller:
    headers = [(b"authorization", b"Bearer " + text.encode())]
    scope = {"type": "http", "headers": headers, "client": None, "query_string": b""}
    return await who.prove(ROW, Request(scope))


async def refused(who: Callers, text: str) -> int:
    with pytest.raises(ProblemError) as refusal:
        await prove(who, text)
    return refusal.value.status


@pytest.mark.parametrize(
    "text",
    ["nonsense", "swh_short", generate_token().text[:-1] + "_", "x" * 10_000],
    ids=["a word", "too short", "a wrong checksum", "too long"],
)
async def test_a_text_without_a_tokens_form_costs_no_query(who: Callers, table: Table, text: str) -> None:
    assert (await refused(who, text), table.asked) == (401, 0)


async def test_the_operator_costs_no_query(who: Callers, table: Table) -> None:
    assert ((await prove(who, ADMIN_TOKEN)).is_operator, table.asked) == (True, 0)


async def test_a_token_is_asked_for_each_time_and_refused_once_it_is_gone(who: Callers, table: Table) -> None:
    text, sha256 = table.made()
    assert [(await prove(who, text)).project for _ in range(3)] == ["p"] * 3
    del table.tokens[sha256]
    assert [await refused(who, text) for _ in range(3)] == [401] * 3
    assert table.asked == 4


async def test_an_unknown_token_costs_one_query(who: Callers, table: Table) -> None:
    text = generate_token().text
    assert [await refused(who, text) for _ in range(5)] == [401] * 5
    assert table.asked == 1


async def test_strangers_share_a_few_connections_and_hold_nobody_up(who: Callers, table: Table) -> None:
    good, _ = table.made()
    await prove(who, good)
    table.gate.clear()
    asking = [asyncio.create_task(refused(who, generate_token().text)) for _ in range(50)]
    known = asyncio.create_task(prove(who, good))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert table.at_once == STRANGERS_AT_ONCE + 1
    table.gate.set()
    assert set(await asyncio.gather(*asking)) == {401}
    assert (await known).project == "p"


async def test_more_strangers_than_may_wait_are_told_to_come_again(
    who: Callers, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "STRANGERS_WAITING", 3)
    table.gate.clear()
    asking = [asyncio.create_task(refused(who, generate_token().text)) for _ in range(5)]
    await asyncio.sleep(0)
    table.gate.set()
    assert sorted(await asyncio.gather(*asking)) == [401] * 3 + [503] * 2


async def test_what_is_remembered_is_bounded(who: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REMEMBERED", 10)
    for _ in range(50):
        await refused(who, generate_token().text)
    assert len(who._unknown_until) <= 10
