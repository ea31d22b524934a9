"""Whose bots, flows and endpoints a run has: three projects, each with a bot on a channel of its own host."""

from __future__ import annotations

from typing import Any

import orjson
from bench.chaos.workload import COUNTING

from contracts.registry import ApiCall, Bot, Channel, Endpoint, Flow, FlowVersion, Project
from servicekit.credentials.sealing import KeyRing

KEK = "k1:" + "A" * 43 + "="
KEYS = KeyRing(KEK)
TENANTS = 3
PATIENT = (1, 2)
"""Tenants whose people wait for the answer before they say the next number: their flows wait between the two."""
SIGNING_SECRET = "whsec_" + "c2lnbmluZyBzZWNyZXQgb2YgdGhlIHByb2plY3Q="


def _with(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """The counting flow with a node between counting and answering."""
    nodes = COUNTING["nodes"]
    counting = nodes["count"] | {"ports": {"next": name}}
    return COUNTING | {"nodes": nodes | {"count": counting, name: node}}


ANSWERED = dict.fromkeys(("ok", "error", "timeout"), "answer")
FLOWS = (
    COUNTING,
    _with("call", {"type": "call_api", "api": "look-up", "ports": ANSWERED}),
    _with("wait", {"type": "delay", "for": "PT2S", "ports": {"next": "answer"}}),
)
"""By tenant."""


def _sealed(value: str, project: str, entity: str, field: str) -> Any:
    return KEYS.seal(value.encode(), project=project, entity=entity, field=field)


def bot_host(tenant: int) -> str:
    """Where its channel's Bot API is."""
    return f"bots-{tenant}.test"


def hook_host(tenant: int) -> str:
    """Where its endpoint is."""
    return f"hooks-{tenant}.test"


def api_host(tenant: int) -> str:
    """Where the API is that its flow calls."""
    return f"api-{tenant}.test"


def entities() -> list[Any]:
    """The registry of every run."""
    return [entity for tenant in range(TENANTS) for entity in _of(tenant)]


def _of(tenant: int) -> list[Any]:
    project, bot, flow, channel = f"project-{tenant}", f"bot-{tenant}", f"flow-{tenant}", f"tg-{tenant}"
    credentials = orjson.dumps({"token": f"{tenant}:simulated", "secret_token": "s"}).decode()
    secret = _sealed(SIGNING_SECRET, project, project, "signing_secret")
    return [
        Project(id=project, name=project, slug=project, signing_secret=secret),
        Bot(id=bot, project_id=project, name=bot),
        FlowVersion(flow_id=flow, project_id=project, bot_id=bot, version=1, document=FLOWS[tenant]),
        Flow(id=flow, project_id=project, bot_id=bot, slug="counting", name="Counting", published=1),
        ApiCall(id=f"api-{tenant}", project_id=project, name="look-up", method="POST", url=f"http://{api_host(tenant)}/"),
        Channel(
            id=channel, project_id=project, bot_id=bot, type="telegram", name="Telegram", external_id=str(tenant),
            api_base_url=f"http://{bot_host(tenant)}", credentials=_sealed(credentials, project, channel, "credentials"),
        ),
        Endpoint(
            id=f"endpoint-{tenant}", project_id=project, name="all", url=f"http://{hook_host(tenant)}/hook", events=("message.sent",),
            ordered=tenant == 0, secrets=(_sealed(SIGNING_SECRET, project, f"endpoint-{tenant}", "secrets"),),
        ),
    ]  # fmt: skip
