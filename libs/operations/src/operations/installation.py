"""Where an installation is: its Kafka, a DSN for each service that keeps rows, its services' ports and its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from pydantic import SecretStr, ValidationError

from operations.errors import CommandError
from operations.services import MODULES, OWNERS
from servicekit.kafka.cluster import Cluster
from servicekit.settings import KafkaSettings, refusal


def nothing(_service: str) -> Mapping[str, str]:
    """No settings beside those of this process."""
    return {}


@dataclass(frozen=True)
class Installation:
    """What is known of an installation; empty where nothing is.

    `dsns`: service -> the DSN of its role. `urls`: replica or service -> its own port's base URL (health, metrics and
    what the gateway does not route). `gateway`: the base URL of the public API. `token`: the operator's. `environment`:
    service -> settings that it has beside those of this process. `when_away`: what to do about a server that does not answer. `command` is what its operator types, `how` how what
    is missing is named.
    """

    command: str
    how: str
    cluster: Cluster | None = None
    dsns: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    gateway: str = ""
    token: str = ""
    when_away: str = "Ask once more when it answers"
    environment: Callable[[str], Mapping[str, str]] = nothing

    def kafka(self, servers: str = "") -> Cluster:
        """The broker that an option named, or the installation's. CommandError when there is none."""
        cluster = broker(servers) if servers else self.cluster
        if cluster is None:
            raise CommandError(f"It is not known where Kafka is: {self.how}, or give --kafka.")
        return cluster

    def database(self, service: str, dsn: str = "") -> str:
        """The DSN that an option named, or that of the service's role. CommandError when there is none."""
        if service not in OWNERS:
            raise CommandError(f"{service} keeps no checkpoint: choose one of {', '.join(sorted(OWNERS))}.")
        found = dsn or self.dsns.get(service, "")
        if not found:
            raise CommandError(f"It is not known where the database of {service} is: {self.how}, or give --database.")
        return found

    def url_of(self, service: str) -> str:
        """The base URL of one replica of a service; empty when none is known."""
        return next((url for name, url in self.urls.items() if name == service), "")


def broker(servers: str, **given: Any) -> Cluster:
    """A broker that somebody runs; login and TLS come from SWITCHHOOK_KAFKA_…, as for a service.

    CommandError when these settings do not go together.
    """
    try:
        return KafkaSettings(kafka=servers, **given).cluster
    except ValidationError as error:
        raise CommandError(f"{refusal(error)}.") from error


def installation(context: typer.Context) -> Installation:
    """The one that the command is about: the application that runs it has found it."""
    found = context.find_object(Installation)
    if found is None:
        raise TypeError("the application that has this command names no installation")
    return found


class OperatorSettings(KafkaSettings):
    """What the environment of `switchhook-ops` says. Environment: `SWITCHHOOK_` + the field's name, or a file of that name in
    SWITCHHOOK_SECRETS_DIR."""

    kafka: str = ""
    """Bootstrap servers, `host:port` separated by commas."""
    database_registry: SecretStr | None = None
    """PostgreSQL DSN of the registry's role."""
    database_flow_engine: SecretStr | None = None
    """PostgreSQL DSN of flow-engine's role."""
    database_dispatcher: SecretStr | None = None
    """PostgreSQL DSN of the dispatcher's role."""
    registry_url: str = ""
    """The registry's own port, without a trailing slash; of a name with several addresses each is a replica. Likewise the next three."""
    flow_engine_url: str = ""
    dispatcher_url: str = ""
    ingress_url: str = ""
    url: str = ""
    """Where the gateway is reached. Without it the registry's own port is asked."""
    admin_token: SecretStr | None = None
    """The operator's token, not its digest."""


def from_environment() -> Installation:
    """That of `switchhook-ops`. CommandError when settings do not go together."""
    try:
        settings = OperatorSettings()
        cluster = settings.cluster if settings.kafka else None
    except ValidationError as error:
        raise CommandError(f"{refusal(error)}.") from error
    dsns = {service: getattr(settings, f"database_{schema}") for service, schema in OWNERS.items()}
    urls = {service: getattr(settings, f"{module}_url").rstrip("/") for service, module in MODULES.items()}
    return Installation(
        command="switchhook-ops",
        how="set the variables that docs/reference/settings.md lists for switchhook-ops",
        cluster=cluster,
        dsns={service: dsn.get_secret_value() for service, dsn in dsns.items() if dsn},
        urls={service: url for service, url in urls.items() if url},
        gateway=(settings.url or settings.registry_url).rstrip("/"),
        token=settings.admin_token.get_secret_value() if settings.admin_token else "",
    )
