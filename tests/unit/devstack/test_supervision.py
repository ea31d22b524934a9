"""How long a crashed process waits, and what is said about it."""

import signal

import pytest

from devstack.service import service_of
from devstack.supervisor import describe, next_delay


def test_the_delay_doubles_up_to_its_limit_and_starts_over_after_a_stable_life() -> None:
    delays = [0.0]
    for _ in range(7):
        delays.append(next_delay(delays[-1], lived_seconds=1))
    assert delays[1:] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert next_delay(5.0, lived_seconds=31) == 0.2


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with exit code 0"), (3, "ended with exit code 3"), (-signal.SIGKILL, "was killed by SIGKILL")],
)
def test_an_end_is_described_in_words(code: int, words: str) -> None:
    assert describe(code) == words


@pytest.mark.parametrize(
    ("instance", "service"),
    [("flow-engine", "flow-engine"), ("flow-engine-2", "flow-engine"), ("ingress-10", "ingress")],
)
def test_an_instance_belongs_to_the_service_it_is_named_after(instance: str, service: str) -> None:
    assert service_of(instance) == service


def test_an_instance_of_no_service_is_refused() -> None:
    with pytest.raises(ValueError, match="worker-2 is not an instance of"):
        service_of("worker-2")
