"""An installation of the release before is upgraded under load, runs mixed in every way that the docs promise, and goes back.

People count aloud all along; at each stage the whole story is told besides. In the end every number was answered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench.chaos.attack import Log, Run, assembled, counts, settle, taken_twice
from bench.chaos.checker import judge
from bench.chaos.ear import Ear, ear
from bench.chaos.readiness import said

from operations.api import Api
from support.fake_telegram import fake_telegram
from support.reached import reached
from support.receiver import receiver
from support.story import Story
from support.waiting import eventually
from upgrade.mixed import REPLICAS, Mixed
from upgrade.releases import HERE, Code, NoHistory, installed, last_release

BOTS, CHATS, PAUSE_SECONDS = 6, 24, 0.5
ANSWERED = 2 * CHATS
"""New answers within a stage: each person was heard in it, give or take."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Code:
    try:
        commit = last_release()
    except NoHistory as error:
        pytest.skip(str(error))
    return installed(commit, tmp_path_factory.mktemp("release"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_an_upgrade_and_the_way_back_lose_and_repeat_nothing(old: Code, tmp_path: Path) -> None:
    log = Log()
    async with Mixed(tmp_path, old, report=log) as stack, ear() as far_end:
        for instance in REPLICAS:
            await stack.add_service(instance, python=old.python)
        async with assembled(stack, far_end, BOTS, CHATS) as crowd:
            crowd.pause = PAUSE_SECONDS
            run = Run(stack, crowd, far_end, 0, None, log)
            async with speaking(run):
                await there_and_back(stack, far_end)
            crowd.ended = True
            await settle(run)
            waiting = await what_waits(stack)
            verdict = judge(crowd.accepted, far_end.heard, await counts(stack, crowd), await taken_twice(stack, crowd))
    print(f"from {old.root.name}: {verdict.figures()}; crashes {log.crashes}")
    assert verdict.sound, verdict.examples
    assert waiting == {"/v1/dlq": [], "/v1/held": []}
    assert (verdict.wire_duplicates, log.crashes) == (0, 0)


async def there_and_back(stack: Mixed, far_end: Ear) -> None:
    old = stack.old

    async def works(stage: str) -> None:
        """The story comes out as it should, and people are answered meanwhile."""
        before = len(far_end.heard)
        await tell_story(stack)
        await eventually(lambda: len(far_end.heard) >= before + ANSWERED, seconds=60)
        print(f"{stage}: the story was told, {len(far_end.heard) - before} answers meanwhile")

    await works("the release before")
    newcomers = await newcomers_wait(stack)
    await works("new replicas beside old ones, on old tables")
    await stack.upgraded()
    await stack.wait_ready(*newcomers)
    await works("old and new replicas side by side, on new tables")
    for each in newcomers:
        await stack.remove_service(each)
    await works("the release before, on new tables and topics")
    await stack.replace(HERE, "dispatcher", "ingress")
    await works("new dispatcher and ingress, old engine and registry")
    await stack.replace(HERE, "flow-engine")
    await works("new dispatcher, ingress and engine, old registry")
    await stack.replace(HERE, "registry")
    await release_letters(stack)
    await works("the new release")
    await stack.replace(old, "dispatcher")
    await works("old dispatcher, new engine")
    await stack.replace(old, "registry")
    await works("old dispatcher and registry, new engine and ingress")
    await stack.replace(old, "flow-engine", "ingress")
    await works("the release before again, on new tables and topics")


async def release_letters(stack: Mixed) -> None:
    """What old engines could not read, as docs/how-to/operate.md says: they are no more."""
    async with Api(stack.service("registry").base_url, stack.secrets.admin_token) as api:
        for letter in (await api.get("/v1/dlq"))["items"]:
            assert (letter["service"], letter["code"]) == ("flow-engine", "unknown-type")
            await api.post(f"/v1/dlq/{letter['id']}/release", {})


async def newcomers_wait(stack: Mixed) -> list[str]:
    """A new engine and a new dispatcher on tables that are not migrated do no work, and say what they wait for."""
    newcomers = ["flow-engine-3", "dispatcher-3"]
    for each in newcomers:
        await stack.add_service(each, wait=False)

    async def all_say_it() -> bool:
        now = await said(stack)
        behind = [each for each in newcomers if each.rpartition("-")[0] in stack.behind]
        return all("migrate" in now.get(each, "") for each in behind)

    await eventually(all_say_it, seconds=30)
    print(f"before the migrations: {await said(stack)}")
    return newcomers


async def what_waits(stack: Mixed) -> dict[str, list[object]]:
    """Dead letters and held conversations."""
    found = {}
    for path, service in (("/v1/dlq", "registry"), ("/v1/held", "flow-engine")):
        async with Api(stack.service(service).base_url, stack.secrets.admin_token) as api:
            found[path] = (await api.get(path))["items"]
    return found


async def tell_story(stack: Mixed) -> None:
    async with fake_telegram() as telegram, receiver() as shop:
        await Story(reached(stack), telegram, shop, lambda line: None).tell()


@asynccontextmanager
async def speaking(run: Run) -> AsyncIterator[None]:
    """People count aloud till the end of the block."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run.crowd.count_until(over))
        try:
            yield
        finally:
            over.set()
