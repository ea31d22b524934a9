"""Many listeners of one project do not keep those of another out."""

import pytest

from contracts.ids import new_id
from ingress.chat.attachments import Attachments, Spot
from ingress.intake.waiting import WaitingCallers
from servicekit.web.problems import ProblemError
from support.ingress_fakes import FakeAsker


class Accepting:
    """An intake that takes everything; nobody answers."""

    async def accept(self, *_, **__):
        raise ProblemError("unavailable", 503, "Unavailable", "accepted")


async def attached(attachments, project):
    spot = Spot(project, "bot", "web", new_id(), "webchat")
    with pytest.raises(ProblemError) as told:
        await attachments.after(spot, 0, 0)
    return told.value.detail == "accepted"


async def test_attaching_is_counted_for_each_project():
    attachments = Attachments(Accepting(), FakeAsker(), 3, WaitingCallers(10))
    assert [await attached(attachments, "a") for _ in range(4)] == [True, True, True, False]
    assert await attached(attachments, "b")
