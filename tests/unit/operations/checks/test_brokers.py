"""What `doctor` says of topics and disks."""

from __future__ import annotations

import pytest

from operations.checks.brokers import of_disk, of_plan, survives
from operations.topic_plan import Difference, Found, Verb
from servicekit.kafka.inside_aiokafka.log_dirs import LogDir

GB = 1_000_000_000


def topic(replicas: int, insync: int, *, unclean: str = "false") -> Found:
    settings = {"min.insync.replicas": str(insync), "unclean.leader.election.enable": unclean}
    return Found(12, replicas, settings)


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ({"a": topic(1, 1)}, "one copy of each record"),
        ({"a": topic(3, 2)}, "survives the loss of 1 of its machines (2 of 3 replicas have it)"),
        ({"a": topic(3, 2), "b": topic(3, 1)}, "may survive no machine (1 of 3"),
        ({"a": topic(3, 3)}, "Kafka takes records with 0 brokers less"),
    ],
)
def test_what_an_acknowledged_record_survives_is_said_of_the_worst_topic(topics: dict[str, Found], said: str) -> None:
    (check,) = survives(topics)
    assert said in check.what


def test_what_takes_the_promise_away_is_to_be_mended() -> None:
    wrong = [check.what for check in survives({"a": topic(1, 2), "b": topic(3, 2, unclean="true")}) if not check.fine]
    assert wrong == [
        "a: min.insync.replicas is 2 and it has replicas: 1",
        "b: acknowledged records can be lost when brokers end",
    ]


@pytest.mark.parametrize(
    ("what", "verb", "fine"),
    [
        ("compression.type", "alter", False),
        ("retention.ms", "alter --force", True),
        ("replicas", "none", False),
        ("partitions", "grow", False),
        ("partitions", "none", True),
    ],
)
def test_what_differs_is_to_be_mended_unless_somebody_meant_it(what: str, verb: Verb, fine: bool) -> None:
    (check,) = of_plan([Difference("t", what, "1", "3", verb, "`topics alter` does it")], "ops")
    assert (check.fine, check.advice) == (fine, "`ops topics alter` does it")


def test_missing_topics_are_told_of_elsewhere() -> None:
    assert list(of_plan([Difference("t", "topic", "missing", "there", "create", "make it")], "ops")) == []


def test_a_disk_that_is_nearly_full_is_named_with_what_to_do() -> None:
    check = of_disk(LogDir(2, "/var/lib/kafka", 80 * GB, 100 * GB, 9 * GB))
    assert (check.fine, "retention.ms" in check.advice) == (False, True)
    assert check.what == "broker 2: 9.0 GB of 100.0 GB free in /var/lib/kafka, its logs take 80.0 GB"
    assert of_disk(LogDir(2, "/var/lib/kafka", 80 * GB, 100 * GB, 20 * GB)).fine
