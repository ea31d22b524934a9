"""The picture of a trace: each span below its cause, and the whole path or nothing."""

import json

import pytest

from support.trace_picture import JOINED, draw, ordered, read


def span(name, id, parent, start, end, trace="t"):
    return {"service": "dispatcher", "name": name, "trace_id": trace, "span_id": id, "parent_id": parent,
            "start_ns": start, "end_ns": end}  # fmt: skip


def written(tmp_path, spans):
    file = tmp_path / "spans.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in spans))
    return file


def test_each_span_is_below_its_cause_and_siblings_are_by_time(tmp_path):
    spans = [
        span("c", "3", "1", 5, 6),
        span("d", "4", "2", 4, 9),
        span("a", "1", "outside", 1, 2),
        span("b", "2", "1", 3, 4),
    ]
    found = ordered(read(written(tmp_path, spans))["t"])
    assert [(depth, each["name"]) for depth, each in found] == [(0, "a"), (1, "b"), (2, "d"), (1, "c")]


def test_the_shortest_whole_path_is_drawn(tmp_path):
    long = [span(name, str(place), None, 0, 9_000_000_000, "long") for place, name in enumerate(JOINED)]
    short = [span(name, str(place), None, 0, 7_000_000, "short") for place, name in enumerate(JOINED)]
    draw(written(tmp_path, [*long, *short]), tmp_path / "trace.svg")
    picture = (tmp_path / "trace.svg").read_text()
    assert picture.count("7.0 ms") == len(JOINED)
    assert all(name in picture for name in JOINED)


def test_a_path_that_is_not_whole_is_not_drawn(tmp_path):
    with pytest.raises(LookupError, match="last delivery"):
        draw(written(tmp_path, [span("ingress.platform", "1", None, 0, 1)]), tmp_path / "trace.svg")
