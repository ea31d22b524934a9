import pytest

from ingress.wire.preferences import ASYNC, VERDICT, CallerWait, wait_of
from servicekit.web.problems import ProblemError


@pytest.mark.parametrize(
    ("prefer", "in_body", "wait"),
    [
        (None, None, VERDICT),
        (b"respond-async", None, ASYNC),
        (b"return=minimal, Respond-Async", None, ASYNC),
        (b"wait=10", None, CallerWait("rest", 10)),
        (b"respond-async, wait=10", None, CallerWait("rest", 10)),
        (b'wait="7"; x=y', None, CallerWait("rest", 7)),
        (b"wait=500", None, CallerWait("rest", 30)),
        (b"wait=soon", None, VERDICT),
        (b"wait=0", None, VERDICT),
        (b"wait=4", 20, CallerWait("rest", 4)),
        (None, 20, CallerWait("rest", 20)),
        (None, 2.5, CallerWait("rest", 2.5)),
        (None, 0, VERDICT),
    ],
)
def test_the_header_decides_then_the_body_then_the_verdict(prefer, in_body, wait):
    assert wait_of(prefer, in_body) == wait


@pytest.mark.parametrize("in_body", ["10", True, -1, []])
def test_a_wait_that_is_no_number_of_seconds_is_refused(in_body):
    with pytest.raises(ProblemError) as refused:
        wait_of(None, in_body)
    assert refused.value.extra["errors"][0]["pointer"] == "#/wait"
