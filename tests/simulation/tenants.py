"""Whose bots, flows and endpoints a run has: three projects, each with a bot on a channel of its own host."""

from __future__ import annotations

from typing import Any

import orjson
from bench.chaos.workload import counting

from contracts.registry import ApiCall, Bot, Channel, Endpoint, Flow, FlowVersion, Project
from servicekit.credentials.sealing import KeyRing
from simulation.receivers import BOTS, ONCE

KEK = "k1:" + "A" * 43 + "="
KEYS = KeyRing(KEK)
TENANTS = 3
QUICK, SLOW = "quick-", "slow-"
QUICK_CHATS, SLOW_CHATS = range(300, 400, TENANTS), range(402, 500, TENANTS)
"""People of two more bots of the first tenant: one's turns are made by quick code, the other's take up to seconds."""
OTHERS, OTHER_CHATS = 3, range(600, 700, TENANTS)
"""One more tenant, and its people; nobody spoils its hosts."""
PATIENT = (1, 2)
"""Tenants whose people wait for the answer before they say the next number: their flows wait between the two."""
SIGNING_SECRET = "whsec_" + "c2lnbmluZyBzZWNyZXQgb2YgdGhlIHByb2plY3Q="


COUNTING = counting(1)
"""Its turns are made in worker processes."""


def _with(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """The counting flow with a node between counting and answering."""
    nodes = COUNTING["nodes"]
    count = nodes["count"] | {"ports": {"next": name}}
    return COUNTING | {"nodes": nodes | {"count": count, name: node}}


def _answered(by: str) -> dict[str, str]:
    """The ports of a call, all to one node."""
    return dict.fromkeys(("ok", "error", "timeout"), by)


def _with_all(nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The counting flow with these between counting and answering, the first of them first."""
    made = _with(*next(iter(nodes.items())))
    return made | {"nodes": made["nodes"] | nodes}


def _way(name: str) -> dict[str, Any]:
    """Of a split: who went another way before is noted as `moved`."""
    kept = {"cel": f"has(user.way) && user.way != '{name}' ? 'moved' : '{name}'"}
    return {"type": "set", "values": {"user.way": kept}, "ports": {"next": "link"}}


COUNT_IN_CODE, COUNT_AGAIN = "(user.get('count') or 0) + 1", "1 + (user.get('count') or 0)"
"""Two sources for the same: the second one is run where the first one has failed."""
COUNTING_IN_CODE = COUNTING | {
    "nodes": COUNTING["nodes"]
    | {
        "count": {
            "type": "code", "source": COUNT_IN_CODE, "save_to": "user.count", "ports": {"next": "answer", "error": "again"},
        },
        "again": {"type": "code", "source": COUNT_AGAIN, "save_to": "user.count", "ports": {"next": "answer"}},
    }
}  # fmt: skip
GREETED = COUNTING | {
    "triggers": [*COUNTING["triggers"], {"id": "came", "type": "event", "name": "bot.subscribed", "to": "greet"}],
    "nodes": COUNTING["nodes"]
    | {"greet": {"type": "set", "values": {"user.greeted": {"cel": "has(user.greeted) ? user.greeted + 1 : 1"}}}},
}
"""What has happened begins a flow: whoever has come is counted."""
FLOWS = (
    GREETED,
    _with_all({
        "call": {"type": "call_api", "api": "look-up", "ports": _answered("ways")},
        "ways": {"type": "split", "branches": [{"weight": 1, "to": "one"}, {"weight": 1, "to": "other"}]},
        "one": _way("one"),
        "other": _way("other"),
        "link": {"type": "redirect", "url": "https://shop.example.com/", "save_to": "memory.link", "ports": {"next": "answer"}},
    }),
    _with_all({
        "errand": {
            "type": "call", "flow": "errand", "params": {"n": "{{ system.last_message }}"}, "save_to": "memory.told",
            "ports": {"next": "compare"},
        },
        "compare": {
            "type": "set", "values": {"user.astray": {"cel": "has(memory.told) && memory.told == system.last_message ? 0 : 1"}},
            "ports": {"next": "answer"},
        },
    }),
)  # fmt: skip
"""By tenant. The second one's people go one of two ways, always the same; the third one's flow calls another."""


GREETING = ("bot-0", f"bot-{OTHERS}")
"""Bots that have the first flow."""


def _sealed(value: str, project: str, entity: str, field: str) -> Any:
    return KEYS.seal(value.encode(), project=project, entity=entity, field=field)


def bot_host(tenant: int) -> str:
    """Where its channel's Bot API is."""
    return f"{BOTS}{tenant}.test"


def hook_host(tenant: int) -> str:
    """Where its endpoint is."""
    return f"hooks-{tenant}.test"


def api_host(tenant: int) -> str:
    """Where the API is that its flow calls."""
    return f"api-{tenant}.test"


def _errand(tenant: int) -> dict[str, Any]:
    """A flow that waits, makes a request that may not be made twice, and returns what it was called with."""
    request = {
        "type": "http_request",
        "method": "POST",
        "url": f"http://{api_host(tenant)}/",
        "ports": _answered("back"),
    }
    return {
        "schema": "flow/1", "slug": "errand", "name": "Errand", "start": "wait", "triggers": [],
        "nodes": {
            "wait": {"type": "delay", "for": "PT2S", "ports": {"next": "request"}},
            "request": request | {"json": {ONCE: "{{ user.id }} {{ memory.n }}"}},
            "back": {"type": "return", "value": "{{ memory.n }}"},
        },
    }  # fmt: skip


def is_patient(chat: str) -> bool:
    """Whether that person waits for the answer before saying the next number."""
    return int(chat) % TENANTS in PATIENT or int(chat) in SLOW_CHATS


def line_of(chat: str) -> tuple[str, str, str]:
    """Whom that person speaks to: (project, bot, channel)."""
    tenant = OTHERS if int(chat) in OTHER_CHATS else int(chat) % TENANTS
    prefix = QUICK if int(chat) in QUICK_CHATS else SLOW if int(chat) in SLOW_CHATS else ""
    return f"project-{tenant}", f"{prefix}bot-{tenant}", f"{prefix}tg-{tenant}"


def entities() -> list[Any]:
    """The registry of every run."""
    found = [entity for tenant in (*range(TENANTS), OTHERS) for entity in _of(tenant)]
    return [*found, *_bot(0, QUICK, COUNTING_IN_CODE), *_bot(0, SLOW, COUNTING)]


def _of(tenant: int) -> list[Any]:
    project = f"project-{tenant}"
    secret = _sealed(SIGNING_SECRET, project, project, "signing_secret")
    return [
        Project(id=project, name=project, slug=project, signing_secret=secret),
        *_bot(tenant, "", FLOWS[tenant % TENANTS]),
        FlowVersion(flow_id=f"errand-{tenant}", project_id=project, bot_id=f"bot-{tenant}", version=1, document=_errand(tenant)),
        Flow(id=f"errand-{tenant}", project_id=project, bot_id=f"bot-{tenant}", slug="errand", name="Errand", published=1),
        ApiCall(id=f"api-{tenant}", project_id=project, name="look-up", method="POST", url=f"http://{api_host(tenant)}/"),
        Endpoint(
            id=f"endpoint-{tenant}", project_id=project, name="all", url=f"http://{hook_host(tenant)}/hook", events=("message.sent",),
            ordered=tenant == 0, secrets=(_sealed(SIGNING_SECRET, project, f"endpoint-{tenant}", "secrets"),),
        ),
    ]  # fmt: skip


def _bot(tenant: int, prefix: str, document: dict[str, Any]) -> list[Any]:
    """A bot with its flow and channel."""
    project, bot, flow, channel = (f"project-{tenant}", *(f"{prefix}{name}-{tenant}" for name in ("bot", "flow", "tg")))
    number = ("", QUICK, SLOW).index(prefix) * (OTHERS + 1) + tenant
    credentials = orjson.dumps({"token": f"{number}:simulated", "secret_token": "s"}).decode()
    return [
        Bot(id=bot, project_id=project, name=bot),
        FlowVersion(flow_id=flow, project_id=project, bot_id=bot, version=1, document=document),
        Flow(id=flow, project_id=project, bot_id=bot, slug="counting", name="Counting", published=1),
        Channel(
            id=channel, project_id=project, bot_id=bot, type="telegram", name="Telegram", external_id=str(number),
            api_base_url=f"http://{bot_host(tenant)}", credentials=_sealed(credentials, project, channel, "credentials"),
        ),
    ]  # fmt: skip
