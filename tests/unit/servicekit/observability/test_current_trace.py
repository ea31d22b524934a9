"""Each line that is logged while a trace is worked on has its id, sampled or not."""

import asyncio

import orjson
import pytest
import structlog

from servicekit.observability.current_trace import in_trace
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing, traced
from servicekit.observability.traceparent import parse_traceparent
from support.logs import configured

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"
log = structlog.get_logger()


@pytest.fixture
def ids():
    with configured("flow-engine") as stream:
        yield lambda: [orjson.loads(line).get("trace_id") for line in stream.getvalue().splitlines()]


@pytest.fixture(params=[False, True], ids=["no exporter", "exporter"])
def _exporter(request, tmp_path):
    configure_tracing("engine", sample=0.01, trace_file=str(tmp_path / "spans") if request.param else None)
    yield
    shutdown_tracing()


@pytest.mark.usefixtures("_exporter")
@pytest.mark.parametrize("traceparent", [SAMPLED, UNSAMPLED])
def test_lines_in_a_span_have_its_trace_and_lines_outside_have_none(ids, traceparent):
    log.info("before")
    with traced("engine.turn", traceparent) as outer:
        log.info("in it")
        with traced("inner", outer.traceparent):
            log.info("further in")
        log.info("in it again")
    log.info("behind")
    assert ids() == [None, TRACE, TRACE, TRACE, None]


def test_a_trace_that_begins_here_is_logged_as_it_is_passed_on(ids):
    with traced("ingress.run", None) as span:
        log.info("in it")
    assert ids() == [parse_traceparent(span.traceparent).trace_id]


@pytest.mark.usefixtures("_exporter")
@pytest.mark.parametrize("traceparent", [SAMPLED, UNSAMPLED])
def test_an_error_that_leaves_a_span_is_logged_with_its_trace(ids, traceparent):
    try:
        with traced("ingress.run", traceparent):
            raise ValueError("no")
    except ValueError as error:
        log.exception("request.failed")
        log.error("request.failed", exc_info=error)
        log.error("request.failed", exc_info=(type(error), error, None))
    log.info("something else")
    assert ids() == [TRACE, TRACE, TRACE, None]


async def test_a_task_has_the_trace_in_which_it_was_made(ids):
    async def aside():
        log.info("aside")

    with traced("ingress.redirect", SAMPLED):
        task = asyncio.create_task(aside())
    await task
    assert ids() == [TRACE]


@pytest.mark.parametrize("header", [SAMPLED, SAMPLED.encode()])
def test_work_without_a_span_belongs_to_the_trace_of_its_header(ids, header):
    with in_trace(header):
        log.info("in it")
    log.info("behind")
    assert ids() == [TRACE, None]


@pytest.mark.parametrize("header", [None, "", "nonsense", b"\xff"])
def test_what_is_no_traceparent_is_no_trace(ids, header):
    with in_trace(header):
        log.info("in it")
    assert ids() == [None]
