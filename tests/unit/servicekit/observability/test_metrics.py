from pathlib import Path
from typing import cast

import pytest

from servicekit.observability import metrics
from servicekit.observability.metrics import MEANINGS, NAMES, CounterName, counter, gauge, histogram


def test_every_name_has_one_meaning_and_every_meaning_a_name():
    assert sorted(NAMES) == sorted(MEANINGS)


def test_a_metric_can_only_be_made_from_a_known_name():
    with pytest.raises(KeyError):
        counter(cast(CounterName, "switchhook_invented_total"))


def test_a_metric_is_made_once_a_process():
    assert counter("switchhook_timers_fired_total") is counter("switchhook_timers_fired_total")
    assert histogram("switchhook_loop_lag_seconds") is histogram("switchhook_loop_lag_seconds")
    assert gauge("switchhook_waiting_callers") is gauge("switchhook_waiting_callers")


def test_names_and_labels_follow_the_conventions():
    for name, meaning in MEANINGS.items():
        assert name.startswith("switchhook_")
        assert len(meaning.labels) <= 2
        assert not {"project", "conversation", "url", "person", "token"} & set(meaning.labels)


def test_each_metric_is_set_somewhere() -> None:
    """Seen: two that were promised and that nothing set."""
    table = Path(metrics.__file__)
    libs = table.parents[3].parent
    code = "".join(
        file.read_text()
        for folder in (libs / "servicekit", libs.parent / "services")
        for file in folder.rglob("src/**/*.py")
        if file != table
    )
    assert [name for name in MEANINGS if f'"{name}"' not in code] == []
