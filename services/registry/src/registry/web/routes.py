"""Which handler answers which row of the route table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import orjson
from starlette.requests import Request
from starlette.responses import Response

from flowlang.language.schema import node_types
from registry.kafka.channel_checks import ChannelChecks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.resources import channels
from registry.resources.resource import AnyResource
from registry.web import actions, dead_letters, flow_imports, flow_layouts, project_topics
from registry.web.api import Api, Handler
from registry.web.crud import crud
from registry.web.dead_letters import Letters


def handlers(
    api: Api, calls: DispatcherCalls, letters: Letters, resources: Sequence[AnyResource]
) -> dict[str, Handler]:
    """All handlers of the registry, by the names of their rows."""
    checks = ChannelChecks(api.writes, calls, api.site)
    found: dict[str, Handler] = {
        **actions.project_handlers(api),
        **project_topics.handlers(api),
        **actions.token_handlers(api),
        **actions.agent_handlers(api),
        **actions.endpoint_handlers(api),
        **actions.flow_handlers(api),
        **flow_imports.handlers(api),
        **flow_layouts.handlers(api),
        **actions.trigger_handlers(api),
        **actions.outgoing_handlers(api, calls, checks),
        **dead_letters.handlers(api, letters),
        "GET /v1/node-types": list_node_types,
    }
    for resource in resources:
        found |= crud(api, resource, checks.after_create if resource is channels.RESOURCE else None)
    return found


@cache
def node_types_json() -> bytes:
    """The answer of `list_node_types`: the installed packages do not change while the process runs."""
    return orjson.dumps({"items": node_types()})


async def list_node_types(request: Request) -> Response:
    """What editors build their forms from."""
    return Response(node_types_json(), media_type="application/json")
