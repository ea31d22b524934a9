"""The registry in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import dispatcher.main
import flow_engine.main
import ingress.main
from contracts.registry import ENTITY_MODELS, SNAPSHOT_KEY, Snapshot
from servicekit.kafka.records import Outgoing, Record
from servicekit.registry_view import index as index_module
from servicekit.registry_view.index import RegistryIndex
from support.registry_records import PROJECT, entity, snapshot, token, tombstone


def filled(*outgoing: Outgoing) -> RegistryIndex:
    index = RegistryIndex()
    for offset, record in enumerate(outgoing):
        index.apply(Record("r", 0, offset, 0, record.key, record.value))
    return index


def api_call(id: str, version: int, name: str) -> Outgoing:
    return entity("r", "api_call", id, version, name=name, method="GET", url="http://a")


def test_an_index_follows_a_change_of_what_it_is_by() -> None:
    index = filled(api_call("1", 1, "old"), api_call("2", 1, "other"), api_call("1", 2, "new"))
    assert list(index.find("api_call", "name", (PROJECT, "old"))) == []
    assert [one.id for one in index.find("api_call", "name", (PROJECT, "new"))] == ["1"]  # type: ignore[attr-defined]
    assert len(list(index.all("api_call", PROJECT))) == 2
    with pytest.raises(KeyError):
        list(index.find("api_call", "url", "http://a"))


def test_deleting_takes_everything_away_but_the_memory_of_it() -> None:
    index = filled(token("r", "a"), token("r", "a", 2, deleted=True))
    assert index.get("token", "a") is None
    assert list(index.find("token", "sha256", "xa")) == []
    assert list(index.all("token", PROJECT)) == []
    assert index.deleted("token", "a")
    again = filled(token("r", "a"), token("r", "a", 2, deleted=True), tombstone("r", "token", "a"), token("r", "a", 3))
    assert again.get("token", "a") is not None
    assert not again.deleted("token", "a")


def test_kinds_of_a_later_release_are_not_waited_for() -> None:
    """While services are upgraded one after the other, the registry counts what the others do not know."""
    marker = Snapshot(generation=1, counts={"token": 1, "newer_kind": 7}).encode()
    assert not filled(Outgoing("r", SNAPSHOT_KEY.encode(), marker, [])).complete
    assert filled(token("r", "a"), Outgoing("r", SNAPSHOT_KEY.encode(), marker, [])).complete


def test_the_same_object_is_given_until_it_changes() -> None:
    index = filled(token("r", "a"))
    assert index.get("token", "a") is index.get("token", "a")


def test_unreadable_and_unknown_records_change_nothing() -> None:
    index = filled(
        Outgoing("r", b"token/x", b"not json", []),
        Outgoing("r", b"token/y", b'{"kind": "token"}', []),
        Outgoing("r", b"newer_kind/z", b"{}", []),
        Outgoing("r", None, b"{}", []),
    )
    assert index.refused == 2
    assert index.counts().total() == 0


def test_it_is_complete_by_the_last_snapshot_it_saw() -> None:
    assert not filled(token("r", "a")).complete
    assert filled(snapshot("r")).complete
    assert not filled(snapshot("r", token=2), token("r", "a")).complete
    assert filled(snapshot("r", token=2), token("r", "a"), token("r", "b", deleted=True)).complete


def test_a_token_that_the_registry_refuses_is_unknown_until_it_does_so_no_more() -> None:
    marker = Snapshot(generation=1, counts={}, refused_tokens=("a",)).encode()
    refused = Outgoing("r", SNAPSHOT_KEY.encode(), marker, [])
    index = filled(token("r", "a"), token("r", "b"), refused)
    assert list(index.find("token", "sha256", "xa")) == []
    assert index.get("token", "b") is not None
    index.apply(Record("r", 0, 3, 0, SNAPSHOT_KEY.encode(), snapshot("r").value))
    assert index.get("token", "a") is not None


def test_differences_are_what_changed() -> None:
    before = filled(token("r", "a"), token("r", "b"), token("r", "c"))
    after = filled(token("r", "a"), token("r", "b", 2), token("r", "d"))
    assert set(before.differences(after)) == {("token", "b"), ("token", "c"), ("token", "d")}


def test_kinds_that_a_service_has_no_use_for_take_no_room_and_are_not_waited_for() -> None:
    index = RegistryIndex(without=("api_call",))
    for offset, record in enumerate((token("r", "a"), api_call("1", 1, "n"), snapshot("r", token=1, api_call=7))):
        index.apply(Record("r", 0, offset, 0, record.key, record.value))
    assert +index.counts() == {"token": 1}
    assert index.complete


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.get("api_call", "1"),
        lambda index: index.deleted("api_call", "1"),
        lambda index: list(index.find("api_call", "name", (PROJECT, "n"))),
        lambda index: list(index.all("api_call", PROJECT)),
    ],
    ids=["get", "deleted", "find", "all"],
)
def test_asking_for_a_kind_that_is_left_out_is_loud(ask: Callable[[RegistryIndex], object]) -> None:
    with pytest.raises(KeyError):
        ask(RegistryIndex(without=("api_call",)))


@pytest.mark.parametrize(
    ("unused", "needed"),
    [
        (ingress.main.UNUSED, {"token", "project", "bot", "channel", "trigger", "flow", "flow_version"}),
        (
            flow_engine.main.UNUSED,
            {"token", "bot", "channel", "trigger", "flow", "flow_version", "api_call", "hook_url"},
        ),
        (dispatcher.main.UNUSED, {"token", "project", "bot", "channel", "endpoint", "api_call", "secret"}),
    ],
    ids=["ingress", "flow-engine", "dispatcher"],
)
def test_each_service_leaves_out_kinds_that_it_does_not_need(unused: tuple[str, ...], needed: set[str]) -> None:
    assert set(unused) < set(ENTITY_MODELS)
    assert not set(unused) & needed


def test_what_is_remembered_of_parsed_entities_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project's flow versions have 64 MB, which take ten times as much once they are parsed."""
    index = filled(*(api_call(str(number), 1, f"n{number}") for number in range(4)))
    size = len(index.data("api_call", "0") or b"")
    monkeypatch.setattr(index_module, "PARSED_BYTES", 2 * size)
    found = [index.get("api_call", str(number)) for number in range(4)]
    again = [index.get("api_call", str(number)) for number in (3, 2, 0)]
    assert [one is found[place] for one, place in zip(again, (3, 2, 0), strict=True)] == [True, True, False]
    assert index.data("api_call", "gone") is None
