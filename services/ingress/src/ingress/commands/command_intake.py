"""One command, of commands.v1 or of a project's own topic: judged as the HTTP API would judge it, without touching Kafka."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from contracts.commands import Command
from contracts.ids import derived_id
from contracts.project_topics import slug_of
from contracts.registry import Project, Token
from ingress.commands.command_plans import JUDGED_BY_ENGINE, Planner
from ingress.intake.publishing import Intake, digest_of
from ingress.intake.rate_limits import Limiter
from ingress.lookup.catalogue import Catalogue
from ingress.wire.http import hops_told
from ingress.wire.problems import invalid_model
from servicekit.credentials.tokens import digest
from servicekit.kafka.records import Outgoing, Record, bad_header
from servicekit.observability.telemetry import traced
from servicekit.web.asking import Question
from servicekit.web.auth import Authoriser, Caller, bearer
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import BODY_LIMIT, parse_json

_COMMAND: TypeAdapter[Any] = TypeAdapter(Command)
POISON = frozenset({"not-json", "json-too-deep", "json-too-large", "invalid", "too-large", "not-found"})
"""Problems whose records go to the dead-letter topic beside their event: nothing of them can be mended by a retry."""


class Who(NamedTuple):
    """Of which command an outcome tells: the project, the integrator's `ce_id`, our event id, what is known of it."""

    project_id: str
    ce_id: str
    event_id: str
    data: dict[str, Any]


class Accepted(NamedTuple):
    """The inbound record. `question` is set where the engine has the last word: a start, a write of a contact."""

    who: Who
    record: Outgoing
    question: Question | None


class Rejected(NamedTuple):
    """Refused. Without `who` nobody can be told; with `dead` the record itself is parked too."""

    who: Who | None
    problem: ProblemError
    dead: str | None


class CommandIntake:
    """Judges records."""

    def __init__(self, catalogue: Catalogue, authoriser: Authoriser, limiter: Limiter, intake: Intake) -> None:
        self._catalogue, self._authoriser, self._limiter, self._intake = catalogue, authoriser, limiter, intake
        self._planner = Planner(catalogue)

    async def judge(self, record: Record) -> Accepted | Rejected:
        """Raises ProblemError 503 only: it cannot be known yet."""
        slug = slug_of(record.topic)
        if slug is None:
            return await self._judge_of(record, None)
        project: Project | None = self._catalogue.view.find("project", "slug", slug)
        if project is None or not project.own_topics:
            return Rejected(None, not_found(f"A project {slug} with topics of its own"), "not-found")
        return await self._judge_of(record, project.id)

    async def _judge_of(self, record: Record, owner: str | None) -> Accepted | Rejected:
        """`owner`: the project whose topic the record lies in; None: the topic is everybody's."""
        fault = bad_header(record.headers)
        if fault is not None:
            return Rejected(None, ProblemError("bad-header", 400, "Unreadable header", fault), "bad-header")
        headers = {name: value.decode() for name, value in record.headers if value is not None}
        ce_id = headers.get("ce_id", "")
        if not 0 < len(ce_id) <= 255:
            return self._without_id(record, owner or self._project_of(headers.get("authorization")))
        try:
            caller = await self._authoriser.authorise(headers.get("authorization"), None, None, project=owner)
            if owner not in (None, caller.project):
                raise ProblemError(
                    "token-not-of-this-project", 403, "Not this project's token",
                    "The topic takes commands with a token of its own project only.",
                )  # fmt: skip
        except ProblemError as refusal:
            return self._refused(refusal, owner or self._project_of(headers.get("authorization")), ce_id, {})
        return await self._judge_command(record, headers, ce_id, caller)

    async def _judge_command(
        self, record: Record, headers: dict[str, str], ce_id: str, caller: Caller
    ) -> Accepted | Rejected:
        project_id, data = caller.project, dict[str, Any]()
        try:
            command = self._command(record)
            data = {"command": {"kind": command.kind}}
            bot = await self._planner.bot_of(command, caller)
            project_id, data = bot.project_id, {**data, "bot": {"id": bot.id, "name": bot.name}}
            limits = self._catalogue.limits(project_id)
            self._limiter.check_token(limits, "", caller.token_id or "operator")
            who = Who(project_id, ce_id, derived_id("command", project_id, ce_id), data)
            plan = await self._planner.plan(command, bot, event_id=who.event_id, hops=_hops(headers.get("swh-hops")))
            question = self._intake.ask("verdict") if command.kind in JUDGED_BY_ENGINE else None
            asks: dict[str, Any] = {
                "token_id": caller.token_id,
                "request_digest": digest_of(command.model_dump(mode="json", exclude_none=True)),
            }
            if question is not None:
                asks["reply_to"] = question.reply_to
            plan = plan._replace(body=plan.body.model_copy(update=asks))
            with traced("ingress.command", headers.get("traceparent"), project=project_id) as span:
                made = self._intake.record(plan.body, key=plan.key, event_id=who.event_id, traceparent=span.traceparent)
        except ProblemError as refusal:
            return self._refused(refusal, project_id, ce_id, data)
        return Accepted(who, made, question)

    @staticmethod
    def _command(record: Record) -> Any:
        value = record.value or b""
        if len(value) > BODY_LIMIT:
            raise ProblemError("too-large", 413, "Too large", f"{len(value)} bytes; at most {BODY_LIMIT}.")
        body = parse_json(value)
        try:
            return _COMMAND.validate_python(body)
        except ValidationError as error:
            raise invalid_model(error, inside=1) from None

    @staticmethod
    def _without_id(record: Record, project_id: str | None) -> Rejected:
        """Nobody can tell a repeat of it; whose topic or token it is hears so."""
        problem = ProblemError("bad-header", 400, "No ce_id", "ce_id is needed: 1 to 255 characters")
        if project_id is None:
            return Rejected(None, problem, "bad-header")
        event_id = derived_id("command without id", record.topic, record.partition, record.offset, record.timestamp)
        return Rejected(Who(project_id, "", event_id, {}), problem, "bad-header")

    @staticmethod
    def _refused(refusal: ProblemError, project_id: str | None, ce_id: str, data: dict[str, Any]) -> Rejected:
        if refusal.status == 503:
            raise refusal
        if project_id is None:
            return Rejected(None, refusal, refusal.type_slug)
        who = Who(project_id, ce_id, derived_id("command", project_id, ce_id), data)
        return Rejected(
            who, refusal, _DLQ_CODES.get(refusal.type_slug, refusal.type_slug) if refusal.type_slug in POISON else None
        )

    def _project_of(self, authorization: str | None) -> str | None:
        """The project of a token that is known but not good for this: expired, or bound to addresses."""
        try:
            token: Token | None = self._catalogue.view.find("token", "sha256", digest(bearer(authorization)))
        except ProblemError:
            return None
        return token.project_id if token is not None else None


_DLQ_CODES = {"invalid": "wrong-schema", "json-too-deep": "wrong-schema", "json-too-large": "wrong-schema"}


def _hops(told: str | None) -> int:
    return hops_told(None if told is None else told.encode())
