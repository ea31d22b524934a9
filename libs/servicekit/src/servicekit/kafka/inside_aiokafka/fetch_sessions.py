"""Fetch sessions (KIP-227), which aiokafka does not have: it tells the broker of every partition with every fetch, and is
answered about every partition.

Within a session a request names only the partitions whose position has changed since the last one, and an answer only
those that have something new. The broker keeps the rest. Each fetch of eight partitions costs the client a quarter of
what it did, and a wait that ends with nothing next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeVar

from aiokafka.protocol import fetch

NO_SESSION, FIRST_EPOCH, LAST_EPOCH = 0, 0, 2**31 - 1
SINCE_VERSION = 7
"""Of the fetch request: older brokers know of no sessions."""
SESSION_ID_NOT_FOUND = 70
T = TypeVar("T")

Wanted = dict[tuple[str, int], tuple[int, int]]
"""Topic and partition -> the offset to fetch from, and how many bytes at most."""


class FetchSession:
    """What one broker knows of one consumer. One request at a time is on its way.

    Until a request is answered it is not known whether it was taken: the next one names all partitions, and replaces the session.
    """

    def __init__(self) -> None:
        self._id, self._epoch, self._asked = NO_SESSION, FIRST_EPOCH, FIRST_EPOCH
        self._known: Wanted = {}

    def request(self, whole: fetch.FetchRequest) -> FetchRequest:
        """The request to be sent in place of one that names all partitions."""
        self._asked, self._epoch = self._epoch, FIRST_EPOCH
        wanted = {(topic, number): (at, most) for topic, parts in whole.topics for number, at, most in parts}
        known = self._known if self._asked != FIRST_EPOCH else {}
        changed = {name: place for name, place in wanted.items() if known.get(name) != place}
        gone = [name for name in known if name not in wanted]
        self._known = wanted
        return FetchRequest(whole, self._id, self._asked, changed, gone)

    def answered(self, response: Any) -> None:
        """The broker's answer to the last request; one that refuses the session has no partitions."""
        if response.API_VERSION < SINCE_VERSION:
            return
        has_none = not response.error_code and response.session_id == NO_SESSION  # It has no room for one.
        if has_none or response.error_code == SESSION_ID_NOT_FOUND:
            self._id = NO_SESSION
        elif not response.error_code:
            self._id, self._epoch = response.session_id, self._asked % LAST_EPOCH + 1


class FetchRequest(fetch.FetchRequest):  # type: ignore[misc]
    """A fetch request that names what has changed."""

    def __init__(
        self, whole: fetch.FetchRequest, session: int, epoch: int, changed: Wanted, gone: list[tuple[str, int]]
    ) -> None:
        super().__init__(
            whole._max_wait_ms, whole._min_bytes, whole._max_bytes, whole._isolation_level, whole.topics, whole._rack_id
        )
        self._session, self._epoch, self._changed, self._gone = session, epoch, changed, gone

    def build(self, request_struct_class: Any) -> Any:
        """As aiokafka calls it, for the version that the broker knows."""
        if request_struct_class.API_VERSION < SINCE_VERSION:
            return super().build(request_struct_class)
        self._topics = _by_topic((topic, (number, *place)) for (topic, number), place in self._changed.items())
        made = super().build(request_struct_class)
        made.session_id, made.session_epoch = self._session, self._epoch
        made.forgotten_topics_data = _by_topic(self._gone)
        return made


def _by_topic(parts: Iterable[tuple[str, T]]) -> list[tuple[str, list[T]]]:
    found: dict[str, list[T]] = defaultdict(list)
    for topic, part in parts:
        found[topic].append(part)
    return list(found.items())
