"""The services' OpenAPI documents as schemathesis takes them."""

from __future__ import annotations

from typing import Any

import orjson
import schemathesis
from hypothesis import HealthCheck, Phase, settings

import dispatcher.web.openapi as dispatcher_openapi
import flow_engine.web.openapi as engine_openapi
import ingress.web.openapi as ingress_openapi
import registry.web.openapi as registry_openapi
from contracts.routes import Service
from registry.resources.kinds import RESOURCES
from servicekit.web.openapi import document
from support.every_app import WEBCHAT
from support.ingress_fakes import BOT, PROJECT, TRIGGER
from support.registry_api import ADMIN_TOKEN

OPERATIONS: dict[Service, Any] = {
    "ingress": ingress_openapi.OPERATIONS,
    "flow-engine": engine_openapi.OPERATIONS,
    "dispatcher": dispatcher_openapi.OPERATIONS,
    "registry": registry_openapi.operations(RESOURCES),
}
KNOWN = {"trigger": TRIGGER, "bot": BOT, "channel": WEBCHAT}
"""By the names of parameters of paths."""
RULED = ["2xx", "3xx", "400", "401", "403", "404", "409", "412", "413", "422", "429"]
"""What a request that fits the schemas may be answered: they do not tell all rules, such as whether a name is free."""
SHADOWED = [{"include-name": "POST /v1/flows/check", "checks": {"allow_header_conformance": {"enabled": False}}}]
"""Its path is also one of /v1/flows/{id}, whose methods are answered there, too."""
ALIKE = settings(
    deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate), database=None
)


@schemathesis.serializer("application/x-ndjson")
def _lines(context: Any, value: Any) -> bytes:
    """A body of one line."""
    return orjson.dumps(value) + b"\n"


def described(service: Service, *, coverage: bool) -> Any:
    """The schema of a service's document. `coverage`: with a request for each boundary of each schema."""
    config = {
        "checks": {"positive_data_acceptance": {"expected-statuses": RULED}},
        "phases": {"coverage": {"enabled": coverage}},
        "generation": {"with-security-parameters": False},
        "operations": SHADOWED,
    }
    made = schemathesis.Config.from_dict(config)
    return schemathesis.openapi.from_dict(_of_what_there_is(document(service, OPERATIONS[service])), config=made)


def _of_what_there_is(document: dict[str, Any]) -> dict[str, Any]:
    """Its paths lead to what the fakes have, where they have one: no other name gets past the look-up."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in KNOWN:
                    parameter["schema"] = {"enum": [KNOWN[parameter["name"]]]}
    return document


def call_arguments(url: str) -> dict[str, Any]:
    """Of a request by the operator, about one project."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    return {"base_url": url, "headers": headers, "params": {"project": PROJECT}, "timeout": 10}


def check(case: Any, url: str) -> None:
    """Send it, and hold the answer against the document."""
    case.call_and_validate(**call_arguments(url))
