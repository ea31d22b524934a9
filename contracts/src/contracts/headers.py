"""The headers of records, one row each: what AsyncAPI and the reference say of them. A topic names the rows that its records have.

Their names are those of contracts.cloudevents and contracts.dlq; values are UTF-8 text.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts import cloudevents

UUID_TEXT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
DIGITS = "^[0-9]+$"


@dataclass(frozen=True, slots=True)
class Header:
    """One header. `needed`: each record of the topic has it. `pattern`: what its value matches."""

    name: str
    what: str
    example: str
    needed: bool = True
    pattern: str | None = None


ID = Header("ce_id", "The record's id: a repeat has the same", UUID_TEXT)
TYPE = Header(
    "ce_type",
    f"What the record is, behind the prefix `{cloudevents.TYPE_PREFIX}`",
    f"{cloudevents.TYPE_PREFIX}message.sent",
    pattern=f"^{cloudevents.TYPE_PREFIX.replace('.', '[.]')}[a-z_.]+$",
)
CLOUD_EVENT = (
    Header("ce_specversion", "The version of CloudEvents", "1.0", pattern="^1[.]0$"),
    ID,
    TYPE,
    Header("ce_source", "Who wrote it", "switchhook/flow-engine", pattern="^switchhook/"),
    Header("ce_time", "When, RFC 3339 UTC", "2026-11-21T00:01:00.000Z"),
    Header("content-type", "What the value is", "application/json", pattern="^application/json$"),
)
SUBJECT = Header("ce_subject", "What it is about: the record's key", "<bot>/<channel>/<peer>", needed=False)
PROJECT = Header(cloudevents.PROJECT, "Whose it is: the project's id", UUID_TEXT)
TRACE = Header(
    "traceparent", "W3C Trace Context", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", needed=False
)
HOPS = Header(cloudevents.HOPS, "How many effects of Switchhook led to it", "1", needed=False, pattern=DIGITS)
REGISTRY = (
    Header(
        cloudevents.REGISTRY_OFFSET, "The offset of the registry's topic that its writer had read; its reader waits for it",
        "120", needed=False, pattern=DIGITS,
    ),
    Header(
        cloudevents.REGISTRY_INCARNATION, "Which registry topic that offset is of: the id that Kafka gave it",
        "pXw3jW1cQ0mYx0PVYp0aVg", needed=False,
    ),
)  # fmt: skip
CAUSE = (
    Header(cloudevents.SOURCE_TOPIC, "The topic of the record that caused it", "switchhook.inbound.v1", needed=False),
    Header(cloudevents.SOURCE_PARTITION, "The partition of that record", "3", needed=False, pattern=DIGITS),
    Header(cloudevents.SOURCE_OFFSET, "The offset of that record", "4711", needed=False, pattern=DIGITS),
    Header(
        cloudevents.SOURCE_INDEX, "Which effect of that record it is; a consumer knows a repeat by these", "0",
        needed=False, pattern=DIGITS,
    ),
    Header(
        cloudevents.SOURCE_INCARNATION, "Which topic of that name it was: the id that Kafka gave it",
        "pXw3jW1cQ0mYx0PVYp0aVg", needed=False,
    ),
)  # fmt: skip
OURS = (*CLOUD_EVENT, SUBJECT, PROJECT, TRACE, HOPS, *REGISTRY, *CAUSE)
"""What services write beside each other's records."""
