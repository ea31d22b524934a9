"""What a replica keeps of closed sessions."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from contracts.closed_sessions import SESSION_SECONDS, TOPIC, ClosedSession, hash_of
from ingress.chat import closed_sessions
from ingress.chat.closed_sessions import ClosedSessions
from servicekit.kafka.records import Record
from support.ingress_fakes import FakePublisher


def closing(session: str, ends: float, project: str = "p") -> bytes:
    return ClosedSession(session=hash_of(session), project_id=project, ends=int(ends)).encode()


@pytest.fixture
def closed() -> ClosedSessions:
    made = ClosedSessions(FakePublisher())
    made.known = True
    return made


def record(value: bytes | None) -> Record:
    return Record("t", 0, 0, 0, b"k", value)


def test_what_another_replica_closed_is_closed_here_for_its_project(closed: ClosedSessions) -> None:
    closed.receive([record(closing("s", time.time() + 60))])
    assert [closed.has("p", "s"), closed.has("p", "other"), closed.has("another-project", "s")] == [True, False, False]


def test_records_that_nobody_can_read_close_nothing_and_stop_nothing(closed: ClosedSessions) -> None:
    unhashed = ClosedSession(session="xyz", project_id="p", ends=2**40).encode()
    poison = [None, b"", b"\xff\x00", b"[" * 50_000, b'{"ends": 1}', unhashed]
    closed.receive([*map(record, poison), record(closing("s", time.time() + 60))])
    assert (closed.has("p", "s"), len(closed)) == (True, 1)


def test_what_has_ended_is_forgotten(closed: ClosedSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    closed.receive([record(closing("ended", time.time() - 1)), record(closing("s", time.time() + 60))])
    assert len(closed) == 1
    later = SimpleNamespace(time=lambda: time.time() + 120, monotonic=lambda: time.monotonic() + 7200)
    monkeypatch.setattr(closed_sessions, "time", later)
    closed.receive([record(closing("t", time.time() + 600))])
    assert (closed.has("p", "s"), closed.has("p", "t"), len(closed)) == (False, True, 1)


def test_a_closed_session_is_on_the_topic_for_as_long_as_it_could_be_used() -> None:
    assert TOPIC.retention_ms > SESSION_SECONDS * 1000
