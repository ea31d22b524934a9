"""`in_segment` of conditions: whether the person of a turn, as they are now in it, are in a segment."""

from __future__ import annotations

from flowlang import clock
from flowlang.cel.evaluation import IN_SEGMENT
from flowlang.cel.values import CelError
from flowlang.model import Contact, Tools
from flowlang.segments.fields import of_contact
from flowlang.segments.filter import SegmentFilter
from flowlang.work import Work

__all__ = ["IN_SEGMENT", "Membership"]


class Membership:
    """The value of `in_segment`."""

    __slots__ = ("_bot_id", "_contact", "_now", "_tools", "_work")

    def __init__(self, contact: Contact, bot_id: str, now: str, tools: Tools, work: Work) -> None:
        self._contact, self._bot_id, self._now, self._tools, self._work = contact, bot_id, now, tools, work

    def __call__(self, name: str) -> bool:
        """Raises CelError where there is no such segment that a flow may ask for, or no person; TooCostly, NodeError."""
        if not self._contact.id:
            raise CelError("a generated URL without a person: nobody is in a segment")
        filter: SegmentFilter | None = self._tools.segment(name, self._work.make)
        if filter is None or not filter.is_for_turns:
            raise CelError(f"there is no segment {name!r} that a flow may ask for")
        if not filter.is_cheap:
            self._work.pass_gate()
        return filter.holds(of_contact(self._contact, self._bot_id), clock.moment(self._now), self._work)
