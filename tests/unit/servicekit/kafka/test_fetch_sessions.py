"""What a fetch asks of a broker that remembers what it was asked before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol import fetch

from servicekit.kafka.inside_aiokafka import fetching
from servicekit.kafka.inside_aiokafka.fetch_sessions import LAST_EPOCH, SINCE_VERSION, FetchSession

MOST = 1000


def whole(**offsets: int) -> fetch.FetchRequest:
    """Of partitions a, b, …: letters are numbered from 0."""
    parts = [(ord(letter) - ord("a"), at, MOST) for letter, at in offsets.items()]
    return fetch.FetchRequest(500, 1, 9000, 0, [("t", parts)] if parts else [], rack_id="")


def asked(session: FetchSession, request: fetch.FetchRequest, version: Any = fetch.FetchRequest_v11) -> Any:
    return session.request(request).build(version)


def answer(session_id: int = 7, error_code: int = 0) -> Any:
    return SimpleNamespace(API_VERSION=11, session_id=session_id, error_code=error_code, topics=[])


def places(made: Any) -> dict[int, int]:
    return {number: at for _, parts in made.topics for number, _, at, _, _ in parts}


@pytest.fixture
def session() -> FetchSession:
    """One that the broker has taken on, with a at 5 and b at 9."""
    made = FetchSession()
    first = asked(made, whole(a=5, b=9))
    assert (first.session_id, first.session_epoch) == (0, 0)
    assert places(first) == {0: 5, 1: 9}
    made.answered(answer())
    return made


def test_only_what_has_changed_is_named(session: FetchSession) -> None:
    made = asked(session, whole(a=6, b=9))
    assert (made.session_id, made.session_epoch) == (7, 1)
    assert places(made) == {0: 6}
    assert made.forgotten_topics_data == []
    session.answered(answer())
    nothing = asked(session, whole(a=6, b=9))
    assert (nothing.session_epoch, nothing.topics) == (2, [])


def test_what_is_not_wanted_now_is_taken_back_and_named_again_later(session: FetchSession) -> None:
    assert asked(session, whole(b=9)).forgotten_topics_data == [("t", [0])]
    session.answered(answer())
    made = asked(session, whole(a=5, b=9))
    assert (places(made), made.forgotten_topics_data) == ({0: 5}, [])


@pytest.mark.parametrize(("code", "replaces"), [(70, 0), (71, 7), (-1, 7)])
def test_a_session_that_is_refused_begins_anew(session: FetchSession, code: int, replaces: int) -> None:
    asked(session, whole(a=6, b=9))
    session.answered(answer(0, code))
    made = asked(session, whole(a=6, b=9))
    assert (made.session_id, made.session_epoch, places(made)) == (replaces, 0, {0: 6, 1: 9})


def test_after_a_request_whose_fate_is_unknown_it_begins_anew(session: FetchSession) -> None:
    asked(session, whole(a=6, b=9))
    made = asked(session, whole(a=6, b=9))
    assert (made.session_id, made.session_epoch, places(made)) == (7, 0, {0: 6, 1: 9})


def test_a_broker_without_room_for_a_session_is_told_of_all_each_time() -> None:
    session = FetchSession()
    for _ in range(2):
        made = asked(session, whole(a=5, b=9))
        assert (made.session_id, made.session_epoch, places(made)) == (0, 0, {0: 5, 1: 9})
        session.answered(answer(0))


def test_an_older_broker_is_asked_as_aiokafka_would() -> None:
    session, old = FetchSession(), fetch.FetchRequest_v6
    assert old.API_VERSION < SINCE_VERSION
    for _ in range(2):
        assert asked(session, whole(a=5), old) == whole(a=5).build(old)
        session.answered(SimpleNamespace(API_VERSION=old.API_VERSION))


def test_epochs_begin_again_behind_the_last(session: FetchSession) -> None:
    session._epoch = LAST_EPOCH
    assert asked(session, whole(a=5)).session_epoch == LAST_EPOCH
    session.answered(answer())
    assert asked(session, whole(a=5)).session_epoch == 1


class Client:
    """One whose brokers fail, or answer; keeps what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: list[Any] = []

    async def send(self, node: int, request: Any) -> Any:
        return await fetching.send(self, node, request)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    async def send(self: Client, node: int, request: Any, *, group: Any) -> Any:
        made = request.build(fetch.FetchRequest_v11) if isinstance(request, fetch.FetchRequest) else request
        self.asked.append((node, made))
        outcome = self.answers.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(fetching, "_send", send)
    return Client()


async def test_each_broker_has_a_session_of_its_own_and_a_failure_ends_it(client: Client) -> None:
    client.answers = [answer(1), answer(2), ConnectionError(), answer(1), "no fetch"]
    await client.send(1, whole(a=5))
    await client.send(2, whole(b=5))
    with pytest.raises(ConnectionError):
        await client.send(1, whole(a=6))
    await client.send(1, whole(a=6))
    assert [(node, made.session_id, made.session_epoch) for node, made in client.asked] == [
        (1, 0, 0), (2, 0, 0), (1, 1, 1), (1, 1, 0),
    ]  # fmt: skip
    assert await client.send(1, "metadata") == "no fetch"
