"""Kafka: the topics as they are meant, what an acknowledged record survives, how far each group is, and the disks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from aiokafka import TopicPartition

from contracts.groups import BRIDGE, GROUPS
from contracts.topics import TOPICS
from operations.installation import Installation
from operations.report import Check
from operations.topic_plan import INSYNC, Difference, Found, differences
from operations.topics import asked, by_name, found
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.log_dirs import LogDir, log_dirs

MUCH_LAG = 10_000
"""Records that a group may be behind before somebody should look."""
LEAST_FREE = 0.15
"""Share of a broker's disk."""


async def topic_checks(here: Installation) -> AsyncIterator[Check]:
    """What differs from contracts, beside topics that are missing, and what a record survives."""
    cluster = here.kafka()
    async with asked(cluster, "read") as admin:
        wanted = by_name(cluster, TOPICS)
        present = await found(admin, wanted)
    for each in of_plan(differences(wanted, present, here.layout), here.command):
        yield each
    for each in survives(present):
        yield each


def of_plan(said: Iterable[Difference], command: str) -> Iterator[Check]:
    """A line for each thing that differs; what is kept on purpose is fine. `command`: what has the verbs."""
    for each in said:
        kept = each.verb == "alter --force" or (each.verb == "none" and each.what == "partitions")
        if each.what != "topic":
            yield Check(
                f"{each.topic}: {each.what} is {each.found}, {each.meant} is meant",
                kept,
                each.then.replace("`topics ", f"`{command} topics "),
            )


def survives(topics: Mapping[str, Found]) -> Iterator[Check]:
    """What an acknowledged record survives, of the topic that has it worst; and what takes that away."""
    for name, topic in topics.items():
        if _insync(topic) > topic.replicas:
            advice = f"set {INSYNC} of it to {topic.replicas} at most: nothing can be written to it"
            yield Check(f"{name}: {INSYNC} is {_insync(topic)} and it has replicas: {topic.replicas}", False, advice)
        if topic.replicas > 1 and topic.settings.get("unclean.leader.election.enable") == "true":
            advice = "set unclean.leader.election.enable=false: a replica that lacks acknowledged records may lead"
            yield Check(f"{name}: acknowledged records can be lost when brokers end", False, advice)
    if topics:
        worst = min(topics.values(), key=lambda topic: (min(_insync(topic), topic.replicas), topic.replicas))
        yield Check(_words(min(_insync(worst), worst.replicas), worst.replicas), fine=True)


def _insync(topic: Found) -> int:
    return int(topic.settings.get(INSYNC, "1"))


def _words(insync: int, replicas: int) -> str:
    if replicas == 1:
        return "one copy of each record: it survives the end of a process, not the loss of its machine"
    lost, less = f"{insync - 1} of its machines", f"with {replicas - insync} brokers less"
    survived = f"survives the loss of {lost}" if insync > 1 else "may survive no machine"
    return (
        f"an acknowledged record {survived} ({insync} of {replicas} replicas have it), and Kafka takes records {less}"
    )


async def lag_checks(here: Installation) -> AsyncIterator[Check]:
    """How many records each group is behind the ends of its logs, by what Kafka was told of its position."""
    cluster = here.kafka()
    for service, groups in {**GROUPS, "ingress": BRIDGE}.items():
        for topic, group in groups.items():
            behind = await lag_of(cluster, group, topic)
            advice = f"see `{here.command} top`, and give {service} more replicas, at most one for each partition"
            yield Check(f"{service} is {behind} records behind in {topic}", behind < MUCH_LAG, advice)


async def lag_of(cluster: Cluster, group: str, topic: str) -> int:
    """Of one group and topic, all partitions together; one that nobody has ever read counts for nothing."""
    name = cluster.named(topic)
    async with asked(cluster, "asked how far they are read") as admin:
        told = await admin.list_consumer_group_offsets(cluster.named(group))
    read = {place: at.offset for place, at in told.items() if place.topic == name and at.offset >= 0}
    ends = await _ends(cluster, list(read)) if read else {}
    return sum(max(ends[place] - at, 0) for place, at in read.items())


async def _ends(cluster: Cluster, places: list[TopicPartition]) -> Mapping[TopicPartition, int]:
    async with asked(cluster, "asked for their ends"):
        consumer = make_consumer(cluster, client_id="switchhook-operator")
        try:
            await consumer.start()
            found: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
        finally:
            await consumer.stop()
    return found


async def disk_checks(here: Installation) -> AsyncIterator[Check]:
    """The room on each broker's disks, as it tells it."""
    async with asked(here.kafka(), "asked for their disks") as admin:
        try:
            disks = await log_dirs(admin)
        except NotImplementedError:  # Of a broker that is too old to tell.
            return
    for disk in disks:
        yield of_disk(disk)


def of_disk(disk: LogDir) -> Check:
    """Whether enough of it is free."""
    what = f"broker {disk.broker}: {gigabytes(disk.free)} of {gigabytes(disk.total)} free in {disk.path}, its logs take {gigabytes(disk.used)}"
    advice = "give it a larger disk, or its topics less retention.ms; never delete files of a log"
    return Check(what, disk.free >= disk.total * LEAST_FREE, advice)


def gigabytes(count: int) -> str:
    """Bytes, for reading."""
    return f"{count / 1e9:.1f} GB"
