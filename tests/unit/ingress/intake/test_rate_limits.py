import pytest

from ingress.intake.rate_limits import OPEN_DOOR, Buckets, Limiter, Rate, limits_of
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
    limits = limits_of("project-1", {"per_address": {"count": 1, "per_seconds": 60}})
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
    limits = limits_of("project-1", {"per_address": one, "per_trigger": one, "exempt_cidrs": ["203.0.113.0/24"]})
    for _ in range(3):
        limiter.check_address(limits, "203.0.113.9", open_door=True)
        limiter.check_trigger(limits, "203.0.113.9", "t")
    limiter.check_trigger(limits, "198.51.100.1", "t")
    with pytest.raises(ProblemError):
        limiter.check_trigger(limits, "198.51.100.1", "t")


def test_by_default_only_an_open_door_counts_addresses(clock):
    limiter = Limiter(lambda: 1, clock)
    for _ in range(OPEN_DOOR.count + 1):
        limiter.check_address(limits_of("project-1", {}), "203.0.113.9", open_door=False)
    for _ in range(OPEN_DOOR.count):
        limiter.check_address(limits_of("project-1", {}), "203.0.113.9", open_door=True)
    with pytest.raises(ProblemError):
        limiter.check_address(limits_of("project-1", {}), "203.0.113.9", open_door=True)


def refused(limiter, limits, ip):
    try:
        limiter.check_address(limits, ip, open_door=False)
    except ProblemError:
        return True
    return False


ONCE_A_DAY = {"per_address": {"count": 1, "per_seconds": 86_400}}


def test_an_address_that_one_project_has_had_enough_of_is_welcome_at_another(clock):
    limiter = Limiter(lambda: 1, clock)
    strict, own, open_to_all = (limits_of(name, ONCE_A_DAY) for name in ("strict", "own", "open"))
    assert [refused(limiter, strict, "203.0.113.9") for _ in range(3)] == [False, True, True]
    assert [refused(limiter, own, "203.0.113.9") for _ in range(2)] == [False, True]
    limiter.check_address(limits_of("open", {}), "203.0.113.9", open_door=True)
    assert not refused(limiter, open_to_all, "198.51.100.1")


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:0db8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("::ffff:203.0.113.9", "203.0.113.8", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_an_ipv6_address_is_counted_with_its_64_and_a_mapped_one_as_ipv4(clock, first, second, one):
    limiter, limits = Limiter(lambda: 1, clock), limits_of("project-1", ONCE_A_DAY)
    assert not refused(limiter, limits, first)
    assert refused(limiter, limits, second) == one


def test_an_ipv4_mapped_address_is_exempt_as_the_ipv4_address(clock):
    limiter, limits = Limiter(lambda: 1, clock), limits_of("p", ONCE_A_DAY | {"exempt_cidrs": ["203.0.113.0/24"]})
    assert [refused(limiter, limits, "::ffff:203.0.113.9") for _ in range(3)] == [False] * 3


def test_many_buckets_that_stay_are_not_gone_through_at_each_request(clock):
    buckets = Buckets(lambda: 1, clock)
    for number in range(50_002):
        buckets.take("address", str(number), Rate(1, 86_400))
    before = buckets._full_at
    buckets.take("address", "one more", Rate(1, 86_400))
    assert buckets._full_at is before
