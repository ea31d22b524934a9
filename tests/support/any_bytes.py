"""Records of any bytes, as Hypothesis makes them: nonsense, JSON of another shape, and good records with a part replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from hypothesis import strategies as st

from contracts import cloudevents
from servicekit.kafka.records import BAD_NAME, Record
from servicekit.loop.infrastructure import is_infrastructure

NAMES = (
    "ce_id", "ce_type", "ce_project", "ce_time", "authorization", "traceparent", cloudevents.HOPS,
    cloudevents.REGISTRY_OFFSET, cloudevents.REGISTRY_INCARNATION, cloudevents.SOURCE_TOPIC,
    cloudevents.SOURCE_PARTITION, cloudevents.SOURCE_OFFSET, cloudevents.SOURCE_INDEX, cloudevents.SOURCE_INCARNATION,
)  # fmt: skip
NUMBERS = (b"--5", b"-1", b"9" * 400, b"9" * 5000, "\u0663".encode(), b"1_0", b" 7", b"1e9", b"")
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
    | st.sampled_from(("\x00", "x" * 5000, "2026-02-30", "\ud7ff", "-", "/", "a/b/c"))
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=8), of, max_size=3), max_leaves=8
)
NONSENSE = (
    st.none()
    | st.binary(max_size=60)
    | VALUES.map(orjson.dumps)
    | st.sampled_from((b"[" * 100_000, b'{"a":' * 50_000, b'{"kind":"x","x":' + b"[" * 50_000, b'"\\ud800"', b"1e999"))
)


def values(good: Sequence[dict[str, Any]]) -> st.SearchStrategy[bytes | None]:
    """Nonsense, or one of the good bodies with some of its fields replaced."""
    if not good:
        return NONSENSE
    fields = sorted({name for body in good for name in body})
    changed = st.builds(
        lambda body, changes: orjson.dumps({**body, **changes}),
        st.sampled_from(list(good)),
        st.dictionaries(st.sampled_from(fields), VALUES, max_size=2),
    )
    return NONSENSE | changed


def headers(types: Sequence[str]) -> st.SearchStrategy[tuple[tuple[str, bytes | None], ...]]:
    """Names that are read and others, bad ones first, as our consumers hand them out."""
    value = st.none() | st.binary(max_size=40) | st.sampled_from(NUMBERS)
    known = st.tuples(st.sampled_from(NAMES), value)
    typed = st.tuples(st.just("ce_type"), st.sampled_from([kind.encode() for kind in types] or [b""]))
    plain = st.tuples(st.just("ce_id"), st.just(b"e-1"))
    bad = st.tuples(st.binary(max_size=8).map(lambda raw: BAD_NAME + raw.decode("utf-8", "backslashreplace")), value)
    made = st.lists(known | typed | plain | bad, max_size=6)
    return made.map(lambda all: tuple(sorted(all, key=lambda header: not header[0].startswith(BAD_NAME))))


def records(
    topic: str, good: Sequence[dict[str, Any]] = (), types: Sequence[str] = (), keys: Sequence[bytes] = ()
) -> st.SearchStrategy[Record]:
    """One record of a topic: `good` bodies, `types` and `keys` are what it should have."""
    key = st.none() | st.binary(max_size=30) | (st.sampled_from(list(keys)) if keys else st.nothing())
    return st.builds(
        lambda key, value, headers: Record(topic, 0, 0, 0, key, value, headers), key, values(good), headers(types)
    )


@contextmanager
def moving_on() -> Iterator[None]:
    """What the block raises, if anything, the loop takes for the record's own fault: it is tried alone and parked. A fault
    that it takes for that of a part which all records need would hold the partition."""
    try:
        yield
    except Exception as error:
        if is_infrastructure(error):
            raise
