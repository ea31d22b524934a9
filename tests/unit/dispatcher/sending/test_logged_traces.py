"""What is logged of a delivery names the trace of the event that led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from dispatcher.kinds.event import KIND
from dispatcher.model.delivery import Delivery, SendContext
from dispatcher.requests import Request
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from dispatcher.sending.sender import Sender
from servicekit.http_client.guarded_http import Unreachable
from support.deliveries import catalogue_of
from support.leased import delivery
from support.logs import configured
from support.workers_in_memory import WorkersInMemory

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-00"
REQUEST = Request("POST", "https://e.com", {}, b"{}", 10.0, "https://e.com", {}, b"{}", ())


class Http:
    """Nobody may send."""

    async def request(self, *_: Any, **__: Any) -> Any:
        raise Unreachable("withdrawn", "withdrawn", sent=False)


@pytest.fixture
def logged() -> Iterator[Callable[[], list[tuple[str, str | None]]]]:
    with configured("dispatcher") as stream:
        lines = lambda: map(orjson.loads, stream.getvalue().splitlines())  # noqa: E731
        yield lambda: [(line["event"], line.get("trace_id")) for line in lines()]


async def attempt(one: Delivery, request: Callable[..., Request]) -> None:
    one.kind = replace(KIND, request=request)
    sender = Sender(
        Http(),  # type: ignore[arg-type]  # played
        SendContext(catalogue_of(), programs.not_yet, 30.0),
        Programs(WorkersInMemory(lambda: programs.make(None))),
        lambda _: True,
    )
    await sender.attempt(one)


def broken(*_: Any) -> Request:
    raise RuntimeError("bug")


@pytest.mark.parametrize(
    ("request_of", "event"), [(broken, "attempt.failed"), (lambda *_: REQUEST, "lease.lost")], ids=["before", "while"]
)
async def test_a_line_about_an_attempt_has_its_trace(
    logged: Callable[[], list[tuple[str, str | None]]], request_of: Callable[..., Request], event: str
) -> None:
    await attempt(delivery(traceparent=TRACEPARENT), request_of)
    await attempt(delivery(), request_of)
    assert logged() == [(event, TRACE), (event, None)]
