"""Fetch sessions (KIP-227), which aiokafka does not have: it tells the broker of every partition with every fetch, and is
answered about every partition.

Within a session a request names only the partitions whose position has changed since the last one, and an answer only
those that have something new. The broker keeps the rest. Each fetch of eight partitions costs the client a quarter of
what it did, and a wait that ends with nothing next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from aiokafka.consumer import consumer as consumers_of_aiokafka
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol import fetch

NO_SESSION, FIRST_EPOCH, LAST_EPOCH = 0, 0, 2**31 - 1
SINCE_VERSION = 7
"""Of the fetch request: older brokers know of no sessions."""
SESSION_ID_NOT_FOUND = 70
INVALID_SESSION_EPOCH = 71

Wanted = dict[tuple[str, int], tuple[int, int]]
"""Topic and partition -> the offset to fetch from, and how many bytes at most."""


class FetchSession:
    """What one broker knows of one consumer. One request at a time is on its way."""

    def __init__(self) -> None:
        self._id, self._epoch = NO_SESSION, FIRST_EPOCH
        self._known: Wanted = {}

    def request(self, whole: fetch.FetchRequest) -> FetchRequest:
        """The request to be sent in place of one that names all partitions."""
        wanted = {(topic, number): (at, most) for topic, parts in whole.topics for number, at, most in parts}
        known = self._known if self._epoch != FIRST_EPOCH else {}
        changed = {name: place for name, place in wanted.items() if known.get(name) != place}
        gone = [name for name in known if name not in wanted]
        self._known = wanted
        return FetchRequest(whole, self._id, self._epoch, changed, gone)

    def answered(self, response: Any) -> None:
        """The broker's answer to the last request; one that refuses the session has no partitions."""
        if response.API_VERSION < SINCE_VERSION:
            return
        if response.error_code == SESSION_ID_NOT_FOUND:
            self._id, self._epoch = NO_SESSION, FIRST_EPOCH
        elif response.error_code:
            self.lost()
        elif response.session_id == NO_SESSION:  # It has no room for one.
            self._id, self._epoch = NO_SESSION, FIRST_EPOCH
        else:
            self._id = response.session_id
            self._epoch = self._epoch % LAST_EPOCH + 1

    def lost(self) -> None:
        """Whether the last request was taken is not known: the next one names all partitions, and replaces the session."""
        self._epoch = FIRST_EPOCH


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
        self._topics = _by_topic(self._changed)
        made = super().build(request_struct_class)
        made.session_id, made.session_epoch = self._session, self._epoch
        made.forgotten_topics_data = _numbers_by_topic(self._gone)
        return made


def _by_topic(partitions: Wanted) -> list[tuple[str, list[tuple[int, int, int]]]]:
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for (topic, number), (at, most) in partitions.items():
        found[topic].append((number, at, most))
    return list(found.items())


def _numbers_by_topic(partitions: list[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = defaultdict(list)
    for topic, number in partitions:
        found[topic].append(number)
    return list(found.items())


class _Client:
    """aiokafka's client as the fetcher has it: fetches go through sessions."""

    def __init__(self, client: Any) -> None:
        self._client, self.cluster = client, client.cluster
        self._sessions: dict[int, FetchSession] = defaultdict(FetchSession)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node: int, request: Any, **named: Any) -> Any:
        if not isinstance(request, fetch.FetchRequest):
            return await self._client.send(node, request, **named)
        session = self._sessions[node]
        try:
            response = await self._client.send(node, session.request(request), **named)
        except BaseException:
            session.lost()
            raise
        session.answered(response)
        return response


class SessionFetcher(Fetcher):  # type: ignore[misc]
    """In place of `Fetcher`."""

    def __init__(self, client: Any, *positional: Any, **named: Any) -> None:
        super().__init__(_Client(client), *positional, **named)


def install() -> None:
    """Put it in its place."""
    consumers_of_aiokafka.Fetcher = SessionFetcher
