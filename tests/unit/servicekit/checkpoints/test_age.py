"""Whether a checkpoint is older than what its service told Kafka."""

from __future__ import annotations

import pytest

from servicekit.checkpoints.age import Behind, Standing, behind
from servicekit.kafka.committed import Committed, committed_of


@pytest.mark.parametrize(
    ("at", "was", "less"),
    [
        (Standing(40, "id"), Committed(40, "id"), False),
        (Standing(41, "id"), Committed(40, "id"), False),
        (Standing(40, "id"), Committed(41, "id"), True),
        (Standing(40, None), Committed(41, "id"), True),
        (Standing(40, "other"), Committed(41, "id"), False),
        (Standing(40, "id~3"), Committed(41, "id"), False),
        (Standing(40, "id"), Committed(41, "id~3"), True),
        (Standing(40, "id~3"), Committed(41, "id~3"), True),
    ],
    ids=["the same", "not told yet", "older", "of a release without ids", "another topic", "repaired since",
         "from before a repair", "after a repair"],
)  # fmt: skip
def test_a_checkpoint_is_older_when_the_same_log_was_read_further(at: Standing, was: Committed, less: bool) -> None:
    assert behind({0: at}, {0: was}) == ([Behind(0, at.next_offset, was.offset)] if less else [])


def test_a_partition_without_a_checkpoint_stands_at_its_beginning() -> None:
    assert behind({}, {3: Committed(7, "id"), 4: Committed(0, "id")}) == [Behind(3, 0, 7)]


@pytest.mark.parametrize("metadata", ["", "id", "id ", "id x", " 4", "NO_METADATA"])
def test_a_commit_that_does_not_say_what_it_is_about_says_nothing(metadata: str) -> None:
    assert committed_of(7, metadata) is None


def test_what_stands_beside_an_offset_is_read_as_it_was_written() -> None:
    said = Committed(7, "id~3", 12)
    assert committed_of(said.offset, said.metadata) == said
    assert committed_of(-1, said.metadata) is None
