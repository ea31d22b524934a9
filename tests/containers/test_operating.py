"""What an operator does to an installation, as docs/how-to/deploy.md has it, while a shop goes on ordering."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import httpx
import pytest

from containers.bases import OFFICIAL, is_stand_in
from containers.composed import SERVICES, Composed
from containers.page import commands, sections
from containers.podman import size_of
from containers.telling import storyteller
from devstack.images import IMAGES
from support.story import PERSON, Story
from support.waiting import eventually

LARGEST_BYTES = 250_000_000
"""Of an image, unpacked, its base included."""
GRACE_SECONDS = 40
VERBS = (
    "setup", "migrate", "rotate-kek", "top --times 1", "topics plan", "topics create", "topics alter", "acls show", "acls apply",
    "checkpoints accept-restore registry", "checkpoints accept-restore flow-engine", "checkpoints accept-restore dispatcher",
    "dlq list", "held list", "erasures again", "project create Verbs", "project list", "doctor",
)  # fmt: skip
"""Those that change nothing of an installation that is well."""
ORDERS_A_SECOND = 5


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_small(installation: Composed, name: str) -> None:
    whole, base = size_of(f"localhost/switchhook/{name}:{version('switchhook-contracts')}"), size_of(OFFICIAL["python"])
    kind = "the stand-in" if is_stand_in(OFFICIAL["python"]) else "the official base"
    print(f"{name}: {whole / 1e6:.0f} MB unpacked, {base / 1e6:.0f} MB of it {kind}")
    assert whole <= LARGEST_BYTES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_stops_in_time_and_starts_soon(installation: Composed, service: str) -> None:
    begun = time.monotonic()
    installation.compose(f"stop {service}")
    stopped = time.monotonic()
    assert installation.state(service)["ExitCode"] == 0, "it was not killed"
    installation.compose(f"start {service}")
    installation.wait_healthy(service)
    print(f"{service}: stopped in {stopped - begun:.1f} s, healthy {time.monotonic() - stopped:.1f} s after its start")
    assert stopped - begun < GRACE_SECONDS


def test_a_service_that_stands_still_is_told(installation: Composed) -> None:
    process = installation.state("ingress")["Pid"]
    os.kill(process, signal.SIGSTOP)
    try:
        assert not installation.healthy("ingress")
    finally:
        os.kill(process, signal.SIGCONT)
    installation.wait_healthy("ingress")


def test_the_operators_verbs_work(installation: Composed) -> None:
    """In their image, which has less than the services' images."""
    # A second time where a server was busy for a moment: the answer says to send the request again.
    script = "; ".join(f'echo "+ {verb}"; switchhook-ops {verb} || switchhook-ops {verb}' for verb in VERBS)
    said = installation.compose(f"run --rm --no-deps --entrypoint sh setup -euc '{script}; echo all done'")
    assert said.rstrip().endswith("all done"), said


async def test_an_upgrade_loses_and_repeats_nothing(installation: Composed) -> None:
    async with ordering(installation):
        said = await asyncio.to_thread(installation.sh, commands("Upgrade"), installation.checkout, 1800)
        assert "ok   registry" in said
    for service in SERVICES:
        assert f"VERSION={installation.image(service).rpartition(':')[2]}/" in commands("Upgrade")
        assert installation.state(service)["ExitCode"] == 0


async def test_a_password_is_changed_while_orders_come(installation: Composed) -> None:
    before = installation.secret("kafka_dispatcher")
    async with ordering(installation):
        await asyncio.to_thread(installation.sh, commands("Change a password"))
    assert installation.secret("kafka_dispatcher") != before


async def test_a_database_of_yesterday_is_restored(installation: Composed) -> None:
    """What came after the backup is decided as the page says; after that all is well, and orders are told once."""
    async with storyteller(installation) as story:
        await begin(story)
        backup, restore, decide, erase = sections()["Back up, restore"]
        await asyncio.to_thread(installation.sh, backup)
        await tell_of(story, ["B-1", "B-2"])
        said = await asyncio.to_thread(installation.sh, restore)
        print(said)
        await asyncio.to_thread(installation.sh, decide)
        await asyncio.to_thread(installation.sh, "./smoke.sh")
        assert "people are erased once more" in await asyncio.to_thread(installation.sh, erase)
        await tell_of(story, ["B-3"])
        assert {each: count for each, count in told(story).items() if count > 1} == {}


@asynccontextmanager
async def ordering(place: Composed) -> AsyncIterator[None]:
    """A shop orders all along the block; at its end the person was told of each order that was accepted, once."""
    async with storyteller(place) as story:
        await begin(story)
        over = asyncio.Event()
        shop = asyncio.create_task(order_until(over, story))
        try:
            yield
        finally:
            over.set()
            orders = await shop
        await eventually(lambda: set(told(story)) >= set(orders), seconds=60)
        counts = told(story)
        print(f"{len(orders)} orders meanwhile, each told once")
        assert {each: counts[each] for each in orders if counts[each] != 1} == {}


async def begin(story: Story) -> None:
    """Up to where the person has talked to the bot, so that the shop may start flows."""
    for chapter in (story.the_author_sets_up, story.the_shop_is_refused, story.the_person_reserves):
        await chapter()


async def order_until(over: asyncio.Event, story: Story) -> list[str]:
    """Orders, a few a second, each asked again until it is accepted; their ids."""
    orders: list[str] = []
    while not over.is_set():
        orders.append(f"U-{len(orders):04}.")
        await order(story, orders[-1])
        await asyncio.sleep(1 / ORDERS_A_SECOND)
    return orders


async def order(story: Story, order_id: str) -> None:
    """One order, as a careful shop places it: what went wrong is asked again under the same key."""
    place, trigger = story.place, story.setting.trigger
    body = trigger["body_example"] | {"peer_id": str(PERSON), "variables": {"order_id": order_id}}

    async def accepted() -> bool:
        try:
            async with httpx.AsyncClient(verify=place.tls, trust_env=False, timeout=30) as client:
                answer = await client.post(trigger["url"], json=body, headers={"idempotency-key": order_id})
        except httpx.TransportError:
            return False
        assert answer.status_code in (200, 202, 502, 503), answer.text
        return answer.is_success

    await eventually(accepted, seconds=60, every=0.2)


async def tell_of(story: Story, orders: list[str]) -> None:
    """Place orders and wait until the person was told."""
    for each in orders:
        await order(story, f"{each}.")
    await eventually(lambda: set(told(story)) >= {f"{each}." for each in orders}, seconds=60)


def told(story: Story) -> Counter[str]:
    """Order -> how many messages name it."""
    words = (word for text in story.heard() for word in text.split())
    return Counter(word for word in words if word[:2] in ("U-", "B-"))
