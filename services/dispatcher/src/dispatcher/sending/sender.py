"""One attempt: the lease is checked right before the socket write, and a refusal is an answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from dispatcher.errors import ChannelPaused, LeaseLost, NoRequest, NotYetKnown
from dispatcher.model.delivery import Attempt, Delivery, Result, SendContext
from dispatcher.requests import Reading, Request
from dispatcher.results import conclusions
from dispatcher.sending import attempt_log, channel_requests
from dispatcher.sending.programs import NotRendered, Programs
from servicekit.failpoints import broken, failpoint
from servicekit.http_client.guarded_http import Answer, GuardedClient, Unreachable
from servicekit.observability.metrics import counter, histogram
from servicekit.observability.telemetry import traced

UNKNOWN_SECONDS = 1.0
"""How long to wait for what the registry does not know yet."""
PAUSED_SECONDS = 15.0
"""How long a paused channel is left alone; then what has expired meanwhile is ended. A change of the channel ends it, too."""

log = structlog.get_logger()


class Sender:
    """`still_ours(delivery)`: whether a row of a lane is this process's as far as it can know."""

    def __init__(
        self, http: GuardedClient, context: SendContext, programs: Programs, still_ours: Callable[[Delivery], bool]
    ) -> None:
        self._http, self._context, self._programs, self._still_ours = http, context, programs, still_ours
        self._attempts: dict[tuple[str, str], Any] = {}
        self._seconds: dict[str, Any] = {}

    async def attempt(self, delivery: Delivery) -> Result:
        """Make one attempt. Never raises; a fault of ours is logged and tried again later, as any failed attempt."""
        try:
            result = await self._attempt(delivery)
        except NoRequest as error:
            result = Result(delivery, error.outcome, code=error.code, detail=str(error))
        except LeaseLost:
            log.info("lease.lost", delivery=delivery.id)
            result = Result(delivery, "deferred", code="lease-lost", delay=0.0)
        except ChannelPaused as error:
            result = Result(
                delivery, "deferred", code="channel-paused", detail=str(error), delay=0.0, pause=PAUSED_SECONDS
            )
        except NotYetKnown as error:
            result = Result(delivery, "deferred", code="not-yet-known", detail=str(error), delay=UNKNOWN_SECONDS)
        except Exception:
            log.exception("attempt.failed", delivery=delivery.id)
            fault = Reading("retry", "internal", "An error of the dispatcher's own; its log has it.")
            none_made = Attempt(delivery.attempts, datetime.now(UTC), 0, None, b"{}", None)
            result = self._concluded(delivery, fault, none_made)
        self._count(delivery.kind.name, result)
        return result

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

    async def _attempt(self, delivery: Delivery) -> Result:
        over = conclusions.expired(delivery, datetime.now(UTC))
        if over is not None:
            return over
        request = await self._request(delivery)
        await failpoint("before_send")
        with traced(f"deliver {delivery.kind.name}", delivery.traceparent) as span:
            if span.traceparent and "traceparent" in request.headers:
                request.headers["traceparent"] = span.traceparent
            return await self._send(delivery, request)

    async def _request(self, delivery: Delivery) -> Request:
        try:
            return delivery.kind.request(delivery, self._context)
        except NotRendered as wanted:
            text = await self._programs.render(delivery.project_id, wanted.source, wanted.event)
            return delivery.kind.request(delivery, self._context._replace(render=lambda source, event: text))

    async def _send(self, delivery: Delivery, request: Request) -> Result:
        timeout = min(request.timeout, self._context.longest)
        if not self._may_send(delivery, timeout):
            raise LeaseLost
        for courtesy in request.before:
            await self._beforehand(delivery, courtesy, timeout)
        started_at, began = datetime.now(UTC), time.monotonic()
        request, answer, reading = await self._follow(delivery, request, timeout)
        if reading.moved_to is not None and self._may_send(delivery, timeout):
            delivery.parsed = channel_requests.moved(delivery, reading.moved_to)
            request = delivery.kind.request(delivery, self._context)
            request, answer, reading = await self._follow(delivery, request, timeout)
        took = time.monotonic() - began
        attempt = Attempt(
            delivery.attempts, started_at, int(took * 1000), answer.status if answer else None,
            attempt_log.kept_request(request), attempt_log.kept_answer(request, answer),
        )  # fmt: skip
        result = self._concluded(delivery, reading, attempt)
        if delivery.kind.answered:
            result.request, result.secrets = attempt_log.for_the_caller(request), request.secrets
        return result

    async def _follow(
        self, delivery: Delivery, request: Request, timeout: float
    ) -> tuple[Request, Answer | None, Reading]:
        """Send it, and what follows from its answer: up to the last request, or the first that did not succeed."""
        answer, reading = await self._exchange(delivery, request, timeout)
        while reading.verdict == "succeeded" and request.then is not None:
            request = request.then(reading)
            answer, reading = await self._exchange(delivery, request, timeout)
        return request, answer, reading

    async def _exchange(self, delivery: Delivery, request: Request, timeout: float) -> tuple[Answer | None, Reading]:
        try:
            answer = await self._http.request(
                request.method,
                request.url,
                project=delivery.project_id,
                headers=request.headers,
                body=request.body,
                timeout=timeout,
                max_body=request.answer_limit,
                may_send=lambda: self._may_send(delivery, timeout),
            )
        except Unreachable as error:
            if error.code == "withdrawn":
                raise LeaseLost from error
            again = not error.sent or delivery.kind.repeatable(delivery, self._context)
            code = "timeout" if error.code == "timeout" else error.code
            return None, Reading("retry" if again else "exhausted", code, str(error), destination_failed=True)
        return answer, delivery.kind.read(delivery, request, answer, self._context)

    async def _beforehand(self, delivery: Delivery, request: Request, timeout: float) -> None:
        """Sent for courtesy; what comes of it changes nothing."""
        try:
            await self._http.request(
                request.method, request.url, project=delivery.project_id, headers=request.headers, body=request.body,
                timeout=min(timeout, 5.0),
            )  # fmt: skip
        except Unreachable as error:
            log.info("courtesy.failed", error=str(error))

    def _may_send(self, delivery: Delivery, timeout: float) -> bool:
        if broken("lease"):
            return True
        if time.monotonic() + timeout > delivery.lease_ends:
            return False
        return delivery.lane is None or self._still_ours(delivery)

    def _concluded(self, delivery: Delivery, reading: Reading, attempt: Attempt) -> Result:
        return conclusions.conclude(
            delivery,
            reading,
            attempt,
            now=datetime.now(UTC),
            random_unit=random.random(),  # noqa: S311 (jitter)
            own_delays=delivery.kind.own_delays(delivery, self._context),
        )
