"""A loop's metrics, their labels looked up once."""

from __future__ import annotations

from collections.abc import Mapping

from servicekit.observability.metrics import counter, gauge, histogram


class LoopMetrics:
    """The metrics of one topic's loop."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._told: set[int] = set()
        self.records = counter("switchhook_records_total").labels(topic)
        self.batches = counter("switchhook_batches_total").labels(topic)
        self.fenced = counter("switchhook_fenced_total").labels(topic)
        self.repeats = counter("switchhook_repeats_total").labels(topic)
        self.batch_records = histogram("switchhook_batch_records").labels(topic)
        self.batch_seconds = histogram("switchhook_batch_seconds").labels(topic)
        self.commit_seconds = histogram("switchhook_commit_seconds").labels(topic)

    def recovered(self, cause: str) -> None:
        """A partition was recovered."""
        counter("switchhook_recoveries_total").labels(self._topic, cause).inc()

    def dead(self, code: str) -> None:
        """A record went to the dead-letter topic."""
        counter("switchhook_dead_letters_total").labels(self._topic, code).inc()

    def standing(self, behind: Mapping[int, int], unacknowledged: int) -> None:
        """Records behind, by partition, and outbox rows that Kafka has not acknowledged. A partition that went to another
        replica is told of no more: its last number would stand here for ever, beside that replica's."""
        lag = gauge("switchhook_consumer_lag_records")
        for partition in self._told - behind.keys():
            lag.remove(self._topic, str(partition))
        for partition, records in behind.items():
            lag.labels(self._topic, str(partition)).set(records)
        self._told = set(behind)
        gauge("switchhook_outbox_rows").labels(self._topic).set(unacknowledged)
