"""The commands of docs/how-to/dead-letters.md, each with an id that there is, and those of operate.md on a restored database and
on logs that do not fit, as they stand there, on the whole stack."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest
from bench.chaos.attack import SERVICES

from contracts import actions, inbound
from contracts.cloudevents import headers, now_text
from contracts.groups import GROUPS
from contracts.topics import TOPICS
from devstack.service import Service, service_of
from flow_engine.state.ids import conversation_id
from flow_engine.store import held
from servicekit.kafka.committed import read_committed
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing, Record
from support.ground import Ground
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
PAGE = (Path(__file__).parents[2] / "docs/how-to/dead-letters.md").read_text()
OPERATE = (Path(__file__).parents[2] / "docs/how-to/operate.md").read_text()
DECIDED = re.findall(r"(?m)^switchhook-ops (checkpoints .*)$", OPERATE)
COMMANDS = re.findall(r"(?m)^switchhook-ops (.*)$", PAGE)
SHOWN = re.compile(r"flow-engine\.\d+\.\d+|[0-9a-f]{8}-[0-9a-f-]{27}")
KEY = "no-bot/no-channel/nobody"


async def switchhook(ground: Ground, verb: str, *arguments: str) -> str:
    """What the command prints."""
    stack = ground.stack
    service = stack.service({"dlq": "registry", "held": "flow-engine"}[verb])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operations.cli", verb, *arguments, "--url", service.base_url,
        env={"SWITCHHOOK_ADMIN_TOKEN": stack.secrets.admin_token}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def as_shown(command: str, id: str, position: str = "") -> list[str]:
    """A command of the page with this id, and this position, in place of its own."""
    words = SHOWN.sub(id, command).split()
    return [position if words[number - 1] == "--position" else word for number, word in enumerate(words)]


@pytest.mark.seconds(120)  # Each command is a process of its own.
async def test_dead_letters_are_listed_shown_released_and_discarded(ground: Ground) -> None:
    about = headers(id="odd", type="inbound.message", source="test", time=now_text())
    publisher = KafkaPublisher(ground.stack.cluster, client_id="test")
    await publisher.start()
    await publisher.publish(Outgoing(inbound.TOPIC.name, KEY.encode(), b"not json", about))
    await publisher.stop()
    lists, show, release, discard = [command for command in COMMANDS if command.startswith("dlq ")]

    async def listed(count: int) -> list[str]:
        lines = (await switchhook(ground, *lists.split())).splitlines()
        ours = [line for line in lines if "  not-json  " in line and "  odd  " in line]
        assert len(ours) == count
        return [line.split()[0] for line in ours]

    (id,) = await eventually(lambda: listed(1))
    assert orjson.loads(await switchhook(ground, *as_shown(show, id)))["value"] == "not json"
    assert await switchhook(ground, *as_shown(release, id)) == f"released {id}\n"
    (again,) = await eventually(lambda: listed(1))
    assert again != id
    assert await switchhook(ground, *as_shown(discard, again)) == f"discarded {again}\n"
    assert await listed(0) == []


@pytest.mark.seconds(120)  # Each command is a process of its own.
async def test_held_conversations_are_listed_shown_released_and_discarded(ground: Ground) -> None:
    """The rows are laid down as a failing event leaves them."""
    id = conversation_id(KEY)
    body = inbound.TimerFired(
        project_id="p", bot_id="no-bot", channel_id="no-channel", peer_id="nobody", received_at=now_text(),
        timer_id="6b1c2c64-0000-5000-8000-000000000001", wait="w",
    )  # fmt: skip
    about = headers(id="6b1c2c64-0000-5000-8000-000000000002", type="inbound.timer", source="test", time=now_text())
    record = Record(inbound.TOPIC.name, 0, 1, 1_700_000_000_000, KEY.encode(), body.encode(), tuple(about))
    connection = await asyncpg.connect(ground.stack.dsn("flow-engine"))
    try:
        for error in ("KeyError: a bug", None):
            await connection.execute(held.HOLD, *held.HELD.arrays([held.row(record, KEY, error)]))
    finally:
        await connection.close()
    lists, show, release, discard = [command for command in COMMANDS if command.startswith("held ")]
    assert f"{id}  2 events" in await switchhook(ground, *lists.split())
    shown = orjson.loads(await switchhook(ground, *as_shown(show, id)))
    assert [event["error"] for event in shown["items"]] == ["KeyError: a bug", None]
    position = str(shown["items"][1]["position"])
    assert "discarded 1 events" in await switchhook(ground, *as_shown(discard, id, position))
    assert f"released {id}: 1 events" in await switchhook(ground, *as_shown(release, id))

    async def is_free() -> bool:
        assert id not in await switchhook(ground, *lists.split())
        return True

    assert await eventually(is_free)


RESTORED = "SELECT setval('age', 1)"
"""As in a backup: the dispatcher was younger then."""


@pytest.mark.seconds(120)  # Each command is a process of its own.
async def test_a_database_from_a_backup_waits_for_the_operators_word(ground: Ground) -> None:
    stack = ground.stack
    replicas = [stack.service(name) for name in SERVICES if service_of(name) == "dispatcher"]
    dispatcher, dsn = replicas[0], stack.dsn("dispatcher")

    async def has_worked() -> bool:
        group = GROUPS["dispatcher"][actions.TOPIC.name]
        said = await read_committed(stack.cluster, group, actions.TOPIC.name)
        return any(each.number > 1 for each in said.values())

    await eventually(has_worked, seconds=20)
    await asyncio.gather(*(each.stop() for each in replicas))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(RESTORED)
    finally:
        await connection.close()
    for each in replicas:
        await each.launch()
    await eventually(lambda: said_of(dispatcher), seconds=45)
    look, skip = [line.partition("#")[0].split() for line in DECIDED]
    env = {"SWITCHHOOK_KAFKA": stack.bootstrap_servers, "SWITCHHOOK_DATABASE": dsn}
    env |= {"SWITCHHOOK_TOPIC_PREFIX": stack.cluster.topic_prefix}
    assert "deliveries that the backup has as unfinished" in await run_with(env, *look)
    assert not await dispatcher.is_ready()
    assert "unfinished deliveries of the backup are discarded" in await run_with(env, *skip)
    for each in replicas:
        await each.wait_ready()
    assert "is as new as what it has done" in await run_with(env, *look)


ACCEPTED = [
    line.partition("#")[0].split() for line in re.findall(r"(?m)^switchhook-ops (topics accept-loss .*)$", OPERATE)
]
CUT_OFF = """
UPDATE checkpoint SET next_offset = next_offset + 1000000, last_id = NULL
 WHERE topic LIKE '%events.v1' OR (topic LIKE '%actions.v1' AND part < 2)
"""
"""As after logs have lost their ends."""


@pytest.mark.seconds(120)  # Each command is a process of its own.
async def test_losses_are_accepted_in_one_partition_in_a_topic_and_in_all(ground: Ground) -> None:
    """The commands of the page, the smallest first."""
    stack = ground.stack
    replicas = [stack.service(name) for name in SERVICES if service_of(name) == "dispatcher"]
    await asyncio.gather(*(each.stop() for each in replicas))
    connection = await asyncpg.connect(stack.dsn("dispatcher"))
    try:
        await connection.execute(CUT_OFF)
    finally:
        await connection.close()
    env = {"SWITCHHOOK_KAFKA": stack.bootstrap_servers, "SWITCHHOOK_DATABASE": stack.dsn("dispatcher")}
    env |= {"SWITCHHOOK_TOPIC_PREFIX": stack.cluster.topic_prefix}
    told = [(await run_with(env, *words)).splitlines() for words in reversed(ACCEPTED)]
    events = len([each for each in TOPICS if each.name == "switchhook.events.v1" for _ in range(each.partitions)])
    assert [len(lines) for lines in told] == [1, 1, events]
    assert all("the end of the log that was cut off" in line for lines in told for line in lines)
    for each in replicas:
        await each.launch()
    for each in replicas:
        await each.wait_ready()


async def test_tokens_are_listed_with_when_they_expire(ground: Ground) -> None:
    url = ("--url", ground.stack.service("registry").base_url)
    env = {"SWITCHHOOK_ADMIN_TOKEN": ground.stack.secrets.admin_token}
    project = (await run_with(env, "project", "create", "Tokens", *url)).strip()
    of = ("--project", project, *url)
    await run_with(env, "token", "create", "owner", "--scope", "admin", *of)
    await run_with(env, "token", "create", "guest", "--scope", "data:read", "--expires-at", "2099-01-01T00:00:00Z", *of)
    listed = (await run_with(env, "token", "list", *of)).splitlines()
    assert sorted(line.split("  ", 1)[1] for line in listed) == [
        "guest  data:read  expires 2099-01-01T00:00:00.000Z",
        "owner  admin  expires never",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("token list --project nothing", "404"),
        ("token create t --project nothing --scope admin", "404"),
        ("token create t --project nothing --scope everything", "422"),
        ("token revoke nothing --project nothing", "404"),
        ("dlq show nothing", "404"),
        ("dlq release nothing", "404"),
    ],
)
async def test_what_the_api_refuses_is_said_with_exit_code_1(ground: Ground, words: str, said: str) -> None:
    token = ground.stack.secrets.admin_token
    code, output, errors = await outcome(
        {"SWITCHHOOK_ADMIN_TOKEN": token}, *words.split(), "--url", ground.stack.service("registry").base_url
    )
    assert (code, output, token in errors, "Traceback" in errors) == (1, "", False, False)
    assert f"was answered {said}: " in errors


async def said_of(service: Service) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            answer = await client.get(f"{service.base_url}/health/ready")
        except httpx.TransportError:
            return False
    assert "accept-restore dispatcher" in answer.text, answer.text
    return answer.status_code == 503


async def run_with(env: Mapping[str, str], *arguments: str) -> str:
    """What the command prints, with nothing but this environment."""
    code, output, errors = await outcome(env, *arguments)
    assert code == 0, errors
    return output


async def outcome(env: Mapping[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, and what it prints and says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "operations.cli", *arguments,
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()
