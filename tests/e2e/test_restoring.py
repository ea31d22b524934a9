"""One service's tables are put back as they were a while ago: what each choice of docs/how-to/operate.md repeats, and what it
leaves out, counted at the far ends."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
from bench.chaos.attack import assembled, rows_of
from bench.chaos.ear import GONE, HOOK, Ear, ear
from bench.chaos.operating import switchhook
from bench.chaos.readiness import names, nothing, until
from bench.chaos.restoring import dump, launch, read_in
from bench.chaos.workload import Crowd

from contracts import findings
from devstack.stack import TOPIC_PREFIX, Stack
from operations.api import Api
from operations.restores import Choice
from support.ground import Ground
from support.tables_of_people import holding
from support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.slow, pytest.mark.timeout(240)]
PEOPLE, BEFORE, SINCE = 12, 3, 2
"""How many say how much before the backup, and how much since."""
SECONDS = 60
TAKEN_OVER = "SELECT coalesce(sum(next_offset), 0) AS count FROM checkpoint WHERE topic = $1"
BOTS_OF = "SELECT DISTINCT bot_id AS bot FROM contact WHERE profile::text LIKE '%\"' || $1 || '\"%'"
UNFINISHED = "SELECT 1 FROM delivery WHERE project_id = $1 AND finished_at IS NULL LIMIT 1"


class Outcome(NamedTuple):
    """What comes of one choice. `missed`: what the command says was done since the backup, a type of record and how often.
    `repeated`: how often each message and webhook of then comes again. `forgotten`: how much of what was said is counted no more."""

    missed: tuple[str, int]
    repeated: int = 0
    forgotten: int = 0


TABLE: dict[tuple[str, Choice], Outcome] = {
    ("flow-engine", "again"): Outcome(("inbound.message", PEOPLE * SINCE)),
    ("flow-engine", "skip"): Outcome(("inbound.message", PEOPLE * SINCE), forgotten=SINCE),
    ("dispatcher", "again"): Outcome(("action.send_message", PEOPLE * SINCE), repeated=1),
    ("dispatcher", "skip"): Outcome(("action.send_message", PEOPLE * SINCE)),
}


@pytest.mark.parametrize(("service", "choice"), TABLE, ids=[" ".join(cell) for cell in TABLE])
async def test_a_restored_service_repeats_and_leaves_out_what_the_page_says(
    ground: Ground, tmp_path: Path, service: str, choice: Choice
) -> None:
    expected = TABLE[service, choice]
    async with people(ground.stack) as (crowd, far_end, api):
        await api.post(
            "/v1/endpoints", {"url": far_end.url + HOOK, "events": ["message.received"], "schedule": [1] * 10}
        )
        await say(ground.stack, crowd, far_end, BEFORE)
        await dump(ground.stack, service, tmp_path / "dump")
        await say(ground.stack, crowd, far_end, SINCE)
        told = await restored(ground.stack, service, choice, tmp_path / "dump")
        await say(ground.stack, crowd, far_end, 1)
    kind, count = expected.missed
    assert (kind, count) in [(name, int(number)) for number, name in re.findall(r"(\d+) ([\w.]+)", told)], told
    spoken = BEFORE + SINCE
    once = [f"{n}:{n}" for n in range(1, spoken + 1)]
    again = once[BEFORE:] * expected.repeated
    last = f"{spoken + 1}:{spoken + 1 - expected.forgotten}"
    for chat in map(str, crowd.chats):
        assert [text for who, text in far_end.heard if who == chat] == [*once, *again, last]
        for n in range(1, spoken + 2):
            times = 1 + (expected.repeated if BEFORE < n <= spoken else 0)
            assert list(far_end.told["message.received", f"P{chat}:{n}"].values()) == [times], n


@pytest.mark.parametrize(("choice", "state"), [("again", "disabled"), ("skip", "enabled")])
async def test_a_restored_registry_takes_over_what_was_found_since_or_leaves_it_out(
    ground: Ground, tmp_path: Path, choice: Choice, state: str
) -> None:
    """An endpoint answered 410 since the backup: the registry had disabled it."""
    async with people(ground.stack, 1) as (crowd, far_end, api):
        url = far_end.url + GONE
        made = await api.post("/v1/endpoints", {"url": url, "events": ["message.received"], "schedule": [1]})

        async def state_is(wanted: str) -> bool:
            return bool((await api.get(f"/v1/endpoints/{made['id']}"))["state"] == wanted)

        await dump(ground.stack, "registry", tmp_path / "dump")
        await say(ground.stack, crowd, far_end, 1)
        await eventually(lambda: state_is("disabled"), seconds=SECONDS)
        taken_over = await findings_taken_over(ground.stack)
        await restored(ground.stack, "registry", choice, tmp_path / "dump")

        async def is_as_far() -> bool:
            return await findings_taken_over(ground.stack) >= taken_over

        await eventually(is_as_far, seconds=SECONDS)
        assert await state_is(state)


@pytest.mark.parametrize("choice", ["again", "skip"])
async def test_who_was_erased_since_the_backup_is_erased_in_what_was_restored(
    ground: Ground, tmp_path: Path, choice: Choice
) -> None:
    """Both services that know the person are restored: with `skip` the page's command erases again."""
    stack, services = ground.stack, ("flow-engine", "dispatcher")
    async with people(stack, 1) as (crowd, far_end, api):
        await say(stack, crowd, far_end, BEFORE)
        name = f"P{crowd.chats[0]}"
        (bot,) = {line["bot"] for line in await rows_of(stack, "flow-engine", BOTS_OF, name)}
        async with Api(stack.base_url, stack.secrets.admin_token) as operator:
            (person,) = (await operator.get(f"/v1/contacts?bot={bot}"))["items"]
        for service in services:
            await dump(stack, service, tmp_path / service)
        job = (await api.delete(f"/v1/contacts/{person['id']}"))["job"]["id"]
        await eventually(lambda: is_done(api, job), seconds=SECONDS)
        for service in services:
            await restored(stack, service, choice, tmp_path / service)
        if choice == "skip":
            assert (await api.get(f"/v1/contacts/{person['id']}"))["name"] == name
            assert "erased once more" in await operated(stack, "erasures", "again")
        await eventually(lambda: is_done(api, job), seconds=SECONDS)
        for service, schema in (("flow-engine", "flow_engine"), ("dispatcher", "dispatcher")):
            async with asyncpg.create_pool(stack.dsn(service), min_size=1, max_size=1) as pool:
                assert await holding(pool, schema, name) == set()


async def is_done(api: Api, job: str) -> bool:
    return bool((await api.get(f"/v1/contacts/erasures/{job}"))["job"]["status"] == "done")


async def operated(stack: Stack, *words: str) -> str:
    """What `switchhook-ops` answers, with the settings that docs/reference/settings.md lists."""
    settings = {
        "SWITCHHOOK_KAFKA": stack.bootstrap_servers,
        TOPIC_PREFIX: stack.cluster.topic_prefix,
        "SWITCHHOOK_ADMIN_TOKEN": stack.secrets.admin_token,
        "SWITCHHOOK_FLOW_ENGINE_URL": stack.service("flow-engine").base_url,
        "SWITCHHOOK_DATABASE_FLOW_ENGINE": stack.dsn("flow-engine"),
        "SWITCHHOOK_DATABASE_DISPATCHER": stack.dsn("dispatcher"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operations.cli", *words, env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def findings_taken_over(stack: Stack) -> int:
    """How many findings the registry has taken over or left out: the sum of its positions."""
    rows = await rows_of(stack, "registry", TAKEN_OVER, findings.TOPIC.name)
    return int(rows[0]["count"])


@asynccontextmanager
async def people(stack: Stack, count: int = PEOPLE) -> AsyncIterator[tuple[Crowd, Ear, Api]]:
    """Who count aloud to bots of a project of their own, where they are answered, and the project's API."""
    async with (
        ear() as far_end,
        assembled(stack, far_end, 2, count) as crowd,
        Api(stack.base_url, stack.secrets.admin_token, crowd.project) as api,
    ):
        yield crowd, far_end, api


async def say(stack: Stack, crowd: Crowd, far_end: Ear, numbers: int) -> None:
    """Each says so many more; returns once all is answered and the dispatcher has saved that."""
    await crowd.say_more(numbers)
    await eventually(lambda: crowd.all_answered(far_end.heard), seconds=SECONDS)

    async def finished() -> bool:
        return not await rows_of(stack, "dispatcher", UNFINISHED, crowd.project)

    await eventually(finished, seconds=SECONDS)


async def restored(stack: Stack, service: str, choice: Choice, backup: Path) -> str:
    """Put its tables back and decide; what the command says there is to decide."""
    replicas = [each for each in stack.services.values() if each.service == service]
    await asyncio.gather(*(each.stop() for each in replicas))
    await read_in(stack, service, backup)
    await launch(replicas)
    assert await until(stack, names(f"accept-restore {service}"), SECONDS) is not None
    words = ("checkpoints", "accept-restore", service)
    told = await switchhook(stack, *words, service=service)
    await switchhook(stack, *words, choice, service=service)
    assert await until(stack, nothing, SECONDS) is not None
    return told
