import subprocess
import sys

import orjson
import pytest

from servicekit.observability import telemetry
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing, traced
from servicekit.observability.traceparent import new_traceparent, parse_traceparent

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-2] + "00"


def configure(trace_file=None, sample=0.0):
    configure_tracing("engine", sample=sample, trace_file=trace_file)


@pytest.fixture
def spans(tmp_path):
    file = tmp_path / "spans.jsonl"
    configure(str(file), sample=1.0)
    yield lambda: [orjson.loads(line) for line in file.read_bytes().splitlines()]
    shutdown_tracing()
    telemetry._Tracing.sample = 0.01


@pytest.fixture
def nowhere():
    configure(sample=1.0)
    yield
    telemetry._Tracing.sample = 0.01


def test_an_unsampled_trace_is_passed_on_as_it_came(spans):
    with traced("engine.turn", UNSAMPLED, records=3) as span:
        span.set("x", 1)
        assert span.traceparent == UNSAMPLED
    assert spans() == []


def test_a_sampled_trace_gets_a_span_and_its_children_hang_below(spans):
    with traced("engine.turn", SAMPLED, records=3) as turn:
        turn.set("result", "done")
        with traced("engine.publish", turn.traceparent):
            pass
    child, parent = spans()
    assert {child["trace_id"], parent["trace_id"]} == {"0af7651916cd43dd8448eb211c80319c"}
    assert (parent["parent_id"], child["parent_id"]) == ("b7ad6b7169203331", parent["span_id"])
    assert parent["attributes"] == {"records": 3, "result": "done"}
    assert parent["start_ns"] <= child["start_ns"] <= child["end_ns"] <= parent["end_ns"]
    assert (parent["service"], parent["error"]) == ("engine", None)


def test_without_a_parent_the_span_is_a_root(spans):
    with traced("ingress.run", None) as span:
        passed_on = parse_traceparent(span.traceparent)
    (root,) = spans()
    assert (root["parent_id"], root["span_id"], root["trace_id"]) == (None, passed_on.span_id, passed_on.trace_id)


def test_an_error_is_noted_by_its_type(spans):
    with pytest.raises(ValueError, match="hunter2"), traced("ingress.run", SAMPLED):
        raise ValueError("token hunter2")
    assert spans()[0]["error"] == "ValueError"
    assert "hunter2" not in str(spans())


def test_without_an_exporter_a_trace_still_travels(nowhere):
    with traced("ingress.run", None) as span:
        assert parse_traceparent(span.traceparent).sampled
    with traced("ingress.run", SAMPLED) as span:
        assert span.traceparent == SAMPLED


def test_the_share_of_new_traces_is_kept(monkeypatch):
    monkeypatch.setattr(telemetry._Tracing, "sample", 0.25)
    sampled = sum(parse_traceparent(traced("x", None).traceparent).sampled for _ in range(4000))
    assert 800 < sampled < 1200


@pytest.mark.parametrize(
    "text",
    [None, "", "garbage", SAMPLED.upper(), "01" + SAMPLED[2:], SAMPLED + "-00", "00-" + "0" * 32 + SAMPLED[35:],
     SAMPLED.replace("b7ad6b7169203331", "0" * 16)],
)  # fmt: skip
def test_what_is_not_a_traceparent_is_none(text):
    assert parse_traceparent(text) is None


def test_a_new_traceparent_parses_back():
    made = new_traceparent(sampled=True)
    assert parse_traceparent(made.text()) == made


def test_the_sdk_is_not_loaded_without_an_exporter():
    code = (
        "import sys, servicekit.observability.telemetry as t\n"
        "with t.traced('x', None): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
