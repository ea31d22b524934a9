"""Every metric of every service: its name, what it means, its labels. One can only be made from a name written here.

Labels have few values (a topic, a state, a class of status), never a project, a person or a URL.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, get_args

from prometheus_client import Counter, Gauge, Histogram

CounterName = Literal[
    "switchhook_http_requests_total",
    "switchhook_ingress_accepted_total",
    "switchhook_ingress_refused_total",
    "switchhook_records_total",
    "switchhook_batches_total",
    "switchhook_fenced_total",
    "switchhook_recoveries_total",
    "switchhook_repeats_total",
    "switchhook_dead_letters_total",
    "switchhook_kafka_requests_total",
    "switchhook_published_total",
    "switchhook_publish_failures_total",
    "switchhook_turns_total",
    "switchhook_flow_failures_total",
    "switchhook_turns_deferred_total",
    "switchhook_timers_fired_total",
    "switchhook_broadcast_recipients_total",
    "switchhook_schedule_moments_total",
    "switchhook_attempts_total",
    "switchhook_deliveries_total",
    "switchhook_registry_relayed_total",
    "switchhook_egress_blocked_total",
    "switchhook_unread_answers_cut_total",
]
HistogramName = Literal[
    "switchhook_http_seconds",
    "switchhook_loop_lag_seconds",
    "switchhook_batch_records",
    "switchhook_batch_seconds",
    "switchhook_commit_seconds",
    "switchhook_attempt_seconds",
    "switchhook_wait_seconds",
]
GaugeName = Literal[
    "switchhook_consumer_lag_records",
    "switchhook_registry_view_behind_seconds",
    "switchhook_registry_view_entities",
    "switchhook_held_conversations",
    "switchhook_oldest_erasure_seconds",
    "switchhook_due_timers",
    "switchhook_outbox_rows",
    "switchhook_in_flight",
    "switchhook_waiting_callers",
    "switchhook_live_instances",
]


class Meaning(NamedTuple):
    """`buckets` (histograms) are upper bounds in the metric's unit."""

    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


MEANINGS: dict[str, Meaning] = {
    "switchhook_http_requests_total": Meaning("Requests answered", ("route", "status")),
    "switchhook_ingress_accepted_total": Meaning("Events that Kafka acknowledged, by source", ("source",)),
    "switchhook_ingress_refused_total": Meaning("Requests refused, by problem", ("problem",)),
    "switchhook_records_total": Meaning("Records applied", ("topic",)),
    "switchhook_batches_total": Meaning("Batches committed", ("topic",)),
    "switchhook_fenced_total": Meaning("Commits that found another owner", ("topic",)),
    "switchhook_recoveries_total": Meaning("Partitions recovered (bump, re-publish, seek)", ("topic", "cause")),
    "switchhook_repeats_total": Meaning("Records dropped as already seen", ("topic",)),
    "switchhook_dead_letters_total": Meaning("Records parked in a dead-letter topic", ("topic", "code")),
    "switchhook_kafka_requests_total": Meaning("Requests to Kafka, by their kind (Produce, Fetch, …)", ("request",)),
    "switchhook_published_total": Meaning("Records acknowledged by Kafka", ("topic",)),
    "switchhook_publish_failures_total": Meaning("Records Kafka did not acknowledge", ("topic",)),
    "switchhook_turns_total": Meaning("Conversation turns, by the kind of event", ("result",)),
    "switchhook_flow_failures_total": Meaning("Flows that failed (`flow.failed`)"),
    "switchhook_turns_deferred_total": Meaning("Times that a turn was left to be made apart from its batch"),
    "switchhook_timers_fired_total": Meaning("Timers fired"),
    "switchhook_broadcast_recipients_total": Meaning("Recipients of broadcasts, by outcome", ("outcome",)),
    "switchhook_schedule_moments_total": Meaning(
        "Moments of flows' schedules, by outcome: run or skipped", ("outcome",)
    ),
    "switchhook_attempts_total": Meaning("Outgoing attempts", ("kind", "outcome")),
    "switchhook_deliveries_total": Meaning("Deliveries that reached a final state", ("kind", "state")),
    "switchhook_registry_relayed_total": Meaning("Registry records published"),
    "switchhook_egress_blocked_total": Meaning("Outgoing requests refused before connecting, by rule", ("rule",)),
    "switchhook_unread_answers_cut_total": Meaning("Connections cut whose clients did not read their answers"),
    "switchhook_http_seconds": Meaning("Time to answer a request, callers who wait included, seconds", ("route",)),
    "switchhook_loop_lag_seconds": Meaning("How late the event loop ran what was due, seconds"),
    "switchhook_batch_records": Meaning("Records of a batch", ("topic",), (1, 2, 5, 10, 25, 50, 100, 250)),
    "switchhook_batch_seconds": Meaning("From a batch's start to its last publish, seconds", ("topic",)),
    "switchhook_commit_seconds": Meaning("Time inside a batch's transaction, seconds", ("topic",)),
    "switchhook_attempt_seconds": Meaning("Duration of an outgoing attempt, seconds", ("kind",)),
    "switchhook_wait_seconds": Meaning("How long a waiting caller waited, seconds"),
    "switchhook_consumer_lag_records": Meaning("Records behind the partition's end", ("topic", "partition")),
    "switchhook_registry_view_behind_seconds": Meaning("How long the registry view has been behind its topic"),
    "switchhook_registry_view_entities": Meaning("Entities in the registry view", ("kind",)),
    "switchhook_held_conversations": Meaning("Conversations held after a failure, 1,000 at most"),
    "switchhook_oldest_erasure_seconds": Meaning(
        "How long the oldest erasure of a person that is not done is under way"
    ),
    "switchhook_due_timers": Meaning("Timers that are due and not fired"),
    "switchhook_outbox_rows": Meaning("Outbox rows not yet acknowledged", ("topic",)),
    "switchhook_in_flight": Meaning("Outgoing requests in flight"),
    "switchhook_waiting_callers": Meaning("Callers waiting for an answer"),
    "switchhook_live_instances": Meaning("Living replicas of this service"),
}
NAMES: tuple[str, ...] = get_args(CounterName) + get_args(HistogramName) + get_args(GaugeName)


@cache
def counter(name: CounterName) -> Counter:
    """The process's counter of that name."""
    meaning = MEANINGS[name]
    return Counter(name, meaning.text, meaning.labels)


@cache
def histogram(name: HistogramName) -> Histogram:
    """The process's histogram of that name."""
    meaning = MEANINGS[name]
    return Histogram(name, meaning.text, meaning.labels, buckets=meaning.buckets)


@cache
def gauge(name: GaugeName) -> Gauge:
    """The process's gauge of that name."""
    meaning = MEANINGS[name]
    return Gauge(name, meaning.text, meaning.labels)
