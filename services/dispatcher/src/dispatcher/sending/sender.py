"""One attempt: the lease is checked right before the socket write, and a refusal is an answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from dispatcher.errors import ChannelPaused, DispatcherError, LeaseLost, NoRequest, NotYetKnown
from dispatcher.model.delivery import Attempt, Delivery, Result, SendContext
from dispatcher.model.superseded import Superseded
from dispatcher.requests import Reading, Request
from dispatcher.results import conclusions
from dispatcher.sending import attempt_log, channel_requests
from dispatcher.sending.programs import NotRendered, Programs
from servicekit.boot_clock import boot_seconds
from servicekit.failpoints import broken, failpoint
from servicekit.http_client.guarded_http import Answer, GuardedClient, Unreachable
from servicekit.observability.current_trace import in_trace
from servicekit.observability.metrics import counter, histogram
from servicekit.observability.telemetry import traced

UNKNOWN_SECONDS = 1.0
"""How long to wait for what the registry does not know yet."""
PAUSED_SECONDS = 15.0
"""How long a paused channel is left alone; then what has expired meanwhile is ended. A change of the channel ends it, too."""

FAULT = "An error of the dispatcher's own; its log has it."
SENT_FAULT = "It was sent, and what came of it could not be understood; the dispatcher's log has why."
SUPERSEDED = "An agent took the conversation, or gave it back, before this message was sent."
T = TypeVar("T")

log = structlog.get_logger()


class Begun:
    """An attempt under way. `sent`: the first byte of a request may have left. `request` is the last one, with its answer."""

    __slots__ = ("answer", "at", "request", "sent", "since")

    def __init__(self) -> None:
        self.at, self.since = datetime.now(UTC), time.monotonic()
        self.sent = False
        self.request: Request | None = None
        self.answer: Answer | None = None

    def attempt(self, delivery: Delivery, request: bytes, answer: bytes | None) -> Attempt:
        """As it is recorded: `request` and `answer` as they may be stored."""
        took_ms = int((time.monotonic() - self.since) * 1000)
        status = self.answer.status if self.answer else None
        return Attempt(delivery.attempts, self.at, took_ms, status, request, answer)


class Sender:
    """`still_ours(delivery)`: whether a row of a lane is this process's as far as it can know. `superseded`: what is not to be
    sent any more."""

    def __init__(
        self,
        http: GuardedClient,
        context: SendContext,
        programs: Programs,
        still_ours: Callable[[Delivery], bool],
        superseded: Superseded | None = None,
    ) -> None:
        self._http, self._context, self._programs, self._still_ours = http, context, programs, still_ours
        self._superseded = superseded or Superseded()
        self._attempts: dict[tuple[str, str], Any] = {}
        self._seconds: dict[str, Any] = {}

    def cut_off(self, delivery: Delivery) -> Result | None:
        """The end of one that was cut off, where it may not be sent twice; else None."""
        if not delivery.cut_off or self._repeatable(delivery):
            return None
        return conclusions.cut_off(delivery)

    async def attempt(self, delivery: Delivery) -> Result:
        """Make one attempt. Never raises; a fault of ours is logged and tried again later, as any failed attempt, but not
        where a request has left that may not be sent twice."""
        begun = Begun()
        with in_trace(delivery.traceparent):
            try:
                result = await self._attempt(delivery, begun)
            except Exception as error:  # noqa: BLE001 (told apart, and logged, in _failed)
                unsent = _unsent(delivery, error) if isinstance(error, LeaseLost) or not begun.sent else None
                result = unsent or self._failed(delivery, error, begun)
            finally:
                self._superseded.forget(delivery)
        self._count(delivery.kind.name, result)
        return result

    def _failed(self, delivery: Delivery, error: Exception, begun: Begun) -> Result:
        """It failed by a fault of ours, or once it was sent by what nobody expects of an answer."""
        log.error("attempt.failed", delivery=delivery.id, sent=begun.sent, exc_info=error)
        again = not begun.sent or self._repeatable(delivery)
        code = error.code if isinstance(error, DispatcherError) else "internal"
        reading = Reading("retry" if again else "exhausted", code, SENT_FAULT if begun.sent else FAULT)
        kept = _or(b"{}", lambda: attempt_log.kept_request(begun.request) if begun.request else b"{}")
        return self._concluded(delivery, reading, begun.attempt(delivery, kept, None))

    def _count(self, kind: str, result: Result) -> None:
        made = self._attempts.get((kind, result.outcome))
        if made is None:
            made = counter("switchhook_attempts_total").labels(kind, result.outcome)
            self._attempts[kind, result.outcome] = made
        made.inc()
        if result.attempt is not None:
            if kind not in self._seconds:
                self._seconds[kind] = histogram("switchhook_attempt_seconds").labels(kind)
            self._seconds[kind].observe(result.took_ms / 1000)

    async def _attempt(self, delivery: Delivery, begun: Begun) -> Result:
        if self._superseded.has(delivery):
            return Result(delivery, "cancelled", code="superseded", detail=SUPERSEDED)
        if delivery.expires_at is not None and (over := conclusions.expired(delivery, datetime.now(UTC))) is not None:
            return over
        try:
            request = delivery.kind.request(delivery, self._context)
        except NotRendered as wanted:
            text = await self._programs.render(delivery.project_id, wanted.source, wanted.event)
            request = delivery.kind.request(delivery, self._context._replace(render=lambda source, event: text))
        await failpoint("before_send")
        with traced(
            f"deliver {delivery.kind.name}", delivery.traceparent, delivery=delivery.id, project=delivery.project_id
        ) as span:
            if "traceparent" in request.headers:
                request.headers["traceparent"] = span.traceparent
            timeout = min(request.timeout, self._context.longest)
            if request.before:
                await self._beforehand(delivery, request.before, timeout)
            begun.at, begun.since = datetime.now(UTC), time.monotonic()
            reading = await self._exchange(delivery, request, timeout, begun)
            if reading.moved_to is not None and self._may_send(delivery, timeout):
                reading = await self._to_new_id(delivery, reading.moved_to, timeout, begun)
            span.set("verdict", reading.verdict)
        return self._result(delivery, reading, begun.request or request, begun)

    def _result(self, delivery: Delivery, reading: Reading, request: Request, begun: Begun) -> Result:
        kept = attempt_log.kept_request(request), attempt_log.kept_answer(request, begun.answer)
        result = self._concluded(delivery, reading, begun.attempt(delivery, *kept))
        if delivery.kind.answered:
            result.request, result.secrets = attempt_log.for_the_caller(request), request.secrets
        return result

    async def _to_new_id(self, delivery: Delivery, peer: str, timeout: float, begun: Begun) -> Reading:
        delivery.parsed = channel_requests.moved(delivery, peer)
        return await self._exchange(delivery, delivery.kind.request(delivery, self._context), timeout, begun)

    async def _exchange(self, delivery: Delivery, request: Request, timeout: float, begun: Begun) -> Reading:
        """Send it, and what follows from its answer: up to the last request, or the first that did not succeed."""

        def may_send() -> bool:
            allowed = self._may_send(delivery, timeout)
            begun.sent = begun.sent or allowed
            return allowed

        while True:
            begun.request, begun.answer = request, None
            try:
                answer = begun.answer = await self._http.request(
                    request.method, request.url, project=delivery.project_id, headers=request.headers, body=request.body,
                    timeout=timeout, max_body=request.answer_limit, may_send=may_send,
                )  # fmt: skip
            except Unreachable as error:
                return self._unanswered(delivery, error)
            reading = delivery.kind.read(delivery, request, answer, self._context)
            if request.then is None or reading.verdict != "succeeded":
                return reading
            request = request.then(reading)

    def _unanswered(self, delivery: Delivery, error: Unreachable) -> Reading:
        if error.code == "withdrawn":
            raise LeaseLost from error
        again = not error.sent or self._repeatable(delivery)
        return Reading("retry" if again else "exhausted", error.code, str(error), destination_failed=True)

    async def _beforehand(self, delivery: Delivery, requests: tuple[Request, ...], timeout: float) -> None:
        """Sent for courtesy; what comes of it changes nothing."""
        if not self._may_send(delivery, timeout):
            raise LeaseLost
        for each in requests:
            try:
                await self._http.request(
                    each.method, each.url, project=delivery.project_id, headers=each.headers, body=each.body,
                    timeout=min(timeout, 5.0),
                )  # fmt: skip
            except Unreachable as error:
                log.info("courtesy.failed", error=str(error))

    def _may_send(self, delivery: Delivery, timeout: float) -> bool:
        if broken("lease"):
            return True
        if boot_seconds() + timeout > delivery.lease_ends or self._superseded.has(delivery):
            return False  # One that is superseded is in its row, too: it comes again, and is ended.
        return delivery.lane is None or self._still_ours(delivery)

    def _repeatable(self, delivery: Delivery) -> bool:
        """Whether it may be sent again; not where that cannot be told any more (the API call was deleted meanwhile)."""
        return _or(False, lambda: delivery.kind.repeatable(delivery, self._context))

    def _concluded(self, delivery: Delivery, reading: Reading, attempt: Attempt) -> Result:
        again = reading.verdict == "retry"
        return conclusions.conclude(
            delivery,
            reading,
            attempt,
            now=datetime.now(UTC),
            random_unit=random.random(),  # noqa: S311 (jitter)
            own_delays=_or(None, lambda: delivery.kind.own_delays(delivery, self._context)) if again else None,
        )


def _unsent(delivery: Delivery, error: Exception) -> Result | None:
    """What an error means before anything has left; None: it is a fault of ours."""
    match error:
        case NoRequest():
            return Result(delivery, error.outcome, code=error.code, detail=str(error))
        case LeaseLost():
            log.info("lease.lost", delivery=delivery.id)
            return Result(delivery, "deferred", code=error.code, delay=0.0)
        case ChannelPaused():
            return Result(delivery, "deferred", code=error.code, detail=str(error), delay=0.0, pause=PAUSED_SECONDS)
        case NotYetKnown():
            return Result(delivery, "deferred", code=error.code, detail=str(error), delay=UNKNOWN_SECONDS)
    return None


def _or(otherwise: T, make: Callable[[], T]) -> T:
    """What `make` makes, or the other where it cannot; for what must not fail any more once a request has left."""
    try:
        return make()
    except Exception:
        log.exception("attempt.unsaid")
        return otherwise
