"""Where a stack's Kafka is and how it is reached: our own broker asks nobody who he is, another one may."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from devstack.errors import StackError
from servicekit.kafka.cluster import Cluster
from servicekit.settings import KafkaSettings, refusal


def own_broker(servers: str, topic_prefix: str) -> Cluster:
    """The embedded broker, whatever the environment says of another one."""
    return Cluster(servers, topic_prefix)


def other_broker(servers: str, **given: Any) -> Cluster:
    """A broker that somebody else runs; login and TLS come from SWITCHHOOK_KAFKA_…, as for a service.

    StackError when these settings do not go together.
    """
    try:
        return KafkaSettings(kafka=servers, **given).cluster
    except ValidationError as error:
        raise StackError(f"{refusal(error)}.") from error
