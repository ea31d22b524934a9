"""A bot with a million contacts beside one with a thousand: does a page cost what a page costs? And lines of an import a second."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import aiohttp
import asyncpg
import orjson

from bench import inbox
from bench.measure import CpuMeter, median, report
from bench.rig import Rig, rig

FEW, MANY = 1_000, 1_000_000
CHUNK = 50_000
RARE, RARELY = "rare", 500
"""A label that one of so many contacts of the large bot has, and each of the small one's at the same distance."""
ROUNDS = 60
FILL = """
INSERT INTO contact (id, project_id, bot_id, external_id, email, profile, tags, flags, created_at)
SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7000' || '8000' || lpad(to_hex(n + $5), 12, '0'))::uuid, $1, $2, 'c-' || n,
       'person' || n || '@example.com', jsonb_build_object('name', 'Person ' || n),
       CASE WHEN n % 500 = 0 THEN '{common,rare}' ELSE '{common}' END::text[],
       CASE WHEN n % 2 = 0 THEN '{paid}' ELSE '{}' END::text[], now()
  FROM generate_series($3::bigint, $4::bigint) n
"""
PAGES: dict[str, str] = {
    "list": "limit=50",
    "tag": "tag=common&limit=50",
    "rare tag": "tag=rare&limit=2",
    "flag": "flag=paid&limit=50",
    "search": "q=person&limit=50",
    "search, two words": "q=person%20100&limit=1",
}
"""What is asked of both bots: the same number of contacts comes back."""


async def fill(bench: Rig, bot: str, count: int, offset: int) -> None:
    """Contacts of a bot, as imports would have made them."""
    connection = await asyncpg.connect(bench.stack.dsn("flow-engine"), server_settings={"search_path": "flow_engine"})
    try:
        for first in range(1, count + 1, CHUNK):
            await connection.execute(FILL, bench.project, bot, first, min(first + CHUNK - 1, count), offset)
        for table in ("contact", "contact_term"):
            await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
    finally:
        await connection.close()


Ask = Callable[[str], Awaitable[int]]
"""A bot's id -> how many contacts came."""
EXPORTED = 1_000
"""Lines that are read of an export: all that the small bot has."""


async def page_ms(ask: Ask, few: str, many: str) -> tuple[float, float]:
    """Medians for the small bot and the large one, asked in turn; the answers have the same number of contacts."""
    took: dict[str, list[float]] = {few: [], many: []}
    for number in range(ROUNDS + 5):
        for bot in (few, many) if number % 2 else (many, few):
            begun = time.perf_counter()
            await ask(bot)
            if number >= 5:
                took[bot].append((time.perf_counter() - begun) * 1000)
    if (small := await ask(few)) != (large := await ask(many)):
        raise SystemExit(f"{small} contacts of the small bot and {large} of the large one")
    return median(took[few]), median(took[many])


async def page(session: aiohttp.ClientSession, url: str, bot: str) -> int:
    async with session.get(f"{url}&bot={bot}") as answer:
        answer.raise_for_status()
        return len(orjson.loads(await answer.read())["items"])


async def exported(session: aiohttp.ClientSession, url: str, bot: str) -> int:
    """The first lines; who has read them goes away."""
    async with session.get(f"{url}bot={bot}") as answer:
        answer.raise_for_status()
        count = 0
        async for _ in answer.content:
            count += 1
            if count == EXPORTED:
                break
        return count


async def inbox_ms(
    bench: Rig, session: aiohttp.ClientSession, other: str, count: int
) -> dict[str, tuple[float, float]]:
    """The same for the agents' inbox, with as many conversations of each bot as it has contacts, and for its stream's look."""
    made = await bench.api.post("/v1/channels", {"bot": other, "type": "webchat", "name": "small"})
    channels = {other: str(made["id"]), bench.bot: bench.channel}
    granted = await bench.api.post("/v1/tokens", {"name": "inbox", "scopes": ["agents:chat"]})
    headers = {"authorization": f"Bearer {granted['token']}"}
    base = bench.stack.service("flow-engine").base_url + "/v1/conversations"

    async def ask(query: str, bot: str) -> int:
        async with session.get(base + query.format(bot=bot, channel=channels[bot]), headers=headers) as answer:
            answer.raise_for_status()
            return len(orjson.loads(await answer.read())["items"])

    connection = await asyncpg.connect(bench.stack.dsn("flow-engine"), server_settings={"search_path": "flow_engine"})
    try:
        for bot, conversations in ((other, FEW), (bench.bot, count)):
            await inbox.fill(connection, bench.project, bot, channels[bot], conversations)
        pages = {name: await page_ms(partial(ask, query), other, bench.bot) for name, query in inbox.PAGES.items()}
        return pages | {"a stream's look": await inbox.look_ms(connection, other, bench.bot)}
    finally:
        await connection.close()


def line(number: int) -> bytes:
    """A new contact of an import."""
    told = {"external_id": f"i-{number}", "name": f"Ann Lee {number}", "email": f"ann{number}@example.com"}
    return orjson.dumps(told | {"tags": ["imported"], "variables": {"points": number}}) + b"\n"


async def lines_a_second(session: aiohttp.ClientSession, url: str, count: int) -> float:
    """Of an import of new contacts, from the first byte to the last report."""

    async def body() -> AsyncIterator[bytes]:
        for first in range(1, count + 1, 500):
            yield b"".join(map(line, range(first, min(first + 500, count + 1))))

    begun = time.perf_counter()
    async with session.post(url, data=body()) as answer:
        last = b""
        async for told in answer.content:
            last = told
    took = time.perf_counter() - begun
    if orjson.loads(last) != {"lines": count, "failed": 0}:
        raise SystemExit(f"the import ended with {last!r}")
    return count / took


async def main(contacts: int, lines: int) -> None:
    async with rig({"registry": {}, "flow-engine": {}}) as bench:
        other = str((await bench.api.post("/v1/bots", {"name": "small"}))["id"])
        third = str((await bench.api.post("/v1/bots", {"name": "imported"}))["id"])
        await fill(bench, other, FEW, MANY * 2)
        await fill(bench, bench.bot, contacts, 0)
        made = await bench.api.post("/v1/tokens", {"name": "data", "scopes": ["data:read", "data:write"]})
        headers = {"authorization": f"Bearer {made['token']}"}
        base = bench.stack.service("flow-engine").base_url + "/v1/contacts"
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=None)) as session:
            pages = {
                name: await page_ms(partial(page, session, f"{base}?{query}"), other, bench.bot)
                for name, query in PAGES.items()
            }
            export = partial(exported, session, f"{base}/export?")
            pages[f"export, {EXPORTED} lines"] = await page_ms(export, other, bench.bot)
            pages |= await inbox_ms(bench, session, other, contacts)
            meter = CpuMeter.start(bench.pids())
            rate = await lines_a_second(session, f"{base}/import?bot={third}", lines)
            cpu = meter.ms_per_event(lines)
    ratios = {name: round(many / few, 3) for name, (few, many) in pages.items()}
    report(
        "contacts",
        ms={name: {"few": round(few, 2), "many": round(many, 2)} for name, (few, many) in pages.items()},
        ratios=ratios,
        ratio=max(ratios.values()),
        cpu_ms_per_line=cpu,
        import_lines_per_s=round(rate),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=MANY, help="of the large bot")
    parser.add_argument("--lines", type=int, default=50_000, help="of the import")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.contacts, arguments.lines))
