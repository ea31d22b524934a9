"""The installation that the environment of `switchhook-ops` names."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationError

from operations.errors import CommandError
from operations.installation import Installation
from operations.layout import Layout
from operations.services import MODULES, OWNERS
from servicekit.settings import KafkaSettings, refusal


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
    database_admin: SecretStr | None = None
    """PostgreSQL DSN that may make databases and roles; `setup` alone needs it."""
    database_dashboards: SecretStr | None = None
    """PostgreSQL DSN of the role with which dashboards read, `switchhook_dashboards`; `setup` makes it. None: nobody reads."""
    registry_url: str = ""
    """The registry's own port, without a trailing slash; of a name with several addresses each is a replica. Likewise the next three."""
    flow_engine_url: str = ""
    dispatcher_url: str = ""
    ingress_url: str = ""
    url: str = ""
    """Where the gateway is reached. Without it the registry's own port is asked."""
    admin_token: SecretStr | None = None
    """The operator's token, not its digest."""
    kek: SecretStr | None = None
    """The registry's; `doctor` and `rotate-kek` take the keys' ids from it, and nothing else."""
    topic_replicas: int = Field(default=3, ge=1)
    """Copies of each partition of a topic that is made."""
    topic_min_insync: int = Field(default=2, ge=1)
    """How many of them have to have a record before it counts as written; where a topic has fewer replicas, as many as those."""
    topic_partitions: int | None = Field(default=None, ge=1)
    """Partitions of inbound, actions and events alike; none: as reference/topics.md says. `topics grow` alone changes it later."""


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
        admin_dsn=settings.database_admin.get_secret_value() if settings.database_admin else "",
        dashboards_dsn=settings.database_dashboards.get_secret_value() if settings.database_dashboards else "",
        gateway=(settings.url or settings.registry_url).rstrip("/"),
        layout=Layout(settings.topic_replicas, settings.topic_min_insync, settings.topic_partitions),
        token=settings.admin_token.get_secret_value() if settings.admin_token else "",
        kek=settings.kek.get_secret_value() if settings.kek else "",
    )
