"""What is known of sources: a repeat is one in its own topic only, and a topic that was made anew is another one."""

from __future__ import annotations

import orjson
import pytest

from contracts.cloudevents import source_headers
from servicekit.checkpoints.fence import Seen, is_repeat, learnt, note, topic_of
from servicekit.kafka.records import Source, source_of


def at(offset: int, ordinal: int = 0, incarnation: str | None = "old") -> Source:
    return Source("up", 1, offset, ordinal, incarnation)


def after(*sources: Source) -> Seen:
    """The marks, as the next owner reads them from the checkpoint."""
    seen: Seen = {}
    for source in sources:
        note(seen, source)
    return {key: tuple(mark) for key, mark in orjson.loads(orjson.dumps(seen)).items()}


def test_what_is_not_higher_is_a_repeat() -> None:
    seen = after(at(640, 2))
    assert is_repeat(seen, at(640, 2))
    assert is_repeat(seen, at(12))
    assert not is_repeat(seen, at(640, 3))
    assert not is_repeat(seen, at(641))


def test_what_gets_the_offsets_that_were_cut_off_is_no_repeat() -> None:
    seen = after(at(640, 2, "id"))
    assert not is_repeat(seen, at(638, 0, "id~9"))
    assert is_repeat(seen, at(638, 0, "id"))
    assert (topic_of("id~9"), topic_of("id"), topic_of(None)) == ("id", "id", None)
    assert [learnt("id~9", "id"), learnt("id~9", None), learnt("id~9", "new"), learnt(None, "id")] == [
        "id~9", "id~9", "new", "id",
    ]  # fmt: skip
    headers = dict(source_headers("up", 1, 638, 0)) | {"src-incarnation": b"id~9"}
    assert source_of(headers) == at(638, 0, "id~9")


def test_a_topic_made_anew_begins_again_and_the_last_of_the_old_one_stay_known() -> None:
    seen = after(at(640, 2), at(0, 0, "new"))
    assert seen == {"up/1": (0, 0, "new", 640, 2, "old")}
    assert not is_repeat(seen, at(0, 1, "new"))
    assert is_repeat(seen, at(640, 2))
    assert not is_repeat(seen, at(641))
    note(seen, at(9, 1, "new"))
    assert seen == {"up/1": (9, 1, "new", 640, 2, "old")}
    note(seen, at(641))
    assert is_repeat(seen, at(9, 1, "new"))
    note(seen, at(3, 0, "third"))
    assert seen == {"up/1": (3, 0, "third", 641, 0, "old")}


@pytest.mark.parametrize("mark", [[640, 2], (640, 2)])
def test_marks_of_an_earlier_release_hold_for_its_records_only(mark: object) -> None:
    seen: Seen = {"up/1": tuple(mark)}  # type: ignore[arg-type]
    assert is_repeat(seen, at(640, 2, None))
    assert not is_repeat(seen, at(0, 0, "new"))
    note(seen, at(700, 0, None))
    assert seen == {"up/1": (700, 0)}
    note(seen, at(0, 0, "new"))
    assert is_repeat(seen, at(700, 0, None))


def test_a_source_is_read_with_and_without_the_topics_id() -> None:
    assert source_of(dict(source_headers("up", 1, 640, 2))) == at(640, 2, None)
    assert source_of(dict(source_headers("up", 1, 640, 2, "old"))) == at(640, 2)


@pytest.mark.parametrize("value", [b"", b"9" * 5000, b"-1", "\u0663".encode(), b"1_0", None])
def test_what_is_no_offset_names_no_source(value: bytes | None) -> None:
    headers: dict[str, bytes | None] = dict(source_headers("up", 1, 640, 2))
    assert source_of({**headers, "src-offset": value}) is None
    assert source_of({**headers, "src-incarnation": b"\x00"}) is None
