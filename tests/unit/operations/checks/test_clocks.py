"""Which clocks `doctor` calls wrong."""

from email.utils import formatdate

import httpx
import pytest

from operations.checks.clocks import away
from operations.checks.services import clock_of

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("earliest", "latest", "seconds"),
    [(NOW, NOW + 1, 0.0), (NOW - 0.5, NOW + 0.5, 0.0), (NOW + 5.1, NOW + 6.1, 5.0), (NOW - 5.0, NOW - 4.0, -4.0)],
)
def test_a_clock_is_as_far_away_as_is_certain(earliest: float, latest: float, seconds: float) -> None:
    assert away(NOW, NOW + 0.1, earliest, latest) == pytest.approx(seconds)


@pytest.mark.parametrize(("ahead", "said"), [(0, None), (2, None), (-2, None), (9, "ahead of"), (-9, "behind")])
def test_the_date_of_an_answer_tells_the_clock_of_its_service(ahead: int, said: str | None) -> None:
    answer = httpx.Response(200, headers={"date": formatdate(NOW + ahead, usegmt=True)})
    check = clock_of("ingress", answer, NOW, NOW + 0.2)
    assert (check is None) == (said is None)
    if check is not None and said is not None:
        assert said in check.what
        assert "NTP" in check.advice


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_an_answer_without_a_date_tells_nothing(headers: dict[str, str]) -> None:
    assert clock_of("ingress", httpx.Response(200, headers=headers), NOW, NOW) is None
