"""A database that was restored from a backup, and what was sent since is not to be sent again."""

from __future__ import annotations

import pytest

from contracts import actions
from dispatcher import accept_restore
from support.dispatcher import PARTITIONS, RunningDispatcher
from support.fake_telegram import FakeTelegram
from support.waiting import eventually


async def test_what_was_sent_since_the_backup_is_not_sent_again_whatever_it_follows_from(
    dispatcher: RunningDispatcher, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: an engine that was restored, too, made turns apart that it had made in their batch; their messages had later
    sources than any mark, and 484 of 714 were sent twice."""
    monkeypatch.setenv("SWITCHHOOK_KAFKA", dispatcher.cluster.servers)
    monkeypatch.setenv("SWITCHHOOK_TOPIC_PREFIX", dispatcher.cluster.topic_prefix)
    await dispatcher.raw("actions", b"not json", "k", [])
    id = await dispatcher.send("sent since the backup", 1)
    ranges = {actions.TOPIC.name: {str(part): (0, 2) for part in range(PARTITIONS)}}
    told = [await accept_restore.run(dispatcher.dsn, "skip", 0, ranges) for _ in range(2)]
    assert told == [["1 deliveries since the backup are noted as discarded."], []]
    await dispatcher.start()
    await dispatcher.send("sent since the backup", 1, id=id)
    await dispatcher.send("new", 2)
    await eventually(lambda: telegram.messages)
    assert [body["text"] for body in telegram.messages] == ["new"]
    row = await dispatcher.row(id)
    assert row is not None
    assert (row["state"], row["error"]) == ("discarded", accept_restore.WHY)
