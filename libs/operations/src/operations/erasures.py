"""Erasures once more: what a restore brought back of people who were erased since its backup goes again.

Who was erased is known in three places, of which a restore leaves one at least: the tables of flow-engine, those of the
dispatcher (both for 15 days), and the topic of the findings.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from aiokafka.errors import KafkaError

from contracts import findings
from contracts.cloudevents import TYPE_PREFIX, header
from operations.api import Api
from operations.errors import CommandError
from operations.installation import Installation
from operations.kafka import why
from operations.postgres import asked
from operations.restores import partitions_of
from servicekit.kafka.between import read_between
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record

KEPT = {
    "flow-engine": "SELECT contact_id::text FROM erasure WHERE same_as IS NULL",
    "dispatcher": "SELECT contact_id FROM erased_contact",
}
"""Service -> the contacts that it knows to be erased."""
_TYPE = f"{TYPE_PREFIX}contact.erased"
_WHOLE = (0, 1 << 62)


async def erased_contacts(here: Installation) -> set[str]:
    """The ids of all who are known to be erased. CommandError when a server does not answer."""
    cluster, found = here.kafka(), set[str]()
    for service, query in KEPT.items():
        async with asked(here.database(service), service, "did not tell who was erased") as connection:
            found |= {row["contact_id"] for row in await connection.fetch(query)}
    return found.union(told_in(await _findings(cluster)))


def told_in(records: Iterable[Record]) -> Iterable[str]:
    """The contacts that findings name as erased."""
    for record in records:
        try:
            yield str(orjson.loads(record.value or b"")["data"]["contact"]["id"])
        except (ValueError, KeyError, TypeError):
            continue  # The registry has put it to its dead letters.


async def erase_again(api: Api, contacts: Iterable[str]) -> tuple[int, int]:
    """Ask for each as whoever asked before: (how many are erased once more, how many nobody knows any more)."""
    known = unknown = 0
    for contact in contacts:
        if await api.delete_if_there(f"/v1/contacts/{contact}"):
            known += 1
        else:
            unknown += 1
    return known, unknown


async def _findings(cluster: Cluster) -> list[Record]:
    topic = findings.TOPIC.name
    try:
        parts = dict.fromkeys(range(await partitions_of(cluster, topic)), _WHOLE)
        return await read_between(cluster, topic, parts, lambda record: header(record.headers, "ce_type") == _TYPE)
    except (KafkaError, TimeoutError) as error:
        raise CommandError(f"Kafka at {cluster.servers} did not answer ({why(error)}).") from error
