"""Who is erased while a broadcast is walked: not told, and counted without a row."""

from __future__ import annotations

import asyncio

from flow_engine.store import broadcast_walk
from flow_engine.store.broadcast_walk import Step
from support.broadcasts import Sender, outcomes
from support.waiting import eventually


async def test_who_is_erased_is_not_told_and_leaves_a_number(sender: Sender) -> None:
    for peer in ("Ann", "Ben", "Cleo"):
        await sender.says(peer)
        sender.world.at_ms += 1000
    told = await sender.until(await sender.make())
    made = await sender.make(rate=0.5)
    await sender.begin(1)  # Cleo is on the way, Ben and Ann come later.
    on_the_way, sender.world.waiting = sender.world.waiting, []
    for one in (await sender.http.get("/v1/contacts", params={"bot": sender.bot})).json()["items"][:2]:
        assert (await sender.http.delete(f"/v1/contacts/{one['id']}")).status_code == 202
    sender.world.waiting += on_the_way
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast SET rate = 500 WHERE id = $1", made["id"])
        await connection.execute("UPDATE broadcast_walk SET paced_at = now() WHERE broadcast = $1", made["id"])
    done = await sender.until(made)
    assert (outcomes(done), done["counts"]["reasons"]) == ({"started": 1, "skipped": 1}, {"skipped": {"erased": 1}})
    assert (len(await sender.recipients(made)), len(await sender.recipients(told))) == (1, 1)
    assert outcomes(await sender.shown(told)) == {"started": 3}
    assert await sender.heard("Ann") == ["Ann: Exams"] * 2


async def test_who_is_erased_while_the_walk_notes_them_leaves_no_row(sender: Sender) -> None:
    await sender.says("Ann")
    made = await sender.make()
    (ann,) = (await sender.http.get("/v1/contacts", params={"bot": sender.bot})).json()["items"]
    async with sender.pool.acquire() as connection, connection.transaction():
        noted = Step(ann["id"], "skipped", "blocked", None, None, is_new=True)
        await broadcast_walk.note(connection, made["id"], [noted])
        erasing = asyncio.create_task(sender.http.delete(f"/v1/contacts/{ann['id']}"))
        await eventually(lambda: _is_waited_for(sender))
    assert (await erasing).status_code == 202
    assert await sender.recipients(made) == []


async def _is_waited_for(sender: Sender) -> bool:
    async with sender.pool.acquire() as connection:
        found = await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(found)
