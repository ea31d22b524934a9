"""From arrived records to a batch, and from a handler's commit to what is written. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts import actions, cloudevents
from contracts.topic import RECORD_LIMIT
from servicekit.checkpoints.fence import CheckpointMove, Hold, Seen, is_repeat, note
from servicekit.kafka.publisher import check_sizes
from servicekit.kafka.records import Outgoing, Record, dead_letter, examine, pack_outgoing, record_id
from servicekit.loop.batches import Batch, Commit, DeadRecord
from servicekit.loop.partitions import Partition

MAX_BYTES = 8 * 1024 * 1024
_ORDINALS = [(cloudevents.SOURCE_INDEX, b"%d" % ordinal) for ordinal in range(256)]


@dataclass(slots=True)
class Portion:
    """One partition's records of a batch. `fresh` are those for the handler; `seen` are the marks after all of them."""

    partition: Partition
    hold: Hold
    records: list[Record]
    fresh: list[Record] = field(default_factory=list)
    repeats: list[Record] = field(default_factory=list)
    dead: list[DeadRecord] = field(default_factory=list)
    seen: Seen | None = None
    """None when no record names a source."""

    def sort_out(self) -> Portion:
        """Tell repeats and unreadable headers from what the handler gets."""
        for record in self.records:
            source, problem = examine(record)
            if problem is not None:
                self.dead.append(DeadRecord(record, "bad-header", problem))
                continue
            if source is not None:
                if self.seen is None:
                    self.seen = dict(self.hold.seen)
                if is_repeat(self.seen, source):
                    self.repeats.append(record)
                    continue
                note(self.seen, source)
            self.fresh.append(record)
        return self

    def shortened(self, fresh: int) -> Portion:
        """The same, up to the record before the one that is number `fresh` for the handler."""
        stop = self.fresh[fresh].offset
        kept = [record for record in self.records if record.offset < stop]
        return Portion(self.partition, self.hold, kept).sort_out()


def cut(partitions: Iterable[Partition], max_records: int) -> list[Portion]:
    """What there is to apply now, at most so many records; a record that has to go alone makes a batch of its own."""
    portions: list[Portion] = []
    room, room_bytes = max_records, MAX_BYTES
    for partition in partitions:
        if room <= 0 or room_bytes <= 0:
            break
        if not partition.may_take() or partition.hold is None:
            continue
        records = partition.peek(room, room_bytes)
        alone = records[0].offset <= partition.alone_until
        if alone and portions:
            continue
        portions.append(Portion(partition, partition.hold, records).sort_out())
        if alone:
            break
        room -= len(records)
        room_bytes -= partition.size_of_first(len(records))
    return portions


def goes_alone(portions: list[Portion]) -> bool:
    """Whether this is one record whose batch failed before."""
    return len(portions) == 1 and portions[0].records[0].offset <= portions[0].partition.alone_until


def batch_of(portions: list[Portion]) -> Batch:
    """What the handler sees."""
    return Batch(
        records=[record for portion in portions for record in portion.fresh],
        epochs={portion.hold.part: portion.hold.epoch for portion in portions},
        repeats=frozenset((record.partition, record.offset) for portion in portions for record in portion.repeats),
    )


def covered(portions: list[Portion], applied: int | None) -> list[Portion]:
    """The portions as far as the handler has applied them: `applied` records, None for all."""
    if applied is None:
        return portions
    kept: list[Portion] = []
    for portion in portions:
        if applied >= len(portion.fresh):
            kept.append(portion)
            applied -= len(portion.fresh)
            continue
        if applied > 0 and (part := portion.shortened(applied)).records:
            kept.append(part)
        break
    return kept


class Stamps:
    """Adds to each record its source: topic, partition and offset, and its ordinal (guarantees.md 2.5)."""

    def __init__(self, topic: str) -> None:
        self._topic = (cloudevents.SOURCE_TOPIC, topic.encode())

    def stamped(
        self, record: Record, outgoing: list[Outgoing], same_partitions: set[str], incarnation: str | None = None
    ) -> list[Outgoing]:
        """The records with source headers; `incarnation` is the id of the topic that `record` is in. Those with their cause's key go to its partition number, where the topic
        has as many (`same_partitions`): it is the same, and murmur2 costs more than the rest of this together."""
        offset = (cloudevents.SOURCE_OFFSET, b"%d" % record.offset)
        partition = (cloudevents.SOURCE_PARTITION, b"%d" % record.partition)
        log = [] if incarnation is None else [(cloudevents.SOURCE_INCARNATION, incarnation.encode())]
        made = []
        for ordinal, (topic, key, value, headers, chosen) in enumerate(outgoing):
            if chosen is None and key == record.key and key is not None and topic in same_partitions:
                chosen = record.partition
            number = _ORDINALS[ordinal] if ordinal < 256 else (cloudevents.SOURCE_INDEX, b"%d" % ordinal)
            source = [self._topic, partition, offset, number, *log, *headers]
            made.append(Outgoing(topic, key, value, source, chosen))
        return made


@dataclass(slots=True)
class Prepared:
    """All that a batch writes besides the handler's own rows. `records`: partition -> what goes to Kafka, in order."""

    moves: list[CheckpointMove]
    records: dict[int, list[Outgoing]]

    def writes_actions(self) -> bool:
        """Whether anything goes to `actions`."""
        return any(has_actions(records) for records in self.records.values())


def has_actions(records: Iterable[Outgoing]) -> bool:
    """Whether one of them goes to `actions`."""
    return any(record.topic == actions.TOPIC.name for record in records)


def prepare(service: str, portions: list[Portion], commit: Commit, stamps: Stamps, same: set[str]) -> Prepared:
    """One move and one outbox row per partition. Raises TooLarge for a record that Kafka would refuse (guarantees.md 2.8)."""
    written: dict[int, list[Outgoing]] = {portion.hold.part: [] for portion in portions}
    incarnations = {portion.hold.part: portion.hold.incarnation for portion in portions}
    for record, outgoing in commit.outgoing:
        written[record.partition] += stamps.stamped(record, outgoing, same, incarnations[record.partition])
    for portion in portions:
        written[portion.hold.part] += [dead_letter(service, *dead) for dead in portion.dead]
    for dead in commit.dead:
        written[dead.record.partition].append(dead_letter(service, *dead))
    moves = [move_of(portion, written[portion.hold.part]) for portion in portions]
    return Prepared(moves, written)


def move_of(portion: Portion, records: list[Outgoing]) -> CheckpointMove:
    """How the portion moves its partition's checkpoint."""
    payload = pack_outgoing(records) if records else None
    if payload is not None and len(payload) > RECORD_LIMIT // 2:
        check_sizes(records)
    last = portion.records[-1]
    return CheckpointMove(portion.hold, portion.hold.stored, last.offset + 1, record_id(last), portion.seen, payload)
