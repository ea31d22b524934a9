"""A trigger's last requests, for its author: `trigger.request` events, at most 10 a second per trigger.

They are for the registry's request log only and never sent to endpoints.
"""

from __future__ import annotations

from typing import Any

from contracts import findings
from contracts.cloudevents import now_text
from contracts.ids import new_id
from contracts.registry import Trigger
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Buckets, Rate
from ingress.wire.http import Answer, Request
from ingress.wire.problems import as_body
from servicekit.storable import storable
from servicekit.web.problems import ProblemError

LOGGED = Rate(10, 1)
BODY_LIMIT = 8 * 1024


class RequestLog:
    """Notes what came and what became of it. The body arrives here without its credentials."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._buckets = Buckets(lambda: 1)

    def note(
        self,
        trigger: Trigger,
        request: Request,
        body: dict[str, Any] | None,
        outcome: Answer | ProblemError,
        event_id: str | None,
    ) -> None:
        """Publish one note aside, unless there were ten within this second. `event_id` None: it became no event."""
        if self._buckets.take("trigger", trigger.id, LOGGED):
            return
        data = {
            "bot": {"id": trigger.bot_id},
            "trigger": {"id": trigger.id},
            "event_id": event_id,
            "at": now_text(),
            "ip": request.client_ip,
            "content_length": int(request.head.get(b"content-length", b"0")),
            "body": _small(body),
            "status": outcome.status,
            "problem": as_body(outcome) if isinstance(outcome, ProblemError) else None,
        }
        present = {name: value for name, value in data.items() if value is not None}
        record = self._intake.event(
            "trigger.request", storable(present), id=new_id(), key=trigger.bot_id, project_id=trigger.project_id
        )
        self._intake.publish_aside(record._replace(topic=findings.TOPIC.name))


def _small(body: dict[str, Any] | None) -> dict[str, Any] | None:
    if body is None:
        return None
    return body if len(repr(body)) <= BODY_LIMIT else {"left_out": "larger than 8 KiB"}
