"""Where an installation is: its Kafka, a DSN for each service that keeps rows, its services' ports and its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from operations.errors import CommandError
from operations.layout import Layout
from operations.services import OWNERS

if TYPE_CHECKING:
    from servicekit.kafka.cluster import Cluster


def nothing(_service: str) -> Mapping[str, str]:
    """No settings beside those of this process."""
    return {}


@dataclass(frozen=True)
class Installation:
    """What is known of an installation; empty where nothing is.

    `dsns`: service -> the DSN of its role. `urls`: replica or service -> its own port's base URL (health, metrics and
    what the gateway does not route). `admin_dsn`: one that may make databases and
    roles. `dashboards_dsn`: that of the role with which dashboards read. `gateway`: the base URL of the public API. `token`: the operator's. `kek`: the registry's SWITCHHOOK_KEK. `environment`:
    service -> settings that it has beside those of this process. `when_away`: what to do about a server that does not answer.
    `layout`: how its topics are meant to lie on the brokers. `command` is what its operator types, `how` how what is missing
    is named.
    """

    command: str
    how: str
    cluster: Cluster | None = None
    dsns: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    admin_dsn: str = ""
    dashboards_dsn: str = ""
    gateway: str = ""
    token: str = ""
    kek: str = ""
    when_away: str = "Ask once more when it answers"
    layout: Layout = field(default_factory=Layout)
    environment: Callable[[str], Mapping[str, str]] = nothing

    def kafka(self, servers: str | None = None) -> Cluster:
        """The broker that an option named, or the installation's; None: the verb has no such option. CommandError when there
        is none."""
        cluster = broker(servers) if servers else self.cluster
        if cluster is None:
            raise CommandError(f"It is not known where Kafka is: {self.how}{_or('--kafka', servers)}.")
        return cluster

    def database(self, service: str, dsn: str | None = None) -> str:
        """The DSN that an option named, or that of the service's role; None: the verb has no such option. CommandError when
        there is none."""
        if service not in OWNERS:
            raise CommandError(f"{service} is no service with a database: choose one of {', '.join(sorted(OWNERS))}.")
        found = dsn or self.dsns.get(service, "")
        if not found:
            raise CommandError(
                f"It is not known where the database of {service} is: {self.how}{_or('--database', dsn)}."
            )
        return found

    def url_of(self, service: str) -> str:
        """The base URL of one replica of a service; empty when none is known."""
        return next((url for name, url in self.urls.items() if name == service), "")


def _or(option: str, given: str | None) -> str:
    return "" if given is None else f", or give {option}"


def broker(servers: str, **given: Any) -> Cluster:
    """A broker that somebody runs; login and TLS come from SWITCHHOOK_KAFKA_…, as for a service.

    CommandError when these settings do not go together.
    """
    from pydantic import ValidationError  # Later than the module: `--help` needs none of it.

    from servicekit.settings import KafkaSettings, refusal

    try:
        return KafkaSettings(kafka=servers, **given).cluster
    except ValidationError as error:
        raise CommandError(f"{refusal(error)}.") from error


Find = Callable[[], Installation]
"""Gives the installation that a command is about. CommandError when what names it is wrong."""


def installation(context: typer.Context) -> Installation:
    """The one that the command is about, found now: a verb that needs none does not ask."""
    find: Find = context.obj
    return find()
