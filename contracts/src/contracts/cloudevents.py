"""CloudEvents 1.0, Kafka binary mode: attributes are headers, the value is the bare data.

Source: CloudEvents Kafka protocol binding 1.0.2. Our own headers beside them are listed here and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

TYPE_PREFIX = "dev.switchhook."
Headers = list[tuple[str, bytes]]

PROJECT = "ce_project"
REGISTRY_OFFSET = "swh-registry-offset"
"""The registry topic's offset that the writer had read (guarantees.md 7.3): a consumer waits until its view is there."""
REGISTRY_INCARNATION = "swh-registry-incarnation"
"""The id of the topic that REGISTRY_OFFSET is about: one that was made anew begins again. Absent: not known."""
SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, SOURCE_INDEX = "src-topic", "src-partition", "src-offset", "src-index"
"""The record that caused this one, and the number of this effect of it. In one source partition they only rise."""
SOURCE_INCARNATION = "src-incarnation"
"""The id of the source's topic: in one that was made anew offsets begin again. Absent: the writer does not know it."""
HOPS = "swh-hops"


def now_text() -> str:
    """The wall clock as RFC 3339 UTC with milliseconds."""
    return rfc3339_ms(time.time_ns() // 1_000_000)


@lru_cache(maxsize=16)
def _second_text(seconds: int) -> str:
    # Formatting a date costs more than anything else in a record's headers.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(moment: datetime) -> str:
    """`2026-11-21T00:01:00.000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def rfc3339_ms(ms: int) -> str:
    """The same for milliseconds since 1970, as Kafka counts them."""
    seconds, millis = divmod(ms, 1_000)
    return f"{_second_text(seconds)}.{millis:03d}Z"


def headers(
    *,
    id: str,
    type: str,
    source: str,
    time: str,
    subject: str | None = None,
    project: str | None = None,
    traceparent: str | None = None,
) -> Headers:
    """The headers of a record; `type` without the `dev.switchhook.` prefix."""
    made: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_type", (TYPE_PREFIX + type).encode()),
        ("ce_source", source.encode()),
        ("ce_time", time.encode()),
        ("content-type", b"application/json"),
    ]
    if subject:
        made.append(("ce_subject", subject.encode()))
    if project:
        made.append((PROJECT, project.encode()))
    if traceparent:
        made.append(("traceparent", traceparent.encode()))
    return made


def source_headers(topic: str, partition: int, offset: int, index: int, incarnation: str | None = None) -> Headers:
    """The headers that name a record's cause; by them a consumer knows a repeat (guarantees.md 2.5)."""
    made = [] if incarnation is None else [(SOURCE_INCARNATION, incarnation.encode())]
    return [
        *made,
        (SOURCE_TOPIC, topic.encode()),
        (SOURCE_PARTITION, b"%d" % partition),
        (SOURCE_OFFSET, b"%d" % offset),
        (SOURCE_INDEX, b"%d" % index),
    ]


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """The last header of that name as text, None when absent or null. Raises UnicodeDecodeError when it is not UTF-8."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    return None if found is None else found.decode()
