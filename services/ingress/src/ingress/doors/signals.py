"""POST /v1/signals: another program says that something happened, which resumes a `wait_event` step."""

from __future__ import annotations

from pydantic import ValidationError

from contracts.commands import SendSignal
from ingress.commands.command_plans import Planner
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.lookup.people import parse_person
from ingress.wire.http import Answer, Request, json_answer
from ingress.wire.problems import invalid_model
from servicekit.observability.telemetry import traced
from servicekit.web.asking import event_id_of


class Signals:
    """The door of signals: 202 as soon as Kafka has it."""

    def __init__(self, catalogue: Catalogue, limiter: Limiter, intake: Intake) -> None:
        self._catalogue, self._limiter, self._intake = catalogue, limiter, intake
        self._planner = Planner(catalogue)

    async def __call__(self, request: Request) -> Answer:
        caller, body = request.caller, await request.json_object()
        person = parse_person(body.get("person"))
        try:
            command = SendSignal.model_validate({**body, "person": person, "kind": "signal"})
        except ValidationError as error:
            raise invalid_model(error) from None
        bot = await self._planner.bot_of(command, caller)
        limits = self._catalogue.limits(bot.project_id)
        self._limiter.check_address(limits, request.client_ip, open_door=False)
        self._limiter.check_token(limits, request.client_ip, caller.token_id or "operator")
        self._limiter.check_own(bot.project_id, request.hops)
        event_id = event_id_of(request.head.get(b"idempotency-key"), bot.project_id, request.path)
        plan = await self._planner.plan(command, bot, event_id=event_id, hops=request.hops)
        with traced("ingress.signal", request.header(b"traceparent"), project=bot.project_id) as span:
            await self._intake.accept(
                plan.body.model_copy(update={"token_id": caller.token_id}),
                key=plan.key,
                event_id=event_id,
                traceparent=span.traceparent,
                source="command",
            )
        location = (b"location", b"/v1/events/" + event_id.encode())
        return json_answer(202, {"event_id": event_id, "status": "accepted"}, [location])
