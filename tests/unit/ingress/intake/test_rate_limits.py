import pytest

from ingress.intake.rate_limits import DEFAULTS, OPEN_DOOR, Buckets, Limiter, Rate, limits_of
from servicekit.web.problems import ProblemError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def burst(buckets, rate, tries=1000):
    return sum(buckets.take("trigger", "a", rate) == 0 for _ in range(tries))


def test_a_bucket_lets_its_count_pass_and_refills_evenly(clock):
    buckets = Buckets(lambda: 1, clock)
    assert burst(buckets, Rate(10, 60)) == 10
    clock.now += 6
    assert burst(buckets, Rate(10, 60)) == 1
    clock.now += 600
    assert burst(buckets, Rate(10, 60)) == 10


def test_what_is_refused_says_when_it_would_pass(clock):
    buckets = Buckets(lambda: 1, clock)
    burst(buckets, Rate(10, 60))
    assert buckets.take("trigger", "a", Rate(10, 60)) == pytest.approx(6)
    clock.now += 6.01
    assert buckets.take("trigger", "a", Rate(10, 60)) == 0


def test_two_instances_share_a_rate(clock):
    assert burst(Buckets(lambda: 2, clock), Rate(10, 60)) == 5


def test_one_who_floods_does_not_take_from_another(clock):
    buckets = Buckets(lambda: 1, clock)
    burst(buckets, Rate(1, 60))
    assert buckets.take("trigger", "b", Rate(1, 60)) == 0


def test_full_buckets_are_forgotten(clock):
    buckets = Buckets(lambda: 1, clock)
    for number in range(50_002):
        buckets.take("address", str(number), Rate(1, 1))
    clock.now += 5
    buckets.take("address", "one more", Rate(1, 1))
    assert len(buckets._full_at) == 1


def test_the_refusal_names_the_limit_and_what_lifts_it(clock):
    limiter = Limiter(lambda: 1, clock)
    limits = limits_of({"per_address": {"count": 1, "per_seconds": 60}})
    limiter.check_address(limits, "203.0.113.9", open_door=False)
    with pytest.raises(ProblemError) as refused:
        limiter.check_address(limits, "203.0.113.9", open_door=False)
    assert refused.value.status == 429
    assert "per address is 1 in 60 s" in refused.value.detail
    assert "exempt_cidrs" in refused.value.detail
    assert refused.value.headers == {
        "Retry-After": "60",
        "RateLimit": '"address";r=0;t=60',
        "RateLimit-Policy": '"address";q=1;w=60',
    }


def test_an_exempt_address_meets_no_limit(clock):
    limiter = Limiter(lambda: 1, clock)
    one = {"count": 1, "per_seconds": 60}
    limits = limits_of({"per_address": one, "per_trigger": one, "exempt_cidrs": ["203.0.113.0/24"]})
    for _ in range(3):
        limiter.check_address(limits, "203.0.113.9", open_door=True)
        limiter.check_trigger(limits, "203.0.113.9", "t")
    limiter.check_trigger(limits, "198.51.100.1", "t")
    with pytest.raises(ProblemError):
        limiter.check_trigger(limits, "198.51.100.1", "t")


def test_by_default_only_an_open_door_counts_addresses(clock):
    limiter = Limiter(lambda: 1, clock)
    for _ in range(OPEN_DOOR.count + 1):
        limiter.check_address(DEFAULTS, "203.0.113.9", open_door=False)
    for _ in range(OPEN_DOOR.count):
        limiter.check_address(DEFAULTS, "203.0.113.9", open_door=True)
    with pytest.raises(ProblemError):
        limiter.check_address(DEFAULTS, "203.0.113.9", open_door=True)
