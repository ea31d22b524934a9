"""Callers of one project who wait leave room for those of another."""

import asyncio
import contextlib

import pytest

from servicekit.web.asking import WaitingCallers
from servicekit.web.problems import ProblemError
from support.waiting import eventually


def test_a_project_has_as_many_as_are_left():
    callers, waiting = WaitingCallers(4, setting="SWITCHHOOK_WAITING_CALLERS"), contextlib.ExitStack()
    with waiting:
        for project in ("a", "a", "b"):
            waiting.enter_context(callers.one_of(project))
        with pytest.raises(ProblemError) as refused, callers.one_of("a"):
            pass
    assert (refused.value.status, "SWITCHHOOK_WAITING_CALLERS" in refused.value.detail) == (429, True)
    with callers.one_of("a"), callers.one_of("a"):
        pass


async def test_who_waits_too_many_is_refused_and_nothing_was_accepted(rig):
    rig.ingress.intake.callers._shares.most = 2
    first = asyncio.create_task(rig.run(headers={"prefer": "wait=10"}))
    await eventually(lambda: rig.inbound)
    refused = await rig.run(headers={"prefer": "wait=10"})
    assert (refused.status, refused.headers["retry-after"], len(rig.inbound)) == (429, "1", 1)
    assert (await rig.run(headers={"prefer": "respond-async"})).status == 202
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
