"""Every Kafka client is made here, from a `Cluster`: consumers, producers and admins, of services and of devstack.

tests/unit/servicekit/test_one_place_makes_kafka_clients.py holds everybody to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import (
    connections,
    decoding,
    fetching,
    instance_names,
    missing_topics,
    repeated_lines,
    wire_format,
)

FETCH_BYTES = 2 * 1024 * 1024
"""Of one fetch, all partitions together. A larger record comes alone (Kafka always gives the first one whole)."""

decoding.install()
wire_format.install()
connections.install()
fetching.install()
missing_topics.install()
instance_names.install()
repeated_lines.install()


def make_consumer(
    cluster: Cluster,
    *,
    client_id: str,
    group: str | None = None,
    instance: str | None = None,
    session_timeout: float = 30.0,
    read_committed: bool = False,
    one_partition: bool = False,
) -> AIOKafkaConsumer:
    """A consumer without topics yet: `subscribe` (with a group) or `assign` it, both to the topics' names on the cluster.

    `one_partition`: it will be assigned a single one; see fetching.OnePartitionConsumer.

    Yields `Record`s, whose topic is without the prefix; commits nothing itself.
    Never resets an offset by itself: a position outside the log raises OffsetOutOfRangeError from `getmany`.
    """
    session_ms = int(session_timeout * 1000)
    made = fetching.OnePartitionConsumer if one_partition else fetching.Consumer
    return made(
        **_access(cluster),
        client_id=client_id,
        group_id=None if group is None else cluster.named(group),
        group_instance_id=instance,
        value_deserializer=decoding.AsRecords(cluster),
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=max(session_ms // 6, 100),
        rebalance_timeout_ms=max(session_ms, 10_000),
        max_poll_interval_ms=2**31 - 1,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed" if read_committed else "read_uncommitted",
        fetch_max_wait_ms=fetching.WAIT_MS,
        consumer_timeout_ms=5_000,  # How often the fetcher looks round although nothing has told it to.
        max_partition_fetch_bytes=FETCH_BYTES // 8,
        fetch_max_bytes=FETCH_BYTES,
        request_timeout_ms=15_000,
        metadata_max_age_ms=30_000,
        retry_backoff_ms=100,
    )


def make_producer(cluster: Cluster, *, transactional_id: str | None = None, **more: Any) -> AIOKafkaProducer:
    """An idempotent producer; a record counts as written once all replicas have it. `more`: aiokafka's own parameters.

    Topics have to be given by their names on the cluster, `transactional_id` without the prefix.
    """
    return AIOKafkaProducer(
        **_access(cluster),
        transactional_id=None if transactional_id is None else cluster.named(transactional_id),
        enable_idempotence=True,
        acks="all",
        **more,
    )


@contextlib.asynccontextmanager
async def admin_of(cluster: Cluster, *, request_timeout: float = 40.0) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. Raises KafkaError when no broker lets it in."""
    admin = AIOKafkaAdminClient(**_access(cluster), request_timeout_ms=int(request_timeout * 1000))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _access(cluster: Cluster) -> dict[str, Any]:
    """What every kind of client is told about the cluster."""
    protocol = ("SASL_" if cluster.login else "") + ("SSL" if cluster.tls else "PLAINTEXT")
    access: dict[str, Any] = {"bootstrap_servers": cluster.servers, "security_protocol": protocol}
    if cluster.tls is not None:
        access["ssl_context"] = cluster.tls
    if cluster.login is not None:
        access |= {
            "sasl_mechanism": cluster.login.mechanism,
            "sasl_plain_username": cluster.login.user,
            "sasl_plain_password": cluster.login.password.get_secret_value(),
        }
    return access
