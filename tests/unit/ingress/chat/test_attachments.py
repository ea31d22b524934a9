"""Many listeners of one project do not keep those of another out."""

import pytest

from contracts.actions import MessageContent
from contracts.ids import new_id
from contracts.replies import ChatMessage, MessagesReply
from ingress.chat import attachments as module
from ingress.chat.attachments import Attachments, Spot
from servicekit.web.asking import WaitingCallers
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


def grown(attachments, project, size):
    """A conversation of the project that somebody listens to has had a message of so many bytes."""
    spot = Spot(project, "bot", "web", new_id(), "webchat")
    attached = attachments._enter(spot, 0)
    message = ChatMessage(seq=1, id="i", at="", content=MessageContent(text="x" * size))
    attachments.on_messages(MessagesReply(kind="messages", instance="i", conversation=spot.key, messages=[message]))
    return attached


async def test_what_is_kept_for_a_projects_listeners_is_bounded_in_bytes(monkeypatch):
    """Ten thousand may listen, each to a conversation of its own, which kept a quarter of a megabyte and more."""
    monkeypatch.setattr(module, "KEPT_OF_A_PROJECT", 10_000)
    attachments = Attachments(Accepting(), FakeAsker(), 3, WaitingCallers(10))
    kept = [grown(attachments, "greedy", 4_000) for _ in range(5)]
    assert [len(one.feed.messages) for one in kept] == [1, 1, 0, 0, 0]
    assert not kept[4].covers(0)  # Who listens there has the message from the engine.
    assert kept[4].feed.last == 1
    assert len(grown(attachments, "other", 4_000).feed.messages) == 1


async def test_what_nobody_listens_to_any_more_is_not_counted(monkeypatch):
    monkeypatch.setattr(module, "KEPT_OF_A_PROJECT", 10_000)
    attachments = Attachments(Accepting(), FakeAsker(), 3, WaitingCallers(10))
    for _ in range(2):
        grown(attachments, "greedy", 4_000).listeners = 0
    attachments._next_sweep = 0.0
    assert len(grown(attachments, "greedy", 4_000).feed.messages) == 1
    assert list(attachments._sizes) == ["greedy"]
    assert attachments._sizes["greedy"] < 6_000
