"""One attempt: when it may be made, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict
from structlog.testing import capture_logs

from dispatcher.errors import NoRequest, NotYetKnown
from dispatcher.kinds.event import KIND as EVENT
from dispatcher.model.delivery import Delivery, Result, SendContext
from dispatcher.requests import Reading, Request
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from dispatcher.sending.sender import Sender
from servicekit.boot_clock import boot_seconds
from servicekit.http_client.guarded_http import Answer, Unreachable
from support.deliveries import catalogue_of
from support.leased import delivery
from support.workers_in_memory import WorkersInMemory

REQUEST = Request(
    "POST", "https://e.com/SECRET", {"x": "y"}, b"{}", 10.0, "https://e.com/[hidden]", {"x": "y"}, b"{}", ("SECRET",)
)


class Http:
    """Answers, or fails, as told."""

    def __init__(self) -> None:
        self.outcome: Any = Answer(200, CIMultiDict({"content-type": "text/plain"}), b"you sent SECRET", 3)
        self.sent: list[float] = []
        self.urls: list[str] = []

    async def request(self, method: str, url: str, *, timeout: float, may_send: Any = None, **_: Any) -> Answer:
        if may_send is not None and not may_send():
            raise Unreachable("withdrawn", "withdrawn", sent=False)
        self.sent.append(timeout)
        self.urls.append(url)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[no-any-return]


class Maker:
    """A kind of deliveries with one request and one reading."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.reading = Reading("succeeded")
        self.request = REQUEST
        self.idempotent = True
        self.kind = replace(
            EVENT, request=self.make, read=lambda *_: self.reading, own_delays=lambda *_: None,
            repeatable=lambda *_: self.idempotent,
        )  # fmt: skip

    def make(self, _: Delivery, context: SendContext) -> Request:
        if self.fails is not None:
            raise self.fails
        return self.request


@pytest.fixture
def http() -> Http:
    return Http()


@pytest.fixture
def maker() -> Maker:
    return Maker()


async def attempt(http: Http, maker: Maker, one: Delivery, *, ours: bool = True, longest: float = 30.0) -> Result:
    one.kind = maker.kind
    context = SendContext(catalogue_of(), programs.not_yet, longest)
    renders = Programs(WorkersInMemory(lambda: programs.make(None)))
    sender = Sender(http, context, renders, lambda _: ours)  # type: ignore[arg-type]  # played
    return await sender.attempt(one)


async def test_an_attempt_is_kept_without_the_secrets_that_the_receiver_echoes(http: Http, maker: Maker) -> None:
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.status, http.sent) == ("succeeded", 200, [10.0])
    assert result.attempt is not None
    kept = result.attempt.request + (result.attempt.response or b"")
    assert b"SECRET" not in kept
    assert b"you sent [hidden]" in kept


async def test_no_request_outlives_its_lease(http: Http, maker: Maker) -> None:
    late = delivery(lease_ends=boot_seconds() + 9)
    result = await attempt(http, maker, late)
    assert (result.outcome, result.delay, http.sent) == ("deferred", 0.0, [])


async def test_a_request_is_cut_to_what_the_lease_allows(http: Http, maker: Maker) -> None:
    await attempt(http, maker, delivery(lease_ends=boot_seconds() + 9), longest=4.0)
    assert http.sent == [4.0]


async def test_an_ordered_row_is_sent_by_its_partitions_owner_only(http: Http, maker: Maker) -> None:
    assert (await attempt(http, maker, delivery(lane="l"), ours=False)).outcome == "deferred"
    assert (await attempt(http, maker, delivery(), ours=False)).outcome == "succeeded"
    assert len(http.sent) == 1


async def test_what_has_expired_is_not_sent(http: Http, maker: Maker) -> None:
    result = await attempt(http, maker, delivery(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert (result.outcome, result.code, http.sent) == ("exhausted", "expired", [])


async def test_a_target_that_is_gone_ends_the_delivery_and_one_not_known_yet_does_not(http: Http, maker: Maker) -> None:
    maker.fails = NoRequest("cancelled", "endpoint-deleted", "The endpoint was deleted.")
    assert (await attempt(http, maker, delivery())).outcome == "cancelled"
    maker.fails = NotYetKnown("endpoint e1")
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.attempt, result.delay) == ("deferred", None, 1.0)


@pytest.mark.parametrize(
    ("idempotent", "sent", "outcome"),
    [(True, True, "retry"), (True, False, "retry"), (False, True, "exhausted"), (False, False, "retry")],
)
async def test_a_lost_answer_is_tried_again_where_that_does_no_harm(
    http: Http, maker: Maker, idempotent: bool, sent: bool, outcome: str
) -> None:
    http.outcome, maker.idempotent = Unreachable("no answer", "timeout", sent=sent), idempotent
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.code, result.destination_failed) == (outcome, "timeout", True)


async def test_a_fault_of_ours_is_a_failed_attempt_and_not_an_end(http: Http, maker: Maker) -> None:
    maker.fails = RuntimeError("bug")
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.code) == ("retry", "internal")
    assert result.attempt is not None


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without tracebacks: printed in colour with all locals, one takes a second."""
    with capture_logs():
        yield


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("error", [RuntimeError("bug"), NoRequest("cancelled", "gone", "x"), NotYetKnown("call")])
@pytest.mark.parametrize(("idempotent", "outcome"), [(True, "retry"), (False, "exhausted")])
async def test_what_fails_once_it_was_sent_is_sent_again_where_that_does_no_harm_only(
    http: Http, maker: Maker, error: Exception, idempotent: bool, outcome: str
) -> None:
    def fails(*_: Any) -> Reading:
        raise error

    maker.kind, maker.idempotent = replace(maker.kind, read=fails), idempotent
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.status, len(http.sent)) == (outcome, 200, 1)
    assert result.attempt is not None
    assert b"e.com" in result.attempt.request


@pytest.mark.usefixtures("quiet")
async def test_a_kind_that_cannot_say_any_more_whether_it_may_be_repeated_is_not(http: Http, maker: Maker) -> None:
    def deleted(*_: Any) -> Any:
        raise NoRequest("cancelled", "api-call-deleted", "It was deleted.")

    http.outcome = Unreachable("no answer", "timeout", sent=True)
    maker.kind = replace(maker.kind, repeatable=deleted, own_delays=deleted)
    assert (await attempt(http, maker, delivery())).outcome == "exhausted"
    http.outcome = RuntimeError("bug")
    assert (await attempt(http, maker, delivery())).outcome == "exhausted"


def chain(*names: str) -> Request:
    """Requests that follow from each other's answers, with a courtesy before the first."""
    first, *rest = names
    request = REQUEST._replace(url=first, then=(lambda _: chain(*rest)._replace(before=())) if rest else None)
    return request._replace(before=(REQUEST._replace(url="courtesy"),))


async def test_a_request_that_follows_is_sent_once_the_one_before_succeeded(http: Http, maker: Maker) -> None:
    maker.request = chain("upload", "save", "say")
    result = await attempt(http, maker, delivery())
    assert (result.outcome, http.urls) == ("succeeded", ["courtesy", "upload", "save", "say"])


async def test_what_fails_ends_the_chain_and_is_what_the_attempt_came_to(http: Http, maker: Maker) -> None:
    maker.request, maker.reading = chain("upload", "say"), Reading("exhausted", "refused", "No.")
    result = await attempt(http, maker, delivery())
    assert (result.outcome, result.code, http.urls) == ("exhausted", "refused", ["courtesy", "upload"])


async def test_no_request_of_a_chain_is_sent_without_the_lease(http: Http, maker: Maker) -> None:
    lost = delivery()
    maker.request = chain("upload", "say")
    then = maker.request.then
    assert then is not None

    def too_late(reading: Reading) -> Any:
        lost.lease_ends = 0.0
        return then(reading)

    maker.request = maker.request._replace(then=too_late)
    result = await attempt(http, maker, lost)
    assert (result.outcome, result.code, http.urls) == ("deferred", "lease-lost", ["courtesy", "upload"])
